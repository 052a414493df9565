package strategy

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// free is a cube of ranges, in which every point can be tried.
func free(dims int) Space {
	return Space{Dims: make([]Dim, dims), Snap: func(p Point) (Point, bool) { return slices.Clone(p), true }}
}

// levels is a space of listed values.
func levels(counts ...int) Space {
	s := Space{Dims: make([]Dim, len(counts))}
	for i, n := range counts {
		s.Dims[i].Levels = n
	}
	s.Snap = func(p Point) (Point, bool) {
		q := make(Point, len(p))
		for i, u := range p {
			n := float64(counts[i])
			q[i] = (math.Floor(min(u*n, n-0.5)) + 0.5) / n
		}
		return q, true
	}
	return s
}

// Expected improvement is the integral that defines it, by Simpson's rule.
func TestExpectedImprovementByQuadrature(t *testing.T) {
	for _, c := range []struct{ μ, σ, best float64 }{{0, 1, 0}, {1, 0.5, 2}, {-1, 2, 1}, {0.7, 0.01, 0.6}, {3, 1, -2}} {
		const n = 20000
		low, high := c.best, c.μ+12*c.σ
		sum := 0.0
		for i := range n + 1 {
			y := low + (high-low)*float64(i)/n
			w := 2.0
			switch {
			case i == 0 || i == n:
				w = 1
			case i%2 == 1:
				w = 4
			}
			sum += w * (y - c.best) * normalPDF((y-c.μ)/c.σ) / c.σ
		}
		want := max(0, sum*(high-low)/n/3)
		if got := expectedImprovement(c.μ, c.σ, c.best); math.Abs(got-want) > 1e-7 {
			t.Errorf("%+v: %g, want %g", c, got, want)
		}
	}
}

// area is the area under a front with one more point, by its definition.
func area(points []step, floor, end float64) float64 {
	xs := []float64{end}
	for _, p := range points {
		xs = append(xs, p.x)
	}
	slices.Sort(xs)
	sum := 0.0
	for i := range len(xs) - 1 {
		top := floor
		for _, p := range points {
			if p.x <= xs[i] {
				top = max(top, p.y)
			}
		}
		if xs[i] < end {
			sum += (min(xs[i+1], end) - xs[i]) * (top - floor)
		}
	}
	return sum
}

// Expected hypervolume improvement against 200,000 draws. The tolerance is six
// standard errors: it fails by chance less than once in 10⁸ runs.
func TestExpectedHypervolumeByMonteCarlo(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 8 {
		var points []step
		for range 6 {
			points = append(points, step{3 * r.Float64(), r.Float64()})
		}
		x, μ, σ := 3*r.Float64(), r.Float64(), 0.3*r.Float64()
		const floor, end, n = 0.1, 3.3, 200_000
		before := area(points, floor, end)
		sum, squares := 0.0, 0.0
		for range n {
			y := max(floor, μ+σ*r.NormFloat64())
			gain := area(append(slices.Clone(points), step{x, y}), floor, end) - before
			sum += gain
			squares += gain * gain
		}
		mean := sum / n
		se := math.Sqrt(max(squares/n-mean*mean, 0) / n)
		if got := frontOf(points, floor, end).expectedImprovement(x, μ, σ); math.Abs(got-mean) > 6*se+1e-12 {
			t.Errorf("front %v, x %g, %g ± %g: %g, drawn %g ± %g", points, x, μ, σ, got, mean, se)
		}
	}
}

// A scrambled Sobol' sequence stays a net: of its first 2^m points in base 2 each
// interval of volume 2^-m along any one axis holds one, and in the first two
// dimensions, a (0, m, 2)-net, each rectangle does.
func TestScrambledSobolIsANet(t *testing.T) {
	for seed := range uint64(20) {
		const m = 8
		s := Sobol{Space: free(6), Trials: 1 << m, Seed: seed}
		asks, done := s.Next(nil, 1<<m)
		if len(asks) != 1<<m || !done {
			t.Fatalf("%d points, done %v", len(asks), done)
		}
		for d := range 6 {
			seen := map[int]bool{}
			for _, a := range asks {
				seen[int(a.At[d]*(1<<m))] = true
			}
			if len(seen) != 1<<m {
				t.Fatalf("seed %d, dimension %d: %d of %d intervals have a point", seed, d, len(seen), 1<<m)
			}
		}
		for k := range m + 1 {
			seen := map[[2]int]bool{}
			for _, a := range asks {
				seen[[2]int{int(a.At[0] * float64(int(1)<<k)), int(a.At[1] * float64(int(1)<<(m-k)))}] = true
			}
			if len(seen) != 1<<m {
				t.Fatalf("seed %d: rectangles of 2^-%d by 2^-%d: %d of %d have a point", seed, k, m-k, len(seen), 1<<m)
			}
		}
	}
}

