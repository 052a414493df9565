//go:build !unix

package trainertest

import (
	"fmt"
	"os"
)

func serveFrozen()  { unsupported() }
func serveForked()  { unsupported() }
func serveLeaking() { unsupported() }

func unsupported() {
	fmt.Fprintln(os.Stderr, "this way to misbehave needs signals and sessions")
	os.Exit(2)
}
