package strategy

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"
)

// A strategy that remembers asks for what one that does not asks for, whatever
// order trials end in, and where what it has been told turns out otherwise.
func TestMemoryChangesNoAnswer(t *testing.T) {
	space := free(3)
	for name, of := range map[string]func(*Memory) Strategy{
		"cma-es":           func(m *Memory) Strategy { return CMAES{Space: space, Trials: 120, Seed: 4, Memory: m} },
		"cma-es on levels": func(m *Memory) Strategy { return CMAES{Space: levels(4, 3, 5), Trials: 60, Seed: 4, Memory: m} },
		"latin-hypercube":  func(m *Memory) Strategy { return LatinHypercube{levels(4, 3, 5), 50, 4, m} },
		"tan":              func(m *Memory) Strategy { return TAN{space, 30, 8, 3, 2, m} },
		"linear-scaling": func(m *Memory) Strategy {
			return LinearScaling{
				Space: levels(3, 4, 2), Low: 0.25, High: 0.5, Memory: m, Budget: func(p Point) float64 { return 1 + p[0] },
				LearnRate: func(p Point) float64 { return p[1] }, Steps: func(p Point) float64 { return 100 * p[2] },
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			kept := of(new(Memory))
			r := rand.New(rand.NewPCG(8, 9))
			var tried []Tried
			for range 1000 {
				n := 1 + r.IntN(4)
				want, over := of(nil).Next(tried, n)
				got, done := kept.Next(tried, n)
				if done != over || !slices.EqualFunc(got, want, Ask.Same) {
					t.Fatalf("after %d: %v, done %v; without a memory %v, done %v", len(tried), got, done, want, over)
				}
				for _, a := range want {
					tried = append(tried, Tried{Ask: a})
				}
				open := slices.IndexFunc(tried, func(x Tried) bool { return !x.Done })
				if open < 0 && len(want) == 0 {
					return
				}
				if open >= 0 {
					i := open + r.IntN(len(tried)-open)
					tried[i].Done, tried[i].Values = true, nil
					if r.IntN(6) > 0 {
						tried[i].Values = []float64{bowl(tried[i].Ask)}
					}
				}
				if r.IntN(30) == 0 { // a failed trial is retried, or a record was corrected
					tried[r.IntN(len(tried))].Values = []float64{-r.Float64()}
				}
			}
			t.Fatal("there is no end")
		})
	}
}

// The goroutine in which a kept method waits ends with its memory.
func TestMemoryLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	func() {
		for seed := range uint64(20) {
			(CMAES{Space: free(2), Trials: 50, Seed: seed, Memory: new(Memory)}).Next(nil, 1)
		}
	}()
	for deadline := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if runtime.GC(); time.Now().After(deadline) {
			t.Fatalf("%d goroutines, before there were %d", runtime.NumGoroutine(), before)
		}
	}
}

// The leader that is found without sorting is the first of the sorted.
func TestLeaderIsTheFirstOfTheRanked(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		s, passed := make([]float64, r.IntN(12)), make([]bool, 12)
		for i := range s {
			s[i] = []float64{math.NaN(), math.Inf(-1), 0, 1, 2, r.Float64()}[r.IntN(6)]
			passed[i] = r.IntN(3) == 0
		}
		order := ranked(s)
		at := slices.IndexFunc(order, func(i int) bool { return !passed[i] })
		i, before := leader(s, func(j int) bool { return passed[j] })
		if at < 0 && i >= 0 || at >= 0 && (order[at] != i || before != at) {
			t.Fatalf("scores %v, passed over %v: %d with %d before it; sorted %v", s, passed, i, before, order)
		}
	}
}

// A set grows, and has what was put in and nothing else.
func TestVisited(t *testing.T) {
	var v visited
	r := rand.New(rand.NewPCG(1, 1))
	points := make([]Point, 3000)
	for i := range points {
		points[i] = Point{r.Float64(), float64(i)}
		if v.has(points[i]) || !v.add(points[i]) || v.add(points[i]) {
			t.Fatalf("point %d is taken for another", i)
		}
	}
	for i, p := range points {
		if !v.has(p) || v.has(Point{p[0], float64(i) + 0.5}) {
			t.Fatalf("point %d is lost, or another there", i)
		}
	}
}
