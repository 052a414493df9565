//go:build unix

package model

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"sweep/trainerplugin/dpsgd"
)

// cpuTime is what the process has used, which a busy machine leaves alone.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkClippedSum reports views per second of wall time and of CPU time:
// forward, backward, per-example norm, clip and sum.
func BenchmarkClippedSum(b *testing.B) {
	cifar := Input{32, 32, 3, 10}
	tests := []struct {
		model        string
		in           Input
		batch, views int
	}{
		{"tanh-cnn", mnist, 512, 1},
		{"tanh-cnn", mnist, 32, 16},
		{"wrn-16-4", cifar, 16, 1},
		{"wrn-16-4", cifar, 4, 4},
		{"wrn-40-4", cifar, 4, 1},
		{"nf-resnet-50", Input{224, 224, 3, 1000}, 2, 1},
		{"nfnet-f0", Input{192, 192, 3, 1000}, 2, 1},
	}
	for _, tt := range tests {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/K=%d/threads=%d", tt.model, tt.views, threads), func(b *testing.B) {
				e := open(b, tt.model, tt.in, threads)
				w := e.Init(1)
				img := make([]float32, tt.in.pixels())
				noise(1, 1, img)
				batch := dpsgd.Batch{Len: tt.batch, Views: tt.views, View: func(i, k int, to []float32) int { copy(to, img); return i % 10 }}
				sum := make([]float32, len(w))
				step := func() {
					if _, err := e.ClippedSum(b.Context(), w, batch, 1, sum); err != nil {
						b.Fatal(err)
					}
				}
				step() // allocates
				start := cpuTime(b)
				for b.Loop() {
					step()
				}
				views := float64(tt.batch * tt.views * b.N)
				b.ReportMetric(views/b.Elapsed().Seconds(), "views/s")
				b.ReportMetric(views/(cpuTime(b)-start).Seconds(), "views/cpu-s")
			})
		}
	}
}
