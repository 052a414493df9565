package dpsgd

import (
	"encoding/binary"
	"math"
	"testing"
)

// scripted is a stream of chosen words, and of zeros after them.
type scripted []uint64

func (s *scripted) XORKeyStream(dst, src []byte) {
	for i := 0; i < len(dst); i += 8 {
		var next uint64
		if len(*s) > 0 {
			next, *s = (*s)[0], (*s)[1:]
		}
		binary.LittleEndian.PutUint64(dst[i:], next)
	}
}

func script(list ...uint64) *words {
	w := &words{stream: (*scripted)(&list)}
	w.next = len(w.buf)
	return w
}

// Lane number u of 64 is given the uniform number u/64, digit by digit. The
// lanes that enter must be exactly those with u/64 < num/den, which integers
// can tell without division.
func TestBernoulliComparesExactly(t *testing.T) {
	var digits [6]uint64
	for d := range digits {
		for u := range 64 {
			digits[d] |= uint64(u>>(5-d)&1) << u
		}
	}
	for _, den := range []uint64{1, 2, 3, 5, 7, 12, 31, 32, 33, 63, 64, 65, 97, 128, 200} {
		for num := uint64(1); num <= den; num++ {
			in := bernoulli64(num, den, script(digits[:]...))
			for u := range uint64(64) {
				if got, want := in>>u&1 == 1, u*den < num*64; got != want {
					t.Fatalf("%d/64 below %d/%d: got %v", u, num, den, got)
				}
			}
		}
	}
}

func TestPoissonBatchOfAll(t *testing.T) {
	w := newGenerator(make([]byte, 32)).words()
	for _, n := range []int{1, 63, 64, 65, 1000} {
		batch := poissonBatch(n, n, w)
		for i, member := range batch {
			if i != member {
				t.Fatalf("n = %d: member %d is %d", n, i, member)
			}
		}
		if len(batch) != n {
			t.Errorf("n = %d: %d members at rate 1", n, len(batch))
		}
	}
}

// Over many batches: their sizes have the mean and variance of the binomial law,
// every example and every pair of examples enters as often as it should. The
// batches are keyed step by step, as in training. Bounds as in noise_test.go.
func TestPoissonBatchDistribution(t *testing.T) {
	const n, batch, draws = 130, 13, 8000
	q := float64(batch) / n
	var sum, squares float64
	var single [n]float64
	var pair [n][n]float64
	for step := range draws {
		key := zeroSecret().key(forSampling, step)
		members := poissonBatch(n, batch, newGenerator(key).words())
		size := float64(len(members))
		sum += size
		squares += (size - batch) * (size - batch)
		for a, i := range members {
			single[i]++
			for _, j := range members[a+1:] {
				pair[i][j]++
			}
		}
	}
	near := func(got, mean, variance, limit float64, of ...any) {
		if off := (got - draws*mean) / math.Sqrt(draws*variance); math.Abs(off) > limit {
			t.Errorf("%v: %v, %.1f standard deviations from %v", of, got, off, draws*mean)
		}
	}
	v := n * q * (1 - q)
	near(sum, batch, v, fewSigma, "sum of sizes")
	// Variance of (X-μ)² for a binomial X: μ4 - v², μ4 = 3v² + v(1 - 6q(1-q)).
	near(squares, v, 2*v*v+v*(1-6*q*(1-q)), fewSigma, "sum of squared deviations")
	// 130 examples and 8385 pairs share a chance of 1e-6, the pairs with the
	// skew of 80 expected counts: 6 and 8 standard deviations.
	for i := range n {
		near(single[i], q, q*(1-q), 6, "example", i)
		for j := i + 1; j < n; j++ {
			near(pair[i][j], q*q, q*q*(1-q*q), 8, "pair", i, j)
		}
	}
}

// What enters at one step says nothing of the next.
func TestPoissonBatchesAreIndependent(t *testing.T) {
	const n, batch, draws = 1000, 100, 1000
	again, before := 0.0, map[int]bool{}
	for step := range draws {
		key := zeroSecret().key(forSampling, step)
		now := map[int]bool{}
		for _, i := range poissonBatch(n, batch, newGenerator(key).words()) {
			now[i] = true
			if before[i] {
				again++
			}
		}
		before = now
	}
	// Each of 999·1000 chances is 0.01; neighbours in a chain are correlated
	// by less than 20 %, which 1.2 allows for.
	mean := 999 * 1000 * 0.01
	if off := (again - mean) / math.Sqrt(1.2*mean*0.99); math.Abs(off) > fewSigma {
		t.Errorf("%v examples came twice in a row, %.1f standard deviations from %v", again, off, mean)
	}
}

func BenchmarkPoissonBatch(b *testing.B) {
	for _, size := range []struct {
		name     string
		n, batch int
	}{
		{"mnist", 60000, 512},
		{"cifar10", 50000, 4096},
		{"imagenet", 1281167, 16384},
		{"rare", 1281167, 16},
	} {
		b.Run(size.name, func(b *testing.B) {
			g := newGenerator(make([]byte, 32))
			for b.Loop() {
				poissonBatch(size.n, size.batch, g.words())
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size.n), "ns/example")
		})
	}
}
