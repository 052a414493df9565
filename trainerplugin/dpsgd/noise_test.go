package dpsgd

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"sweep"
)

// Statistical tests run on fixed keys and so always end alike. Each bound is
// such that a right generator under a random key would pass it with a chance of
// at least 1 - 1e-6: 4.9 standard deviations where the law is near normal.
const fewSigma = 4.9

func zeroSecret() secret { return keepSecret(make([]byte, secretSize)) }

func testNoise(step, n int) []float64 {
	z := make([]float64, n)
	newGenerator(zeroSecret().key(forNoise, step)).fillNoise(0, z)
	return z
}

func TestNoiseMoments(t *testing.T) {
	z := testNoise(1, 1<<17)
	n := float64(len(z))
	// Of a standard normal number: E z^k and the variance of z^k, for k = 1 … 4.
	mean, variance := [...]float64{0, 1, 0, 3}, [...]float64{1, 2, 15, 96}
	var sum [4]float64
	for _, x := range z {
		power := 1.0
		for k := range sum {
			power *= x
			sum[k] += power
		}
	}
	for k := range sum {
		if off := (sum[k]/n - mean[k]) / math.Sqrt(variance[k]/n); math.Abs(off) > fewSigma {
			t.Errorf("moment %d is %v, %.1f standard errors from %v", k+1, sum[k]/n, off, mean[k])
		}
	}
}

// Kolmogorov and Smirnov: √n·sup|F_n - Φ| exceeds x with probability about
// 2 exp(-2x²), which is 1e-6 at x = 2.7.
func TestNoiseDistribution(t *testing.T) {
	z := testNoise(2, 1<<16)
	slices.Sort(z)
	n, worst := float64(len(z)), 0.0
	for i, x := range z {
		phi := math.Erfc(-x/math.Sqrt2) / 2
		worst = max(worst, phi-float64(i)/n, float64(i+1)/n-phi)
	}
	if stat := worst * math.Sqrt(n); stat > 2.7 {
		t.Errorf("Kolmogorov-Smirnov statistic %v", stat)
	}
}

func TestNoiseTails(t *testing.T) {
	z := testNoise(3, 1<<18)
	n := float64(len(z))
	for _, limit := range []float64{1, 2, 3, 3.5} {
		beyond := 0.0
		for _, x := range z {
			if math.Abs(x) > limit {
				beyond++
			}
		}
		p := math.Erfc(limit / math.Sqrt2)
		// 5.5: the law of 122 expected counts beyond 3.5 is skewed.
		if off := (beyond - n*p) / math.Sqrt(n*p*(1-p)); math.Abs(off) > 5.5 {
			t.Errorf("%v of %v beyond %v, %.1f standard deviations from %.0f", beyond, n, limit, off, n*p)
		}
	}
}

// The smallest u is 2^-65, so each of the four reaches √(2·65·ln 2) = 9.49.
func TestNoiseReachesFar(t *testing.T) {
	even, odd := normalPair(make([]byte, 64))
	if want := 2 * math.Sqrt(2*65*math.Ln2); math.Abs(even-want) > 1e-12 || odd != 0 {
		t.Errorf("least uniforms give %v and %v, want %v and 0", even, odd, want)
	}
}

// Sums of products of independent standard normal numbers have variance n.
func TestNoiseIndependence(t *testing.T) {
	const n = 1 << 16
	z, next := testNoise(4, n), testNoise(5, n)
	correlated := func(name string, a, b []float64) {
		var sum float64
		for i := range a {
			sum += a[i] * b[i]
		}
		if off := sum / math.Sqrt(float64(len(a))); math.Abs(off) > fewSigma {
			t.Errorf("%s: correlation of %.1f standard errors", name, off)
		}
	}
	correlated("steps 4 and 5", z, next)
	for _, lag := range []int{1, 2, 3, 4, 512, 1024} {
		correlated("coordinates apart", z[lag:], z[:n-lag])
	}
	squares := func(x []float64) []float64 { // standardised: E (z²-1)² = 2
		y := make([]float64, len(x))
		for i, v := range x {
			y[i] = (v*v - 1) / math.Sqrt2
		}
		return y
	}
	correlated("squares of steps", squares(z), squares(next))
	correlated("squares of neighbours", squares(z[1:]), squares(z[:n-1]))
}

// A coordinate depends on its number alone, wherever a piece begins or ends.
func TestNoiseInPieces(t *testing.T) {
	whole := testNoise(6, 5000)
	g := newGenerator(zeroSecret().key(forNoise, 6))
	for _, piece := range []struct{ lo, hi int }{{0, 1}, {0, 2}, {2, 3}, {1024, 2048}, {4096, 4999}} {
		z := make([]float64, piece.hi-piece.lo)
		g.fillNoise(piece.lo, z)
		if !slices.Equal(z, whole[piece.lo:piece.hi]) {
			t.Errorf("coordinates %d to %d differ from those of the whole", piece.lo, piece.hi)
		}
	}
}

// Weights that fill many chunks, updated by different numbers of threads.
func TestUpdateIsTheSameOnAnyThreads(t *testing.T) {
	const n = 10*chunk + 7
	p := sweep.Params{Batch: 10, Noise: 2, LearnRate: 0.5, EMA: 0.1, Optimizer: sweep.Adam, Beta1: 0.9, Beta2: 0.99, AdamEps: 1e-8}
	var want *state
	for _, threads := range []int{1, 2, 7, 100} {
		sum := make([]float32, n)
		s := &state{weights: make([]float32, n), ema: make([]float64, n), moments: newMoments(p, n)}
		for j := range sum {
			sum[j], s.weights[j] = float32(j%17)/17, float32(j%13)/13
		}
		if !newUpdate(p, 1, threads).apply(sum, s, newGenerator(zeroSecret().key(forNoise, 1))) {
			t.Fatal("not finite")
		}
		if want == nil {
			want = s
		}
		if !reflect.DeepEqual(s, want) {
			t.Errorf("%d threads differ from 1", threads)
		}
	}
}

func BenchmarkNoise(b *testing.B) {
	z := make([]float64, chunk)
	g := newGenerator(make([]byte, 32))
	for b.Loop() {
		g.fillNoise(0, z)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/chunk, "ns/coordinate")
}

// An update of WRN-16-4's 2.75 million weights.
func BenchmarkUpdate(b *testing.B) {
	const n = 2753818
	for name, p := range map[string]sweep.Params{
		"sgd":  {},
		"adam": {Optimizer: sweep.Adam, Beta1: 0.9, Beta2: 0.999, AdamEps: 1e-8},
	} {
		b.Run(name, func(b *testing.B) {
			p.Batch, p.Noise, p.LearnRate, p.EMA = 4096, 3, 4, 0.999
			s := &state{weights: make([]float32, n), ema: make([]float64, n), moments: newMoments(p, n)}
			sum := make([]float32, n)
			for b.Loop() {
				newUpdate(p, 1, 2).apply(sum, s, newGenerator(make([]byte, 32)))
			}
		})
	}
}
