package search

import (
	"math/rand/v2"
	"strings"
	"testing"

	"sweep"
	"sweep/search/strategy"
)

// BenchmarkSuggest is the time in which a sweep of 10,000 finished trials gets
// another one: the record's trials are read and the new one made, with its noise
// and its identity.
func BenchmarkSuggest(b *testing.B) {
	text := strings.Replace(adaptive, "[1, 4]", "1", 1)
	text = strings.Replace(text, "grid:\n", "grid:\n  clip_norm: {log: {min: 0.1, max: 10}}\n  ema: {lin: {min: 0, max: 0.999}}\n", 1)
	for name, setting := range map[string]string{
		"tpe": "{name: tpe, trials: 20000}", "cma-es": "{name: cma-es, trials: 20000}",
		"asha": "{name: asha, trials: 20000, min_steps: 10}", "successive-halving": "{name: successive-halving, trials: 7000, min_steps: 10}",
		"tan": "{name: tan, trials: 12000, scale: 16, confirm: 2}",
	} {
		s, err := Parse("bench.yaml", []byte(text+"strategy: "+setting))
		if err != nil {
			b.Fatal(err)
		}
		g := NewSuggester(s, halves)
		known := finished(b, g, name == "tpe", 9_900)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if trials, _, err := g.Suggest(known, 1); err != nil || len(trials) != 1 {
					b.Fatalf("%d trials: %v", len(trials), err)
				}
			}
		})
	}
}

// finished are n trials that have ended: those that g asks for, or drawn ones.
func finished(b *testing.B, g *Suggester, drawn bool, n int) (known []Known) {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	for len(known) < n {
		var trials []Trial
		if drawn {
			m := g.maker
			asks, _ := strategy.Random{Space: m.space.cube(), Trials: n}.Next(nil, n)
			t := answering{made: map[sweep.TrialID]struct{}{}}
			for _, a := range asks {
				more, err := t.ask(m, a)
				if err != nil {
					b.Fatal(err)
				}
				trials = append(trials, more...)
			}
		} else {
			var err error
			if trials, _, err = g.Suggest(known, min(100, n-len(known))); err != nil || len(trials) == 0 {
				b.Fatalf("after %d: %v", len(known), err)
			}
		}
		for _, t := range trials {
			known = append(known, Known{ID: t.Params.ID(), Asked: t.Asked, State: sweep.Completed, Accuracy: r.Float64()})
		}
	}
	return known
}