// Scrambling by different seeds gives each point a uniform place: the mean of
// 4000 is within five standard errors of a half.
func TestScramblingIsUniform(t *testing.T) {
	sum := 0.0
	const n = 4000
	for seed := range uint64(n) {
		next := Sobol{Space: free(1), Seed: seed}.points(1)
		next()
		sum += next()[0]
	}
	if mean := sum / n; math.Abs(mean-0.5) > 5/math.Sqrt(12*n) {
		t.Errorf("mean %g", mean)
	}
}

// Each stratum of each axis holds one point.
func TestLatinHypercubeStratifies(t *testing.T) {
	asks, _ := LatinHypercube{Space: free(4), Trials: 50, Seed: 3}.Next(nil, 50)
	for d := range 4 {
		seen := map[int]bool{}
		for _, a := range asks {
			seen[int(a.At[d]*50)] = true
		}
		if len(asks) != 50 || len(seen) != 50 {
			t.Errorf("dimension %d: %d points in %d strata", d, len(asks), len(seen))
		}
	}
}

// The brackets for a maximum of 81 and a factor of 3 are those of the paper's
// table 1: points and the resource of each rung.
func TestHyperbandHasThePapersTable(t *testing.T) {
	all := Hyperband{Rungs: Rungs{Least: 1.0 / 81, Factor: 3}}.brackets()
	wantPoints, wantFirst := []int{81, 34, 15, 8, 5}, []float64{1, 3, 9, 27, 81}
	if len(all) != 5 {
		t.Fatalf("%d brackets", len(all))
	}
	for i, b := range all {
		if b.points != wantPoints[i] || math.Abs(b.shares[0]*81-wantFirst[i]) > 1e-9 {
			t.Errorf("bracket %d: %d points from %g, want %d from %g", i, b.points, b.shares[0]*81, wantPoints[i], wantFirst[i])
		}
	}
}

// climb answers a strategy by f until it is done, one point at a time.
func climb(t *testing.T, s Strategy, f func(Ask) float64) []Tried {
	t.Helper()
	var tried []Tried
	for range 10_000 {
		asks, done := s.Next(tried, 1)
		if done && len(asks) == 0 {
			return tried
		}
		for _, a := range asks {
			tried = append(tried, Tried{Ask: a, Done: true, Values: []float64{f(a)}})
		}
		if len(asks) == 0 {
			t.Fatal("it waits, and nothing runs")
		}
	}
	t.Fatal("there is no end")
	return nil
}

// bowl is largest, 0, at 0.7 in every coordinate.
func bowl(a Ask) float64 {
	sum := 0.0
	for _, u := range a.At {
		sum -= (u - 0.7) * (u - 0.7)
	}
	return sum
}

// Models find the bottom of a bowl with 60 points, to distances that random
// search reaches with probability below one in a thousand.
func TestModelsFindTheBowl(t *testing.T) {
	for name, c := range map[string]struct {
		s    Strategy
		near float64
	}{
		"tpe": {TPE{Space: free(3), Trials: 60, Seed: 1}, 0.01}, "gp": {GP{Space: free(3), Trials: 30}, 0.001},
		"cma-es": {CMAES{Space: free(3), Trials: 150, Seed: 1}, 0.01},
	} {
		top := math.Inf(-1)
		for _, x := range climb(t, c.s, bowl) {
			top = max(top, x.Values[0])
		}
		if -top > c.near {
			t.Errorf("%s comes within %g of the best, want %g", name, -top, c.near)
		}
	}
}

// A space that is tried to its end is done, and no point comes twice.
func TestExhaustedSpaces(t *testing.T) {
	space := levels(3, 4)
	for name, s := range map[string]Strategy{
		"grid": Grid{space}, "random": Random{space, 100, 1}, "sobol": Sobol{space, 100, 1}, "latin-hypercube": LatinHypercube{space, 100, 1, nil},
		"tpe": TPE{Space: space, Trials: 100, Seed: 1}, "gp": GP{Space: space, Trials: 100}, "tan": TAN{Space: space, Scale: 8, Confirm: 0},
	} {
		tried := climb(t, s, bowl)
		seen := visited{}
		for _, x := range tried {
			if !seen.add(x.At) {
				t.Errorf("%s: %v comes twice", name, x.At)
			}
		}
		if len(tried) != 12 {
			t.Errorf("%s: %d points of 12", name, len(tried))
		}
	}
}

// Failures and trials that still run keep no strategy from going on.
func TestFailuresAndPending(t *testing.T) {
	for name, s := range map[string]Strategy{
		"tpe": TPE{Space: free(2), Trials: 40, Seed: 1}, "gp": GP{Space: free(2), Trials: 25}, "asha": ASHA{free(2), 12, Rungs{0.1, 3}, 1},
	} {
		var tried []Tried
		for i := 0; ; i++ {
			asks, done := s.Next(tried, 3)
			for _, a := range asks {
				tried = append(tried, Tried{Ask: a})
			}
			if done && len(asks) == 0 {
				break
			}
			open := slices.IndexFunc(tried, func(x Tried) bool { return !x.Done })
			if open < 0 {
				if len(asks) == 0 && !done {
					t.Fatalf("%s waits, and nothing runs", name)
				}
				if done {
					break
				}
				continue
			}
			tried[open].Done = true
			if i%4 != 0 {
				tried[open].Values = []float64{bowl(tried[open].Ask)}
			}
		}
		if len(tried) < 12 {
			t.Errorf("%s: %d points", name, len(tried))
		}
	}
}

