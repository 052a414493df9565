package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"

	"sweep/search/strategy"
)

const (
	seeds      = 50
	trials     = 60
	randomMost = 200
	regretAt   = 1 // epsilon of the surface that strategies search
)

// A curve is the best accuracy so far, trial by trial, of each seed.
type curve [][]float64

// run has a strategy search the surface, one trial at a time.
func run(s *surface, st strategy.Strategy, most int) []float64 {
	var tried []strategy.Tried
	var best []float64
	top := 0.0
	for len(tried) < most {
		asks, _ := st.Next(tried, 1)
		if len(asks) == 0 {
			break
		}
		a := s.accuracy[s.at(asks[0].At)]
		top = max(top, a)
		best = append(best, top)
		tried = append(tried, strategy.Tried{Ask: asks[0], Done: true, Values: []float64{a}})
	}
	for len(best) < most {
		best = append(best, top)
	}
	return best
}

// A contender is a strategy by its seed.
type contender struct {
	name string
	most int
	of   func(seed uint64) strategy.Strategy
}

func contenders(s *surface) []contender {
	space := s.space()
	return []contender{
		{"random", randomMost, func(i uint64) strategy.Strategy { return strategy.Random{Space: space, Trials: randomMost, Seed: i} }},
		{"sobol", trials, func(i uint64) strategy.Strategy { return strategy.Sobol{Space: space, Trials: trials, Seed: i} }},
		{"latin-hypercube", trials, func(i uint64) strategy.Strategy {
			return strategy.LatinHypercube{Space: space, Trials: trials, Seed: i}
		}},
		{"tpe", trials, func(i uint64) strategy.Strategy { return strategy.TPE{Space: space, Trials: trials, Seed: i} }},
		{"gp", trials, func(i uint64) strategy.Strategy { return strategy.GP{Space: space, Trials: trials, Seed: i} }},
		{"cma-es", trials, func(i uint64) strategy.Strategy { return strategy.CMAES{Space: space, Trials: trials, Seed: i} }},
	}
}

// regrets runs every contender with every seed.
func regrets(s *surface) (names []string, curves map[string]curve) {
	curves = map[string]curve{}
	for _, c := range contenders(s) {
		names = append(names, c.name)
		for seed := range uint64(seeds) {
			curves[c.name] = append(curves[c.name], run(s, c.of(seed), c.most))
		}
	}
	return names, curves
}

// meanAt is the mean over seeds of what is missing to the best after n trials, in
// percentage points, and half the width of its 95 % interval (Student's t with
// 49 degrees of freedom).
func (c curve) meanAt(n int, best float64) (mean, half float64) {
	x := make([]float64, len(c))
	for i := range c {
		x[i] = 100 * (best - c[i][min(n, len(c[i]))-1])
		mean += x[i] / float64(len(c))
	}
	ss := 0.0
	for _, v := range x {
		ss += (v - mean) * (v - mean)
	}
	const t49 = 2.0096 // 0.975 quantile
	return mean, t49 * math.Sqrt(ss/float64(len(c)-1)/float64(len(c)))
}

// report prints the tables of search/README.md.
func report(ctx context.Context, w io.Writer, t *table) error {
	var full []row
	for _, b := range gridBatch {
		full = append(full, grid(row{Epsilon: regretAt, Batch: b, EMA: gridEMA, Scale: 1}, gridSteps)...)
	}
	for i := range full {
		if err := t.fill(ctx, &full[i]); err != nil {
			return err
		}
	}
	s := newSurface(full, func(r row) []float64 { return []float64{float64(r.Batch), r.Learn, float64(r.Steps), r.Clip} })
	names, curves := regrets(s)
	best := s.best()
	fmt.Fprintf(w, "Surface: %d points at ε = %d, best %.2f %%. Percentage points missing to it, mean of %d seeds ± half of the 95 %% interval:\n\n",
		len(full), regretAt, 100*best, seeds)
	fmt.Fprintln(w, "| strategy | 20 trials | 40 trials | 60 trials | 200 trials | at 60, as good as random's own seed at 200 |")
	fmt.Fprintln(w, "| --- | --- | --- | --- | --- | --- |")
	for _, name := range names {
		c := curves[name]
		fmt.Fprintf(w, "| `%s` |", name)
		for _, n := range []int{20, 40, 60, 200} {
			if n > len(c[0]) {
				fmt.Fprint(w, " |")
				continue
			}
			m, h := c.meanAt(n, best)
			fmt.Fprintf(w, " %.2f ± %.2f |", m, h)
		}
		reached := 0
		for i := range c {
			if c[i][trials-1] >= curves["random"][i][randomMost-1] {
				reached++
			}
		}
		fmt.Fprintf(w, " %d of %d |\n", reached, seeds)
	}
	fmt.Fprintln(w)
	if err := plotRegret(names, curves, best); err != nil {
		return err
	}
	rungs(w, full)
	return scaled(ctx, w, t)
}

