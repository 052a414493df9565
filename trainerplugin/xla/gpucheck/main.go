// Gpucheck sees whether the GPU trainer works on this machine, and how fast it
// is beside JAX and Opacus: one command, under eight minutes, which prints a table
// and leaves the same as JSON. It needs no network and no Go: build it elsewhere
// and carry the one file. docs/gpu.md says what its figures mean.
//
// It exits with 0 if every check passed, with 1 if one failed or there is no GPU,
// and with 2 if it was called wrongly.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// settings are what the command line says.
type settings struct {
	plugin, data, out    string
	python, opacusPython string
	limit                time.Duration
	anyDevice            bool
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("gpu-check", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var s settings
	flags.StringVar(&s.plugin, "plugin", "", "`library` of the PJRT plugin (default: $SWEEP_PJRT_PLUGIN, or what is found in the active Python's packages)")
	flags.StringVar(&s.python, "python", "python3", "`program` that runs JAX and Opacus for comparison; \"\" leaves them out")
	flags.StringVar(&s.opacusPython, "opacus-python", "", "`program` that runs Opacus, whose CUDA libraries need not be JAX's (default: what -python says)")
	flags.StringVar(&s.data, "data", "", "`folder` with cifar10, as sweep data fetch leaves it (default: the user's); without it the trial that learns is on glyphs")
	flags.StringVar(&s.out, "out", "gpu-check.json", "`file` for what was measured")
	flags.DurationVar(&s.limit, "limit", 8*time.Minute, "leave out what would begin later than this")
	flags.BoolVar(&s.anyDevice, "any-device", false, "check a device that is no GPU too, such as a CPU's plugin: slow")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "gpu-check: it takes no arguments, and was given %q\n", flags.Args())
		return 2
	}
	s.opacusPython = cmp.Or(s.opacusPython, s.python)
	ok, err := check(ctx, s, full, stdout)
	if err != nil {
		fmt.Fprintf(stderr, "gpu-check: %v\n", err)
		return 1
	}
	if !ok {
		return 1
	}
	return 0
}
