// Command bench compares search strategies on a recorded surface: a table of
// finished trials, so that a search of 60 trials takes a second. With -train it
// trains the table anew, which takes some half an hour of one core.
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
	ctx := context.Background()
	t, err := newTable()
	if err != nil {
		return err
	}
	defer t.close()
	if anew {
		return train(ctx, t, os.Stdout)
	}
	if err := t.load(); err != nil {
		return err
	}
	if err := report(ctx, os.Stdout, t); err != nil {
		return err
	}
	if t.trained > 0 {
		fmt.Fprintf(os.Stderr, "bench: %d trials were not in the table, and were trained\n", t.trained)
	}
	return nil
}
