package strategy

import (
	"math"
	"runtime"
	"slices"
	"sync"

	"gonum.org/v1/gonum/optimize"
)

// CMAES follows a normal distribution that learns the shape of the good region
// (Hansen 2016, arXiv:1604.00772), by gonum's CmaEsChol (Krause, Arbonès, Igel
// 2016). It is run from its beginning, and fed what was measured, until it asks
// for a point that was not tried; with a [Memory], from where it stood. A
// generation's points can run side by side; the next one waits for the last of
// them.
//
// Coordinates have to be ordered. The distribution begins in the middle with a
// standard deviation of a quarter, and is reflected at the faces of the cube.
// Points that a constraint forbids, and those that failed, count as the worst.
type CMAES struct {
	Space  Space
	Trials int // points in all
	Seed   uint64
	Memory *Memory
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
	known, waits := make(map[uint64]float64, len(tried)), false
	for i, v := range scores(tried) {
		known[hash(tried[i].At)] = -v // the method minimises; +Inf for failures, NaN for what runs
		waits = waits || math.IsNaN(v)
	}
	r := s.resume(known)
	asks, over := r.advance(s.Space, known, min(n, s.Trials-len(tried)))
	if over || s.Memory == nil {
		r.stop()
	} else {
		s.Memory.hold(r)
	}
	return asks, len(asks) == 0 && !waits
}

// resume is the run that the strategy has kept, if it was told nothing that is
// known otherwise by now, or one that begins.
func (s CMAES) resume(known map[uint64]float64) *run {
	if s.Memory != nil && s.Memory.run != nil {
		r := s.Memory.run
		s.Memory.run = nil
		if r.agrees(known) {
			return r
		}
		r.stop()
	}
	return newRun(&optimize.CmaEsChol{InitStepSize: 1, Src: seeded(s.Seed, 0), ForgetBest: true}, len(s.Space.Dims))
}

// hold keeps a run for the next call. Its method waits in a goroutine, which
// ends when the memory is collected.
func (m *Memory) hold(r *run) {
	m.run = r
	if r.cleaned {
		return
	}
	r.cleaned = true
	runtime.AddCleanup(m, (*run).stop, r)
}

// A run plays optimize.Minimize's part of a method's protocol, and feeds it what
// is known. It can be left where something is not known yet.
type run struct {
	dims                int
	operations, results chan optimize.Task
	generation          []optimize.Task // that the method waits for
	size                int             // of a generation
	stopped             sync.Once
	cleaned             bool

	told    []told  // all points that the method was told of, but forbidden ones
	touched visited // the same, as a set
	old     int     // generations in a row that asked for nothing else
}

// told is what a method was told of a point.
type told struct {
	point uint64
	value float64
}

func newRun(m *optimize.CmaEsChol, dims int) *run {
	tasks := make([]optimize.Task, m.Init(dims, math.MaxInt))
	for i := range tasks {
		tasks[i].Location = &optimize.Location{X: make([]float64, dims)}
	}
	r := &run{dims: dims, size: len(tasks), operations: make(chan optimize.Task, len(tasks)), results: make(chan optimize.Task, len(tasks))}
	go m.Run(r.operations, r.results, tasks)
	return r
}

// agrees reports whether what the run was told is still what is known.
func (r *run) agrees(known map[uint64]float64) bool {
	for _, t := range r.told {
		if v, ok := known[t.point]; !ok || v != t.value {
			return false
		}
	}
	return true
}

// advance tells the method what is known until it wants something else, and
// returns up to n points of those that were never asked for. The run is over
// when the method has ended, or has converged.
func (r *run) advance(space Space, known map[uint64]float64, n int) (asks []Ask, over bool) {
	for {
		for len(r.generation) < r.size {
			task := <-r.operations
			switch {
			case task.Op == optimize.MethodDone, task.Op == optimize.MajorIteration && r.old > stale:
				return nil, true
			case task.Op == optimize.MajorIteration:
				r.results <- task
			default:
				r.generation = append(r.generation, task)
			}
		}
		asks, complete := r.answer(space, known, n)
		if !complete {
			return asks, false
		}
		for _, t := range r.generation {
			r.results <- t
		}
		r.generation = r.generation[:0]
	}
}

// answer fills in what the points of a generation measured, or reports false
// and what has to be tried before that is known.
func (r *run) answer(space Space, known map[uint64]float64, n int) (asks []Ask, complete bool) {
	complete = true
	var here visited
	var learned []told
	for i, t := range r.generation {
		p, ok := space.Snap(cube(t.X))
		if !ok {
			r.generation[i].F = math.Inf(1)
			continue
		}
		h := hash(p)
		fresh := !r.touched.has(p) && here.add(p)
		f, isKnown := known[h]
		switch {
		case !isKnown:
			complete = false
			if fresh && len(asks) < n {
				asks = append(asks, Ask{At: p})
			}
		case math.IsNaN(f):
			complete = false
		}
		if fresh {
			learned = append(learned, told{h, f})
		}
		r.generation[i].F = f
	}
	if !complete {
		return asks, false
	}
	if r.old++; len(learned) > 0 {
		r.old = 0
	}
	r.told = append(r.told, learned...)
	for _, t := range learned {
		r.touched.addHash(t.point)
	}
	return nil, true
}

// stop ends the method, which says its last word.
func (r *run) stop() {
	r.stopped.Do(func() {
		r.results <- optimize.Task{Op: optimize.PostIteration}
		close(r.results)
		for range r.operations {
		}
	})
}

// cube maps the method's space, where the start is standard normal, into the cube.
func cube(x []float64) Point {
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
