package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"sweep/privacy"
)

var accountCommand = &cli.Command{
	Name:  "account",
	Usage: "calculate privacy: epsilon or delta of what was done, or what a target allows",
	Description: `DP-SGD with Poisson sampling, neighbours differing by one added or removed example. Of sampling
rate, noise multiplier, steps and epsilon give three; the fourth is calculated, and delta if all are given:

  sweep account --n 50000 --batch 4096 --sigma 10 --steps 875 --delta 1e-5     its epsilon
  sweep account --n 50000 --batch 4096 --steps 875 --epsilon 1                 the noise multiplier for it
  sweep account --n 50000 --batch 4096 --sigma 10 --epsilon 1                  how many steps it allows
  sweep account --n 50000 --sigma 10 --steps 875 --epsilon 1                   the largest batch
  sweep account --n 50000 --batch 4096 --sigma 10 --steps 875 --epsilon 1      delta at that epsilon
  sweep account … --compare                                                    by every accountant
  sweep account … --curve delta.svg                                            delta over epsilon
  sweep account … --select logarithmic --mean 10                               the best of a random number of runs
  sweep account … --spent "q=0.01 sigma=2 steps=500"                           after what was released before
  sweep account --event "laplace scale=10 count=3" --event release.json        anything else, all together
  sweep account --audit "m=1000 r=200 v=160" --delta 1e-5                      what a one-run audit refutes
  sweep account --cases questions.jsonl                                        one JSON question a line

--spent and --event take words, "q=… | batch=… n=…, sigma=…, steps=… | epochs=…, sampling=…, truncate=…" or an event's
type and fields ("gaussian noise_multiplier=2 count=3", "randomized_response random=0.5 options=2 count=10"), or a
FILE with an event as results files store them, "-" for standard input.

Epsilon and delta are upper bounds and rounded up; a noise multiplier is rounded up; steps, batches and rates are
rounded down. A target that not even one step meets ends with status 2 and says what one step costs.`,
	Flags:  accountFlags,
	Action: account,
}

var accountFlags = []cli.Flag{
	&cli.IntFlag{Name: "n", Usage: "`EXAMPLES` trained on"},
	&cli.IntFlag{Name: "batch", Usage: "batch in `EXAMPLES`, expected under Poisson sampling; with --n it gives the sampling rate"},
	&cli.Float64Flag{Name: "q", Usage: "sampling `RATE`, in (0, 1], instead of --batch and --n"},
	&cli.Float64Flag{Name: "sigma", Usage: "noise `MULTIPLIER`: standard deviation of the noise over the clipping norm"},
	&cli.IntFlag{Name: "steps", Usage: "`UPDATES` made, however many micro-batches each has"},
	&cli.Float64Flag{Name: "epochs", Usage: "`PASSES` over the data instead of --steps, which it rounds up to"},
	&cli.Float64Flag{Name: "epsilon", Usage: "`TARGET` ε to calibrate for, in nats, or to ask for δ at"},
	&cli.Float64Flag{Name: "delta", Value: defaultDelta, Usage: "`PROBABILITY` δ, in (0, 1)"},
	&cli.StringFlag{Name: "sampling", Value: poissonSampling, Usage: "how batches come about, `HOW`: " + strings.Join(samplings, ", ")},
	&cli.IntFlag{Name: "truncate", Usage: "largest batch in `EXAMPLES`, of sampling " + truncated},
	&cli.StringSliceFlag{Name: "event", Usage: "account for `EVENT` instead: words or a file; may be repeated"},
	&cli.StringSliceFlag{Name: "spent", Usage: "count `EVENT` released before from the same data: words or a file; may be repeated"},
	&cli.StringFlag{Name: "select", Usage: "only the best of a random number of runs is released; its `LAW`: logarithmic, geometric, truncated_negative_binomial or poisson"},
	&cli.Float64Flag{Name: "mean", Usage: "mean `NUMBER` of runs of --select"},
	&cli.Float64Flag{Name: "shape", Usage: "shape η of a truncated negative binomial `NUMBER` of runs"},
	&cli.StringFlag{Name: "relation", Value: string(privacy.AddRemove), Usage: "what neighbouring data sets differ by, `HOW`: add_remove, replace_one or zero_out"},
	&cli.StringFlag{Name: "unit", Value: "example", Usage: "what one `UNIT` of privacy is, for the sentence on coverage"},
	&cli.StringFlag{Name: "accountant", Value: string(privacy.Certified), Usage: "`NAME` of the accountant: certified, exact, pld, rdp or gdp"},
	&cli.BoolFlag{Name: "compare", Usage: "ask every accountant, and print times and on which side each errs"},
	&cli.StringFlag{Name: "curve", Usage: "also draw delta over epsilon, by certified, to `FILE`.svg, and print what attacks can reach"},
	&cli.StringFlag{Name: "audit", Usage: "lower bound on epsilon from a one-run audit's `COUNTS`: \"m=canaries r=guessed v=rightly significance=0.05\""},
	&cli.StringFlag{Name: "cases", Usage: "answer the questions in `FILE`, one JSON object a line (\"-\" is standard input), as jsonl"},
	&cli.StringFlag{
		Name: "output", Aliases: []string{"o"}, Value: "table",
		Usage: "print as `FORMAT`: table, json, csv or md, and jsonl with --cases; json has a stable schema",
	},
}

const defaultDelta = 1e-5

func account(c *cli.Context) error {
	if c.NArg() > 0 {
		return usagef("account takes flags only; %q is none", c.Args().First())
	}
	if path := c.String("cases"); path != "" {
		return accountCases(c, path)
	}
	q, err := questionOf(c)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	if c.Bool("compare") {
		return compareAccountants(c, q)
	}
	a, err := q.answer(new(prices))
	if err != nil {
		return &exitError{exitUsage, err}
	}
	report := answered{question: q, answer: a}
	if a.asked.Event != nil {
		if report.attacks, err = attacksOn(a.asked, c.String("curve") != ""); err != nil {
			return err
		}
	}
	if path := c.String("curve"); path != "" {
		if err := writeCurve(path, a); err != nil {
			return err
		}
	}
	return report.listing(c.String("output") == "table").print(c)
}
