package search

import (
	"math"
	"runtime"
	"sync"

	"sweep"
	"sweep/privacy"
)

// Prepare asks calibrate what [Sweep.Trials] will ask it, several questions at a
// time: each takes from a hundredth of a second to a second, and a large grid
// has hundreds. It is of use with a Calibration that remembers its answers, and
// that serves several goroutines.
func (s *Sweep) Prepare(calibrate Calibration) {
	if s.solved || len(s.asked) < 2 {
		return
	}
	questions := make(chan question)
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(s.asked)) {
		workers.Go(func() {
			for q := range questions {
				p := sweep.Params{Data: s.Data, Batch: q.batch}
				_, _ = calibrate(s.Privacy.Accountant, privacy.Budget{Epsilon: q.epsilon, Delta: s.Privacy.Delta}, p.SampleRate(), q.steps)
			}
		})
	}
	for _, q := range s.asked {
		questions <- q
	}
	close(questions)
	workers.Wait()
}

// asking notes which noise the points of a sweep need, each once.
type asking struct {
	ε, batch, steps int // the axes
	seen            map[question]bool
}

func newAsking(s *Sweep) *asking {
	a := &asking{ε: -1, seen: map[question]bool{}}
	for i, x := range s.axes {
		switch x.Name {
		case "epsilon":
			a.ε = i
		case "batch_size":
			a.batch = i
		case "steps":
			a.steps = i
		}
	}
	return a
}

// note adds to asked the question of a point that is new.
func (a *asking) note(values []any, asked []question) []question {
	if a.ε < 0 {
		return asked
	}
	q := question{epsilon: values[a.ε].(float64)}
	q.batch, _ = values[a.batch].(int)
	q.steps, _ = values[a.steps].(int)
	if math.IsInf(q.epsilon, 1) || a.seen[q] {
		return asked
	}
	a.seen[q] = true
	return append(asked, q)
}