// rungs compares halving with random search at equal cost. Steps are the
// resource: 25, 50, 100, 200.
func rungs(w io.Writer, full []row) {
	s := newSurface(full, func(r row) []float64 { return []float64{float64(r.Batch), r.Learn, r.Clip, float64(r.Steps)} })
	last := len(s.levels) - 1
	most := s.levels[last][len(s.levels[last])-1]
	sub := &surface{levels: s.levels[:last]}
	fmt.Fprintln(w, "Rungs of 25, 50, 100 and 200 steps against random search that trains every point for 200, at the same number of steps in all:")
	fmt.Fprintln(w)
	fmt.Fprintln(w, "| strategy | steps in all | missing after them | random, missing |")
	fmt.Fprintln(w, "| --- | --- | --- | --- |")
	r := strategy.Rungs{Least: 0.125, Factor: 2}
	for _, c := range []contender{
		{"successive-halving", 32, func(i uint64) strategy.Strategy {
			return strategy.Halving{Space: sub.space(), Trials: 32, Rungs: r, Seed: i}
		}},
		{"asha", 32, func(i uint64) strategy.Strategy {
			return strategy.ASHA{Space: sub.space(), Trials: 32, Rungs: r, Seed: i}
		}},
		{"hyperband", 0, func(i uint64) strategy.Strategy { return strategy.Hyperband{Space: sub.space(), Rungs: r, Seed: i} }},
	} {
		var found, random curve
		steps := 0.0
		for seed := range uint64(seeds) {
			top, spent := climb(s, c.of(seed), most)
			found = append(found, []float64{top})
			steps += spent / seeds
			n := int(spent / most)
			random = append(random, []float64{ceiling(s, sub, seed, n, most)})
		}
		m, h := found.meanAt(1, s.best())
		m2, h2 := random.meanAt(1, s.best())
		fmt.Fprintf(w, "| `%s` | %.0f | %.2f ± %.2f | %.2f ± %.2f |\n", c.name, steps, m, h, m2, h2)
	}
	fmt.Fprintln(w)
}

// climb runs a strategy with rungs to its end, and returns the best it has found
// in full and the steps that all trials made.
func climb(s *surface, st strategy.Strategy, most float64) (top, steps float64) {
	var tried []strategy.Tried
	for {
		asks, done := st.Next(tried, 1)
		if done || len(asks) == 0 {
			return top, steps
		}
		share := asks[0].Share
		x := s.at(append(slices.Clone(asks[0].At), levelOf(s.levels[len(s.levels)-1], share*most)))
		a := s.accuracy[x]
		steps += share * most
		if share == 1 {
			top = max(top, a)
		}
		tried = append(tried, strategy.Tried{Ask: asks[0], Done: true, Values: []float64{a}})
	}
}

// levelOf is the coordinate of a level.
func levelOf(levels []float64, v float64) float64 {
	return (float64(slices.Index(levels, v)) + 0.5) / float64(len(levels))
}

// ceiling is the best of n random points with all steps.
func ceiling(s, sub *surface, seed uint64, n int, most float64) float64 {
	asks, _ := strategy.Random{Space: sub.space(), Trials: n, Seed: seed + 1000}.Next(nil, n)
	top := 0.0
	for _, a := range asks {
		top = max(top, s.accuracy[s.at(append(slices.Clone(a.At), levelOf(s.levels[len(s.levels)-1], most)))])
	}
	return top
}
