package main

import (
	"strconv"

	"github.com/urfave/cli/v2"

	"sweep/privacy"
)

var accountCommand = &cli.Command{
	Name:  "account",
	Usage: "calculate privacy: epsilon of a run, or the noise or steps that a target allows",
	Description: `DP-SGD with Poisson sampling, neighbours differing by one added or removed example:

  sweep account --n 50000 --batch 4096 --sigma 10 --steps 875 --delta 1e-5      its epsilon
  sweep account --n 50000 --batch 4096 --steps 875 --epsilon 1 --delta 1e-5     the noise multiplier for it
  sweep account --n 50000 --batch 4096 --sigma 10 --epsilon 1 --delta 1e-5      how many steps it allows

Epsilon is an upper bound and rounded up, a noise multiplier is rounded up, steps are rounded down.`,
	Flags: []cli.Flag{
		&cli.IntFlag{Name: "n", Usage: "`EXAMPLES` trained on"},
		&cli.IntFlag{Name: "batch", Usage: "expected Poisson batch in `EXAMPLES`; with --n it gives the sampling rate"},
		&cli.Float64Flag{Name: "q", Usage: "sampling `RATE`, in (0, 1], instead of --batch and --n"},
		&cli.Float64Flag{Name: "sigma", Usage: "noise `MULTIPLIER`: standard deviation of the noise over the clipping norm"},
		&cli.IntFlag{Name: "steps", Usage: "`UPDATES` made"},
		&cli.Float64Flag{Name: "epsilon", Usage: "`TARGET` to calibrate for"},
		&cli.Float64Flag{Name: "delta", Value: 1e-5, Usage: "`PROBABILITY` δ, in (0, 1)"},
		&cli.StringFlag{Name: "accountant", Value: string(privacy.RDP), Usage: "`NAME` of the accountant"},
		outputFlag,
	},
	Action: func(c *cli.Context) error {
		q, err := rateOf(c)
		if err != nil {
			return err
		}
		a, err := privacy.ParseAccountant(c.String("accountant"))
		if err != nil {
			return &exitError{exitUsage, err}
		}
		answer, err := ask(c, a, q)
		if err != nil {
			return err
		}
		return answer.print(c)
	},
}

func rateOf(c *cli.Context) (float64, error) {
	switch {
	case c.IsSet("q"):
		return c.Float64("q"), nil
	case c.IsSet("n") && c.IsSet("batch"):
		if n, b := c.Int("n"), c.Int("batch"); n < 1 || b < 1 || b > n {
			return 0, usagef("--batch %d of --n %d: a batch holds at least one example and at most all", b, n)
		}
		return float64(c.Int("batch")) / float64(c.Int("n")), nil
	}
	return 0, usagef("give the sampling rate: --n and --batch, or --q")
}

// ask answers the question that the flags pose: what is missing is what is asked.
func ask(c *cli.Context, a privacy.Accountant, q float64) (listing, error) {
	sigma, steps := c.Float64("sigma"), c.Int("steps")
	target := privacy.Budget{Epsilon: c.Float64("epsilon"), Delta: c.Float64("delta")}
	var err error
	switch {
	case c.IsSet("sigma") && c.IsSet("steps") && !c.IsSet("epsilon"):
	case c.IsSet("epsilon") && c.IsSet("steps") && !c.IsSet("sigma"):
		sigma, err = privacy.CalibrateNoise(a, target, q, steps)
	case c.IsSet("epsilon") && c.IsSet("sigma") && !c.IsSet("steps"):
		steps, err = privacy.CalibrateSteps(a, target, q, sigma)
	default:
		return listing{}, usagef("give two of --sigma, --steps and --epsilon: the third is calculated")
	}
	if err != nil {
		return listing{}, &exitError{exitUsage, err}
	}
	event := privacy.DPSGD{SampleRate: q, Noise: sigma, Steps: steps}
	epsilon, err := a.Epsilon(event, target.Delta)
	if err != nil {
		return listing{}, &exitError{exitUsage, err}
	}
	return accounted(a, event, epsilon, target.Delta), nil
}

func accounted(a privacy.Accountant, e privacy.DPSGD, epsilon, delta float64) listing {
	covers := privacy.Covers(privacy.Question{Event: e})
	return listing{
		headings: []string{"quantity", "value"},
		rows: [][]any{
			{"epsilon (rounded up)", privacy.FormatEpsilon(epsilon, 4)}, {"delta", exact(delta)},
			{"noise multiplier σ", exact(e.Noise)}, {"sampling rate q", exact(e.SampleRate)}, {"steps", strconv.Itoa(e.Steps)},
			{"accountant", a.Version()}, {"covers", covers},
		},
		json: map[string]any{
			"schema": 1, "epsilon": jsonFloat(epsilon), "delta": delta, "sigma": e.Noise, "q": e.SampleRate, "steps": e.Steps,
			"accountant": a.Version(), "covers": covers,
		},
	}
}
