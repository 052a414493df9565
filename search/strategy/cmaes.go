package strategy

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/optimize"
)

// CMAES follows a normal distribution that learns the shape of the good region
// (Hansen 2016, arXiv:1604.00772), by gonum's CmaEsChol (Krause, Arbonès, Igel
// 2016). It is run from its beginning each time, and fed what was measured, until
// it asks for a point that was not tried. A generation's points can run side by
// side; the next one waits for the last of them.
//
// Coordinates have to be ordered. The distribution begins in the middle with a
// standard deviation of a quarter, and is reflected at the faces of the cube.
// Points that a constraint forbids, and those that failed, count as the worst.
type CMAES struct {
	Space  Space
	Trials int // points in all
	Seed   uint64
}

// stale is how many generations in a row may bring no point that is new before
// the search counts as converged.
const stale = 25

// Most is the number of asks.
func (s CMAES) Most() int { return s.Trials }

func (s CMAES) Next(tried []Tried, n int) ([]Ask, bool) {
	if len(tried) >= s.Trials {
		return nil, true
	}
	r := &replay{space: s.Space, known: make(map[uint64]float64, len(tried)), running: visited{}, touched: visited{}, n: min(n, s.Trials-len(tried))}
	sc := scores(tried)
	for i, t := range tried {
		if math.IsNaN(sc[i]) {
			r.running.add(t.At)
		}
		r.known[hash(t.At)] = -sc[i] // the method minimises; +Inf for failures, NaN for what runs
	}
	r.run(&optimize.CmaEsChol{InitStepSize: 1, Src: seeded(s.Seed, 0), ForgetBest: true}, len(s.Space.Dims))
	return r.asks, len(r.asks) == 0 && len(r.running) == 0
}

// A replay feeds a method what is known.
type replay struct {
	space   Space
	known   map[uint64]float64
	running visited
	n       int

	asks    []Ask
	touched visited // what earlier generations asked for
	old     int     // generations in a row that asked for nothing else
}

// run plays optimize.Minimize's part of the method's protocol.
func (r *replay) run(m *optimize.CmaEsChol, dims int) {
	tasks := make([]optimize.Task, m.Init(dims, math.MaxInt))
	for i := range tasks {
		tasks[i].Location = &optimize.Location{X: make([]float64, dims)}
	}
	operations, results := make(chan optimize.Task, len(tasks)), make(chan optimize.Task, len(tasks))
	go m.Run(operations, results, tasks)
	var generation []optimize.Task
	for task := range operations {
		if task.Op == optimize.MethodDone {
			break
		}
		if task.Op == optimize.MajorIteration {
			if r.old > stale {
				break
			}
			results <- task
			continue
		}
		if generation = append(generation, task); len(generation) < len(tasks) {
			continue
		}
		if !r.answer(generation) {
			break
		}
		for _, t := range generation {
			results <- t
		}
		generation = nil
	}
	results <- optimize.Task{Op: optimize.PostIteration}
	close(results)
	for range operations { // the method says its last word, and ends
	}
}

// answer fills in what the points of a generation measured, or reports false
// and notes what has to be tried before that is known.
func (r *replay) answer(generation []optimize.Task) bool {
	complete := true
	r.old++
	for i, t := range generation {
		p, ok := r.space.Snap(r.cube(t.X))
		if !ok {
			generation[i].F = math.Inf(1)
			continue
		}
		first := r.touched.add(p)
		if first {
			r.old = 0
		}
		f, known := r.known[hash(p)]
		switch {
		case !known:
			complete = false
			if first && len(r.asks) < r.n {
				r.asks = append(r.asks, Ask{At: p})
			}
		case math.IsNaN(f):
			complete = false
		}
		generation[i].F = f
	}
	return complete
}

// cube maps the method's space, where the start is standard normal, into the cube.
func (r *replay) cube(x []float64) Point {
	p := slices.Clone(Point(x))
	for i, z := range p {
		u := math.Mod(math.Abs(0.5+z/4), 2) // reflected at 0 and 1
		if u > 1 {
			u = 2 - u
		}
		p[i] = u
	}
	return p
}
