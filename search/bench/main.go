// Command bench compares search strategies on a recorded surface: a table of
// finished trials, so that a search of 60 trials takes a second. With -train it
// trains the table anew, which takes a quarter of an hour of one core.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
)

func main() {
	anew := flag.Bool("train", false, "train the surface and print it as CSV, instead of searching the recorded one")
	flag.StringVar(&plotFile, "plot", "", "write the curves to `FILE`, an SVG")
	flag.Parse()
	if err := start(*anew); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func start(anew bool) error {
	if anew {
		return train(context.Background(), os.Stdout, os.Stderr)
	}
	rows, err := load()
	if err != nil {
		return err
	}
	return report(os.Stdout, rows)
}
