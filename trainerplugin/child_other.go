//go:build !unix

package trainerplugin

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
)

func detach(*exec.Cmd)             {}
func killed(*os.ProcessState) bool { return false }
func resume(*os.Process)           {}
func killGroup(p *os.Process)      { _ = p.Kill() }

func lockFile(*os.File) error { return errors.ErrUnsupported }

func signalText(n int) string { return "signal " + strconv.Itoa(n) }
