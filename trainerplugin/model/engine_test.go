package model

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"sweep/trainerplugin/dpsgd"
)

var mnist = Input{Height: 28, Width: 28, Channels: 1, Classes: 10}

func open(t testing.TB, name string, in Input, threads int) *Engine {
	t.Helper()
	e, err := New(name, in, threads)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// noise is view k of image i: Gaussian pixels that depend on (i, k) alone.
func noise(i, k int, img []float32) {
	r := rand.New(rand.NewPCG(uint64(i), uint64(k)))
	for p := range img {
		img[p] = float32(r.NormFloat64())
	}
}

func noisyBatch(n, views, classes int) dpsgd.Batch {
	return dpsgd.Batch{Len: n, Views: views, View: func(i, k int, img []float32) int {
		noise(i, k, img)
		return i % classes
	}}
}

// one is the batch of example i of b alone.
func one(b dpsgd.Batch, i int) dpsgd.Batch {
	return dpsgd.Batch{Len: 1, Views: b.Views, View: func(_, k int, img []float32) int { return b.View(i, k, img) }}
}

func clippedSum(t testing.TB, e *Engine, w []float32, b dpsgd.Batch, clip float64) ([]float32, dpsgd.GradStats) {
	t.Helper()
	sum := make([]float32, len(w))
	stats, err := e.ClippedSum(t.Context(), w, b, clip, sum)
	if err != nil {
		t.Fatal(err)
	}
	return sum, stats
}

func norm(v []float32) float64 {
	s := 0.0
	for _, x := range v {
		s += float64(x) * float64(x)
	}
	return math.Sqrt(s)
}

// perturbed is Init with biases and everything else moved off its start, so
// that no gradient is zero by chance.
func perturbed(e *Engine, seed uint64) []float32 {
	w := e.Init(seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range w {
		w[i] += float32(0.05 * r.NormFloat64())
	}
	return w
}

// Papernot et al. give 26,010 weights.
func TestTanhCNNSize(t *testing.T) {
	e := open(t, "tanh-cnn", mnist, 1)
	if n := len(e.Init(1)); n != 26010 {
		t.Errorf("%d weights, want 26010", n)
	}
	n := 0
	var names []string
	for _, tensor := range e.Tensors() {
		n += tensor.Size()
		names = append(names, fmt.Sprint(tensor.Name, tensor.Shape))
	}
	want := "conv1/w[8 8 1 16] conv1/b[16] conv2/w[4 4 16 32] conv2/b[32] dense1/w[512 32] dense1/b[32] classifier/w[32 10] classifier/b[10]"
	if got := strings.Join(names, " "); got != want || n != 26010 {
		t.Errorf("%d weights in %s; want 26010 in %s", n, got, want)
	}
}

// Wide ResNets: weights of paper.md, section 2, from De et al.'s code, and
// multiply-adds in millions. Tanh networks: Σ (k²·in + 1)·out over the layers
// that Tramèr and Boneh list.
func TestSizes(t *testing.T) {
	tests := []struct {
		name       string
		classes    int
		parameters int64
		multiplies float64
	}{
		{"tanh-cnn-cifar", 10, 550570, 38.9},
		{"tanh-cnn-cifar-small", 10, 167642, 7.65},
		{"wrn-16-4", 10, 2753818, 392.6},
		{"wrn-40-4", 10, 8961306, 1298.6},
		{"wrn-28-10", 10, 36500378, 5243},
		{"wrn-28-10", 100, 36558068, 5243},
	}
	for _, tt := range tests {
		d, err := Describe(tt.name, Input{32, 32, 3, tt.classes}, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := float64(d.Multiplies) / 1e6; d.Parameters != tt.parameters || math.Abs(got-tt.multiplies) > 0.5 {
			t.Errorf("%s, %d classes: %d weights and %.1f M multiply-adds; want %d and %v", tt.name, tt.classes, d.Parameters, got, tt.parameters, tt.multiplies)
		}
	}
}

func TestThreadsDoNotChangeBits(t *testing.T) {
	for _, tt := range []struct {
		model      string
		in         Input
		len, views int
	}{
		{"tanh-cnn", mnist, 34, 1}, {"tanh-cnn", mnist, 34, 2}, {"tanh-cnn", mnist, 5, 20},
		{"wrn-16-4", Input{Height: 32, Width: 32, Channels: 3, Classes: 10}, 9, 1},
		{"wrn-16-4", Input{Height: 32, Width: 32, Channels: 3, Classes: 10}, 4, 2},
	} {
		if tt.model == "wrn-16-4" && raceDetector {
			continue
		}
		b := noisyBatch(tt.len, tt.views, 10)
		var first []float32
		var firstStats dpsgd.GradStats
		for _, threads := range []int{1, 2, 7} {
			e := open(t, tt.model, tt.in, threads)
			sum, stats := clippedSum(t, e, perturbed(e, 1), b, 0.7)
			if first == nil {
				first, firstStats = sum, stats
			}
			if !slices.Equal(sum, first) || !slices.Equal(stats.Norms, firstStats.Norms) || !slices.Equal(stats.Losses, firstStats.Losses) {
				t.Errorf("%s, K = %d: %d threads gave other bits than 1", tt.model, tt.views, threads)
			}
		}
	}
}

func TestEvaluateThreadsDoNotChangeBits(t *testing.T) {
	x := dpsgd.Examples{Len: 101, At: func(i int, img []float32) int { noise(i, 0, img); return i % 10 }}
	var first dpsgd.Score
	for _, threads := range []int{1, 2, 7} {
		e := open(t, "tanh-cnn", mnist, threads)
		s, err := e.Evaluate(t.Context(), perturbed(e, 1), x)
		if err != nil {
			t.Fatal(err)
		}
		if threads == 1 {
			first = s
		}
		if s != first {
			t.Errorf("%d threads: %+v, one thread: %+v", threads, s, first)
		}
	}
}

// TestEvaluate compares with the float64 reference.
func TestEvaluate(t *testing.T) {
	e := open(t, "tanh-cnn", mnist, 2)
	w := perturbed(e, 3)
	w64 := make([]float64, len(w))
	for i, v := range w {
		w64[i] = float64(v)
	}
	var want dpsgd.Score
	const n = 37
	for i := range n {
		x, label := image64(mnist, func(img []float32) int { noise(i, 0, img); return i % 10 })
		tape := &tape64{weights: w64, grads: make([]float64, len(w))}
		logits := tanhNetwork(tape, x, 10)
		want.LossSum += tape.crossEntropy(logits, label, 1)
		if logits.v[label] == slices.Max(logits.v) {
			want.Correct++
		}
	}
	got, err := e.Evaluate(t.Context(), w, dpsgd.Examples{Len: n, At: func(i int, img []float32) int { noise(i, 0, img); return i % 10 }})
	if err != nil {
		t.Fatal(err)
	}
	if got.Correct != want.Correct || math.Abs(got.LossSum-want.LossSum) > 1e-5*want.LossSum {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// One example's part of the sum has norm at most 1, so adding or removing it
// moves the sum by at most 1, up to float32 rounding of the sum.
func TestSensitivity(t *testing.T) {
	e := open(t, "tanh-cnn", mnist, 2)
	for seed := range uint64(3) {
		for _, clip := range []float64{1e-3, 1, 1e3} {
			w := perturbed(e, seed)
			b := noisyBatch(40, 1, 10)
			all, stats := clippedSum(t, e, w, b, clip)
			fewer := b
			fewer.Len--
			without, _ := clippedSum(t, e, w, fewer, clip)
			alone, _ := clippedSum(t, e, w, one(b, 39), clip)
			if n := norm(alone); n > 1+1e-6 || math.Abs(n-min(1, stats.Norms[39]/clip)) > 1e-6 {
				t.Errorf("clip %v: one example's part has norm %v, gradient %v", clip, n, stats.Norms[39])
			}
			for i := range all {
				all[i] -= without[i]
			}
			if n := norm(all); n > 1+1e-5 {
				t.Errorf("clip %v: one example moves the sum by %v", clip, n)
			}
		}
	}
}

// With a clip beyond every norm the sum is that of the gradients.
func TestHugeClipIsPlainSum(t *testing.T) {
	e := open(t, "tanh-cnn", mnist, 1)
	w := perturbed(e, 1)
	b := noisyBatch(20, 2, 10)
	const clip = 1e4
	got, _ := clippedSum(t, e, w, b, clip)
	want := make([]float64, len(w))
	for i := range b.Len {
		g, _ := clippedSum(t, e, w, one(b, i), clip)
		for j, v := range g {
			want[j] += float64(v)
		}
	}
	scale := norm(got)
	for j := range want {
		if math.Abs(float64(got[j])-want[j]) > 1e-6*scale {
			t.Fatalf("sum[%d] = %v, want %v", j, got[j], want[j])
		}
	}
}

func TestClippedSumAdds(t *testing.T) {
	e := open(t, "linear", mnist, 1)
	w := perturbed(e, 1)
	once, _ := clippedSum(t, e, w, noisyBatch(3, 1, 10), 1)
	sum := slices.Clone(once)
	if _, err := e.ClippedSum(t.Context(), w, noisyBatch(0, 1, 10), 1, sum); err != nil || !slices.Equal(sum, once) {
		t.Errorf("an empty batch changed the sum, or failed: %v", err)
	}
	if _, err := e.ClippedSum(t.Context(), w, noisyBatch(3, 1, 10), 1, sum); err != nil {
		t.Fatal(err)
	}
	for i := range sum {
		if sum[i] != 2*once[i] {
			t.Fatalf("sum[%d] = %v after two equal batches, %v after one", i, sum[i], once[i])
		}
	}
}

func TestNonFiniteCountsAsZero(t *testing.T) {
	for _, views := range []int{1, 2} {
		checkNonFinite(t, views)
	}
}

func checkNonFinite(t *testing.T, views int) {
	t.Helper()
	e := open(t, "tanh-cnn", mnist, 2)
	w := perturbed(e, 1)
	good := noisyBatch(20, views, 10)
	bad := good
	bad.View = func(i, k int, img []float32) int {
		label := good.View(i, k, img)
		if i == 4 && k == views-1 {
			img[17] = float32(math.NaN())
		}
		return label
	}
	want, _ := clippedSum(t, e, w, good, 1)
	part, _ := clippedSum(t, e, w, one(good, 4), 1)
	got, stats := clippedSum(t, e, w, bad, 1)
	if stats.NonFinite != 1 || stats.Norms[4] != 0 {
		t.Errorf("%d gradients not finite, norm %v; want 1 and 0", stats.NonFinite, stats.Norms[4])
	}
	for i := range got {
		if d := float64(want[i] - part[i] - got[i]); math.Abs(d) > 1e-5 || math.IsNaN(d) {
			t.Fatalf("sum[%d] = %v; the other 19 make %v", i, got[i], want[i]-part[i])
		}
	}
}

func TestCancel(t *testing.T) {
	e := open(t, "tanh-cnn", mnist, 2)
	w := e.Init(1)
	reason := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	b := noisyBatch(1000, 1, 10)
	b.View = func(i, k int, img []float32) int {
		if i == 40 {
			cancel(reason)
		}
		return 0
	}
	if _, err := e.ClippedSum(ctx, w, b, 1, make([]float32, len(w))); !errors.Is(err, reason) {
		t.Errorf("ClippedSum: %v, want %v", err, reason)
	}
	if _, err := e.Evaluate(ctx, w, dpsgd.Examples{Len: 5, At: func(int, []float32) int { return 0 }}); !errors.Is(err, reason) {
		t.Errorf("Evaluate: %v, want %v", err, reason)
	}
}

func TestBadCalls(t *testing.T) {
	e := open(t, "tanh-cnn", mnist, 1)
	w := e.Init(1)
	sum := make([]float32, len(w))
	wrongClass := noisyBatch(3, 1, 10)
	wrongClass.View = func(int, int, []float32) int { return 10 }
	tests := []struct {
		name string
		call func() error
		want string
	}{
		{"weights", func() error { _, err := e.ClippedSum(t.Context(), w[1:], noisyBatch(1, 1, 10), 1, sum); return err }, "26009 weights; tanh-cnn has 26010"},
		{"sum", func() error { _, err := e.ClippedSum(t.Context(), w, noisyBatch(1, 1, 10), 1, sum[1:]); return err }, "sum of 26009 numbers"},
		{"clip", func() error { _, err := e.ClippedSum(t.Context(), w, noisyBatch(1, 1, 10), 0, sum); return err }, "clipping norm 0 is not positive"},
		{"NaN clip", func() error {
			_, err := e.ClippedSum(t.Context(), w, noisyBatch(1, 1, 10), math.NaN(), sum)
			return err
		}, "clipping norm NaN"},
		{"views", func() error { _, err := e.ClippedSum(t.Context(), w, noisyBatch(1, 0, 10), 1, sum); return err }, "0 views"},
		{"class", func() error { _, err := e.ClippedSum(t.Context(), w, wrongClass, 1, sum); return err }, "class 10 is not among the model's 10"},
	}
	for _, tt := range tests {
		if err := tt.call(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q in it", tt.name, err, tt.want)
		}
	}
}

func TestBadModels(t *testing.T) {
	tests := []struct {
		name    string
		in      Input
		threads int
		want    string
	}{
		{"tanh_cnn", mnist, 1, `did you mean "tanh-cnn"? the models are linear, nf-resnet-50, nfnet-f0, nfnet-f1, nfnet-f2, nfnet-f3, tanh-cnn, tanh-cnn-cifar, tanh-cnn-cifar-small, wrn-16-4`},
		{"transformer", mnist, 1, `unknown model "transformer"; the models are linear`},
		{"wrn-17-4", mnist, 1, "6n + 4"},
		{"tanh-cnn", Input{4, 4, 1, 10}, 1, "conv2: window of 4 does not fit in 1 pixels"},
		{"tanh-cnn", Input{0, 4, 1, 10}, 1, "images of 0×4×1"},
		{"tanh-cnn", Input{28, 28, 1, 1}, 1, "1 classes"},
		{"tanh-cnn", mnist, 0, "0 threads"},
	}
	for _, tt := range tests {
		if _, err := New(tt.name, tt.in, tt.threads); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("New(%q, %v, %d): error %v, want %q in it", tt.name, tt.in, tt.threads, err, tt.want)
		}
	}
	if _, err := New("nope", mnist, 1); !errors.Is(err, ErrUnknown) {
		t.Errorf("error %v does not wrap ErrUnknown", err)
	}
}

// A batch sixteen times as long takes no more memory, and no goroutine stays.
func TestMemoryAndGoroutines(t *testing.T) {
	for _, threads := range []int{1, 2} {
		e := open(t, "tanh-cnn", mnist, threads)
		w := e.Init(1)
		sum := make([]float32, len(w))
		used := func(b dpsgd.Batch) uint64 {
			if _, err := e.ClippedSum(t.Context(), w, b, 1, sum); err != nil {
				t.Fatal(err)
			}
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		b := dpsgd.Batch{Len: 64, Views: 1}
		b.View = meetIn(e.chunkSize(b), threads)
		small := used(b)
		goroutines := runtime.NumGoroutine()
		b.Len = 1024
		b.View = meetIn(e.chunkSize(b), threads)
		if large := used(b); large > small+small/10 {
			t.Errorf("%d threads: %d bytes after 64 examples, %d after 1024", threads, small, large)
		}
		if n := runtime.NumGoroutine(); n > goroutines {
			t.Errorf("%d threads: %d goroutines, %d before", threads, n, goroutines)
		}
	}
}

// meetIn is views for which the first threads chunks are begun before any is
// gone on with, so that every thread takes part and has its memory.
func meetIn(chunk, threads int) func(i, k int, img []float32) int {
	var met sync.WaitGroup
	met.Add(threads)
	return func(i, _ int, _ []float32) int {
		if i%chunk == 0 && i/chunk < threads {
			met.Done()
			met.Wait()
		}
		return i % 10
	}
}

// Describe's estimate of memory is what the engine really allocates, within a
// tenth and the graph's own bookkeeping.
func TestDescribeMemory(t *testing.T) {
	in := Input{32, 32, 3, 10}
	const name = "wrn-16-2"
	for _, views := range []int{1, 4} {
		d, err := Describe(name, in, views, 1)
		if err != nil {
			t.Fatal(err)
		}
		heap := func() int64 {
			runtime.GC() // twice, for what has a finalizer
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		before := heap()
		e := open(t, name, in, 1)
		w := e.Init(1)
		clippedSum(t, e, w, noisyBatch(1, views, 10), 1)
		if _, err := e.Evaluate(t.Context(), w, dpsgd.Examples{Len: 1, At: func(int, []float32) int { return 0 }}); err != nil {
			t.Fatal(err)
		}
		got := heap() - before - 4*int64(len(w)) // w itself is the caller's
		if math.Abs(float64(got-d.MemoryBytes)) > 0.1*float64(d.MemoryBytes)+4e6 {
			t.Errorf("K = %d: estimated %d bytes, allocated %d", views, d.MemoryBytes, got)
		}
		runtime.KeepAlive(e)
	}
}
