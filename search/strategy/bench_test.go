package strategy

import (
	"testing"
)

// BenchmarkSuggest is the time of one suggestion after 10,000 trials, with a
// memory and, where that makes a difference, without.
func BenchmarkSuggest(b *testing.B) {
	space, rungs := free(5), Rungs{1.0 / 27, 3}
	drawn := answered(Random{space, 10_000, 1}, 10_000)
	two := budgets(drawn)
	halving := Halving{space, 6_700, rungs, 1}
	asha := ASHA{space, 20_000, rungs, 1}
	wide := Hyperband{space, Rungs{1.0 / 2187, 3}, 1} // 16,000 points
	cma := CMAES{Space: space, Trials: 20_000, Seed: 1, Memory: new(Memory)}
	tan := TAN{Space: space, Trials: 11_000, Scale: 32, Confirm: 1, Seed: 1, Memory: new(Memory)}
	linear := LinearScaling{
		Space: levels(8, 20, 20, 16), Low: 0.25, High: 0.5, Memory: new(Memory), Budget: func(p Point) float64 { return 1 + p[0] },
		LearnRate: func(p Point) float64 { return p[1] }, Steps: func(p Point) float64 { return 100 * p[2] },
	}
	for _, c := range []struct {
		name  string
		s     Strategy
		tried []Tried
	}{
		{"random", Random{space, 20_000, 1}, drawn}, {"sobol", Sobol{space, 20_000, 1}, answered(Sobol{space, 10_000, 1}, 10_000)},
		{"latin-hypercube", LatinHypercube{space, 20_000, 1, new(Memory)}, drawn},
		{"tpe", TPE{Space: space, Trials: 20_000, Seed: 1}, drawn}, {"tpe of two budgets", TPE{Space: space, Trials: 20_000, Seed: 1}, two},
		{"gp", GP{Space: space, Trials: 20_000}, drawn},
		{"cma-es", cma, answered(cma, 10_000)}, {"cma-es without a memory", CMAES{Space: space, Trials: 20_000, Seed: 1}, answered(cma, 10_000)},
		{"asha", asha, answered(asha, 10_000)}, {"asha of two budgets", asha, budgets(answered(asha, 10_000))},
		{"successive-halving", halving, answered(halving, 9_900)}, {"hyperband", wide, answered(wide, 10_000)},
		{"tan", tan, answered(tan, 10_000)}, {"tan that confirms", TAN{space, 10_000, 32, 1, 1, new(Memory)}, answered(TAN{space, 10_000, 32, 0, 1, nil}, 10_000)},
		{"linear-scaling", linear, answered(linear, 10_000)},
	} {
		b.Run(c.name, func(b *testing.B) {
			c.s.Next(c.tried, 1) // a memory has been made when 10,000 trials have ended
			for b.Loop() {
				c.s.Next(c.tried, 1)
			}
		})
	}
}

// answered asks a strategy, a hundred points at a time, and answers by values
// without a pattern, on which nothing converges.
func answered(s Strategy, most int) (tried []Tried) {
	for len(tried) < most {
		asks, _ := s.Next(tried, min(100, most-len(tried)))
		if len(asks) == 0 {
			return tried
		}
		for _, a := range asks {
			tried = append(tried, Tried{Ask: a, Done: true, Values: []float64{float64(hash(a.At)>>11) / (1 << 53)}})
		}
	}
	return tried
}

// budgets gives half of the trials another one.
func budgets(tried []Tried) []Tried {
	two := make([]Tried, len(tried))
	for i, t := range tried {
		t.Budget = float64(1 + i%2)
		two[i] = t
	}
	return two
}
