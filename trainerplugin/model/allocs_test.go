package model

import (
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"testing"

	"sweep/trainerplugin/dpsgd"
)

// TestStepAllocatesNothingPerExample: what a step takes from the heap grows with
// the batch by the numbers that it returns of each example and a little for each
// chunk, not by what it computes with, so that a batch of any size needs the
// memory of a small one.
func TestStepAllocatesNothingPerExample(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector makes sync.Pool forget at random")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // sync.Pool forgets after two collections
	const few, many, most = 32, 160, 128             // examples, examples, bytes for an example
	for _, c := range []struct {
		name string
		in   Input
	}{
		{"tanh-cnn", Input{28, 28, 1, 10}},
		{"wrn-10-1", Input{8, 8, 3, 10}},
	} {
		for _, views := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s/K=%d", c.name, views), func(t *testing.T) {
				e := open(t, c.name, c.in, 2)
				w, sum := e.Init(1), make([]float32, e.size)
				bytes := func(n int) float64 {
					least := math.Inf(1) // the first step of all makes the graphs
					for range 3 {
						least = min(least, float64(allocated(func() { stepOf(t, e, w, grey(n, views), sum) })))
					}
					return least
				}
				if got := (bytes(many) - bytes(few)) / (many - few); got > most {
					t.Errorf("%.0f bytes for an example; at most %d", got, most)
				}
			})
		}
	}
}

// allocated is how many bytes f takes from the heap, freed or not.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func stepOf(t *testing.T, e *Engine, w []float32, b dpsgd.Batch, sum []float32) {
	t.Helper()
	if _, err := e.ClippedSum(t.Context(), w, b, 1, sum); err != nil {
		t.Fatal(err)
	}
}

// grey is a batch whose images are made without memory: each is of one number.
func grey(n, views int) dpsgd.Batch {
	return dpsgd.Batch{Len: n, Views: views, View: func(i, k int, img []float32) int {
		for p := range img {
			img[p] = float32(i%7-3) + float32(k)/4
		}
		return i % 10
	}}
}