// Where budgets differ a point is judged by the frontier of the others, so that
// the best of a small epsilon ranks with the best of a large one.
func TestScoresStandOnTheFrontier(t *testing.T) {
	var tried []Tried
	for _, v := range []struct{ budget, value float64 }{{1, 0.5}, {1, 0.3}, {8, 0.9}, {8, 0.45}} {
		tried = append(tried, Tried{Done: true, Values: []float64{v.value}, Budget: v.budget})
	}
	want := []float64{0.2, -0.2, 0.4, -0.45} // 0.45 misses 0.9, the best at its budget
	for i, got := range scores(tried) {
		if math.Abs(got-want[i]) > 1e-12 {
			t.Errorf("score %d is %g, want %g", i, got, want[i])
		}
	}
}

// Where accuracy is best at a product of learning rate and steps that is a line
// over epsilon, as the paper finds it, two small budgets are enough to meet the
// line at any other: here r = 2 + 4ε, read off a grid that has its values.
func TestLinearScalingRecoversAKnownLaw(t *testing.T) {
	epsilons, rates, steps := []float64{1, 4, 8}, []float64{0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08}, []float64{50, 100}
	of := func(values []float64, d int) func(Point) float64 {
		return func(p Point) float64 { return values[int(p[d]*float64(len(values)))] }
	}
	law := func(ε float64) float64 { return 2 + 4*ε }
	s := LinearScaling{
		Space: levels(len(epsilons), len(rates), len(steps)), Low: 0.25, High: 0.5,
		Budget: of(epsilons, 0), LearnRate: of(rates, 1), Steps: of(steps, 2),
	}
	tried := climb(t, s, func(a Ask) float64 {
		ε := a.Set["epsilon"]
		d := math.Log(s.LearnRate(a.At) * s.Steps(a.At) / law(ε))
		return 0.9 - d*d
	})
	if want := 2*len(rates)*len(steps) + len(epsilons); len(tried) != want {
		t.Fatalf("%d trials, want %d", len(tried), want)
	}
	for i, x := range tried[len(tried)-len(epsilons):] {
		if r := x.Set["learning_rate"] * x.Set["steps"]; math.Abs(r-law(epsilons[i])) > 1e-9 {
			t.Errorf("ε = %g: η·T is %g, the law has %g", epsilons[i], r, law(epsilons[i]))
		}
	}
}

// Where stand-ins are noisy, what TAN confirms is nearer to the best than the one
// that measured most: over 60 searches of a bowl with noise of a standard
// deviation of 0.1, of 40 stand-ins each, what it misses is on average below
// nine tenths of what the luckiest misses. If both missed the same on average,
// this would fail; seeds are fixed.
func TestTANChoosesNoLuckyStandIn(t *testing.T) {
	chosen, lucky := 0.0, 0.0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 77))
		s := TAN{Space: levels(9, 5, 5), Trials: 40, Scale: 16, Confirm: 1, Seed: seed}
		tried := climb(t, s, func(a Ask) float64 { return bowl(a) + 0.1*r.NormFloat64() })
		if len(tried) != 41 {
			t.Fatalf("seed %d: %d trials", seed, len(tried))
		}
		for i, x := range tried {
			if (x.Scale > 1) != (i < 40) {
				t.Fatalf("seed %d: trial %d is %+v", seed, i, x.Ask)
			}
		}
		chosen -= bowl(tried[40].Ask)
		lucky -= bowl(slices.MaxFunc(tried[:40], func(a, b Tried) int { return cmp.Compare(a.Values[0], b.Values[0]) }).Ask)
	}
	if chosen > 0.9*lucky {
		t.Errorf("it misses %.3f in all, the luckiest stand-ins %.3f", chosen, lucky)
	}
}

// More points than TAN fits its surface to can be confirmed, each once and the
// failed ones never.
func TestTANConfirmsAsManyAsThereAre(t *testing.T) {
	s := TAN{Space: levels(50, 40), Scale: 8, Confirm: 3000}
	var tried []Tried
	for _, a := range s.cover() {
		x := Tried{Ask: a, Done: true}
		if len(tried)%4 > 0 {
			x.Values = []float64{bowl(a)}
		}
		tried = append(tried, x)
	}
	asks, _ := s.Next(tried, 10_000)
	var seen visited
	for _, a := range asks {
		if a.Scale > 1 || !seen.add(a.At) {
			t.Errorf("%+v is confirmed twice, or is a stand-in", a)
		}
	}
	if len(asks) != 1500 {
		t.Errorf("%d points are confirmed, and 1500 of 2000 have not failed", len(asks))
	}
}
