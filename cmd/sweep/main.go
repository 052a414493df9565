// Command sweep finds out how accurate an image classifier can be at each
// privacy budget: it trains a grid of differentially private models and prints
// the epsilon/accuracy frontier. `sweep help` lists what it can do.
package main

import (
	"context"
	"os"

	"sweep/trainerplugin"
)

// Verbs that are for sweep's own child processes. They are answered before
// anything else starts, since each trial pays for it.
const (
	shimVerb    = "__plugin-exec"
	trainerVerb = "trainer"
)

func main() {
	trainerplugin.NoCores() // checkpoints and payload keys pass through
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case shimVerb:
			os.Exit(trainerplugin.RunShim(os.Args[2:]))
		case trainerVerb:
			os.Exit(serveTrainer(os.Args[2:]))
		}
	}
	os.Exit(run(context.Background(), os.Args, os.Stdout, os.Stderr))
}
