package stats

import (
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

func near(got, want, tolerance float64) bool { return math.Abs(got-want) <= tolerance }

// The values are scipy 1.17.1's: ttest_ind(b, a, equal_var=False), ttest_rel(b, a)
// and t.interval, and Hedges' g by its gammaln, from the definition.
func TestAgainstScipy(t *testing.T) {
	c, ok := Welch([]float64{.912, .921, .905, .918, .910}, []float64{.926, .931, .919, .935})
	want := Comparison{
		T: 3.2505682430293787, P: 0.016291337325322168, Freedom: 6.298477464223139, D: 1.9560639982403103,
		Difference: .92775 - .9132, Interval: Interval{0.0037218728735708834, 0.02537812712642902},
	}
	if !ok || !alike(c, want) {
		t.Errorf("Welch %+v\n want %+v", c, want)
	}
	c, ok = Paired([]float64{.90, .91, .92, .93}, []float64{.905, .917, .922, .941})
	want = Comparison{
		T: 3.311330892662636, P: 0.045346979554112474, Freedom: 3, D: 1.1980415940941158,
		Difference: .00625, Interval: Interval{0.0002432643239922705, 0.012256735676007685},
	}
	if !ok || !alike(c, want) {
		t.Errorf("Paired %+v\n want %+v", c, want)
	}
	mean, std := MeanStd([]float64{.912, .921, .905})
	if i := MeanInterval(mean, std, 3, 0.95); !near(i.Low, 0.8927418793153009, 1e-9) || !near(i.High, 0.9325914540180328, 1e-9) {
		t.Errorf("interval of a mean %+v", i)
	}
}

// With equal spreads and the freedom of both sets it is Student's two-sample test:
// the values are scipy's ttest_ind(b, a) (equal_var=True).
func TestWithSpread(t *testing.T) {
	a, b := []float64{.912, .921, .905, .918, .910}, []float64{.926, .931, .919, .935}
	std, freedom := math.Sqrt((4*stat.Variance(a, nil)+3*stat.Variance(b, nil))/7), 7
	c, ok := WithSpread(.92775-.9132, std, freedom, len(a), len(b))
	if !ok || !near(c.T, 3.282952600598688, 1e-9) || !near(c.P, 0.013432292518858463, 1e-9) || c.Freedom != 7 || !near(c.D, c.Difference/std*0.8882029076727513, 1e-12) {
		t.Errorf("%+v", c)
	}
	if _, ok := WithSpread(1, 0, 3, 1, 1); ok {
		t.Error("it compares by no spread")
	}
}

func alike(a, b Comparison) bool {
	const ε = 1e-7 // gonum's quantile of t is a root search
	return near(a.T, b.T, ε) && near(a.P, b.P, ε) && near(a.Freedom, b.Freedom, ε) && near(a.D, b.D, ε) && near(a.Difference, b.Difference, ε) &&
		near(a.Interval.Low, b.Interval.Low, ε) && near(a.Interval.High, b.Interval.High, ε)
}

// Holm's procedure is Bonferroni's test closed: an hypothesis is rejected when
// every intersection that it is part of is (Marcus, Peritz, Gabriel 1976). So its
// p is the highest, over all sets of hypotheses with it, of the set's Bonferroni p.
func TestHolm(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	for range 50 {
		p := make([]float64, 1+random.IntN(6))
		for i := range p {
			p[i] = math.Round(random.Float64()*20) / 100 // with ties
		}
		got := Holm(p)
		for i := range p {
			want := 0.0
			for set := range 1 << len(p) {
				if set&(1<<i) == 0 {
					continue
				}
				n, least := 0.0, 1.0
				for j := range p {
					if set&(1<<j) != 0 {
						n, least = n+1, min(least, p[j])
					}
				}
				want = max(want, min(1, n*least))
			}
			if !near(got[i], want, 1e-12) {
				t.Fatalf("of %v: %v at %d, want %v", p, got[i], i, want)
			}
		}
	}
}

func TestTooFewToCompare(t *testing.T) {
	if _, ok := Welch([]float64{1}, []float64{1, 2}); ok {
		t.Error("Welch compares one measurement")
	}
	if _, ok := Welch([]float64{1, 1}, []float64{2, 2}); ok {
		t.Error("Welch compares where nothing varies")
	}
	if c, ok := Paired([]float64{1, 1}, []float64{2, 2.5}); !ok || !math.IsNaN(c.D) {
		t.Errorf("two pairs have an effect size of %v, which nothing corrects", c.D)
	}
	if _, ok := Paired([]float64{1}, []float64{2}); ok {
		t.Error("Paired compares one pair")
	}
	if _, ok := PooledInterval(0.9, 1, []float64{0.1, 0.2, 0.3}, 0.95, 1); ok {
		t.Error("PooledInterval knows a spread from three residuals")
	}
}

// Of 1,500 sweeps of 20 points with 2 repeats, the interval of a point's mean
// holds the truth in about 95 percent: with 40 residuals it is a little narrow,
// and 1,500 draws leave a standard error of 0.6 percent.
func TestPooledIntervalCovers(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	const sweeps = 1500
	covered := 0
	for s := range sweeps {
		groups := make([][]float64, 20)
		for i := range groups {
			groups[i] = []float64{0.9 + 0.01*random.NormFloat64(), 0.9 + 0.01*random.NormFloat64()}
		}
		mean, _ := MeanStd(groups[0])
		i, ok := PooledInterval(mean, 2, Residuals(groups), 0.95, uint64(s))
		if ok && i.Low <= 0.9 && 0.9 <= i.High {
			covered++
		}
	}
	if share := float64(covered) / sweeps; share < 0.92 || share > 0.97 {
		t.Errorf("95 %% intervals hold the truth in %.1f %%", 100*share)
	}
}

// Two means with normal errors: the better one is better with probability
// Φ(Δ/√(s₁²+s₂²)), and with a common spread known from ν degrees of freedom with
// that of Student's t. 40,000 draws have a standard error of 0.0025: four of them
// fail once in 16,000 runs, and the seed is fixed.
func TestChances(t *testing.T) {
	const draws, tolerance = 40_000, 0.01
	z := 0.01 / math.Hypot(0.01, 0.02)
	for freedom, better := range map[int]float64{0: distuv.UnitNormal.CDF(z), 1: distuv.StudentsT{Sigma: 1, Nu: 1}.CDF(z), 3: distuv.StudentsT{Sigma: 1, Nu: 3}.CDF(z)} {
		got := Chances([]Estimate{{1, 0.90, 0.01}, {2, 0.5, 0.1}, {1, 0.91, 0.02}}, freedom, draws, 1)
		if !near(got[0].Best, 1-better, tolerance) || !near(got[2].Best, better, tolerance) || !near(got[1].Best, 1, 1e-9) {
			t.Errorf("%d degrees of freedom: %v, want %v 1 %v", freedom, got, 1-better, better)
		}
		got = Chances([]Estimate{{2, 0.91, 0.01}, {1, 0.90, 0.02}, {math.Inf(1), 0.1, 0}}, freedom, draws, 1)
		if !near(got[0].Frontier, better, tolerance) || !near(got[1].Frontier, 1, 1e-9) || got[2].Frontier > 1e-3 && freedom != 1 || !near(got[2].Best, 1, 1e-9) {
			t.Errorf("%d degrees of freedom: %v, want %v 1 0 on the frontier", freedom, got, better)
		}
	}
	// Of three points of one epsilon with known spreads, one leads with the probability
	// ∫ φ(x) Φ(x+d)² dx (its rivals lie d below), here by the midpoint rule.
	want := 0.0
	for x := -8.0; x < 8; x += 0.001 {
		want += 0.001 * distuv.UnitNormal.Prob(x+0.0005) * math.Pow(distuv.UnitNormal.CDF(x+0.0005+1), 2)
	}
	if got := Chances([]Estimate{{1, 0.91, 0.01}, {1, 0.90, 0.01}, {1, 0.90, 0.01}}, 0, draws, 1)[0]; !near(got.Best, want, tolerance) || got.Frontier != got.Best {
		t.Errorf("of three %v, want %v", got, want)
	}
}

// Against the midpoint rule.
func TestHypervolume(t *testing.T) {
	points := []Estimate{{Epsilon: 8, Mean: 0.9}, {Epsilon: 1, Mean: 0.6}, {Epsilon: 2, Mean: 0.5}, {Epsilon: 3, Mean: 0.8}, {Epsilon: math.Inf(1), Mean: 0.99}}
	for _, r := range [][2]float64{{0.5, 10}, {1, 8}, {2.5, 4}, {10, 20}} {
		const cells = 200_000
		step, want := math.Log(r[1]/r[0])/cells, 0.0
		for i := range cells {
			ε, top := r[0]*math.Exp((float64(i)+0.5)*step), 0.0
			for _, p := range points {
				if p.Epsilon <= ε {
					top = max(top, p.Mean)
				}
			}
			want += top * step
		}
		if got := Hypervolume(points, r[0], r[1]); !near(got, want, 1e-4) {
			t.Errorf("from %v to %v: %v, want %v", r[0], r[1], got, want)
		}
	}
}

// grid is every combination of values.
func grid(values [][]float64) (rows [][]float64) {
	rows = [][]float64{nil}
	for _, v := range values {
		var longer [][]float64
		for _, row := range rows {
			for _, x := range v {
				longer = append(longer, append(slices.Clone(row), x))
			}
		}
		rows = longer
	}
	return rows
}

// The variance and main effects of a tree, from its leaves, are those of all its
// predictions on the grid.
func TestMarginalsOfATree(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	values := [][]float64{{1, 2, 4, 8}, {0, 1, 2}, {0.1, 0.5, 1, 2, 3}}
	rows := grid(values)
	y := make([]float64, len(rows))
	for i := range y {
		y[i] = random.Float64()
	}
	f, _ := Grow(rows, y, 5)
	for _, one := range f.trees[:5] {
		mean, total := 0.0, 0.0
		for _, row := range rows {
			mean += one.predict(row) / float64(len(rows))
		}
		effects := make([]float64, len(values))
		for j, v := range values {
			for _, x := range v {
				sum, n := 0.0, 0.0
				for _, row := range rows {
					if row[j] == x {
						sum, n = sum+one.predict(row), n+1
					}
				}
				effects[j] += (sum/n - mean) * (sum/n - mean) / float64(len(v))
			}
		}
		for _, row := range rows {
			total += (one.predict(row) - mean) * (one.predict(row) - mean) / float64(len(rows))
		}
		m := newMarginals(one, values)
		if !near(m.variance(), total, 1e-12) {
			t.Errorf("variance %v, want %v", m.variance(), total)
		}
		for j := range values {
			if !near(m.mainEffect(j), effects[j], 1e-12) {
				t.Errorf("main effect of input %d: %v, want %v", j, m.mainEffect(j), effects[j])
			}
		}
	}
}

// y = a + 2·b, and c says nothing: on a grid of equal steps the shares are
// Var(a) : 4·Var(b), here 1 : 4. A forest's bootstrap and its random choice of inputs blur them.
func TestImportances(t *testing.T) {
	values := [][]float64{{0, 1, 2, 3, 4, 5}, {0, 1, 2, 3, 4, 5}, {0, 1, 2, 3}}
	rows := grid(values)
	y := make([]float64, len(rows))
	for i, row := range rows {
		y[i] = row[0] + 2*row[1]
	}
	f, grown := Grow(rows, y, 1)
	got, ok := f.Importances(values)
	if !grown || !ok || !near(got[0], 0.2, 0.05) || !near(got[1], 0.8, 0.05) || got[2] > 0.01 {
		t.Errorf("shares %v, want near 0.2 0.8 0", got)
	}
	rises, ok := f.PermutationImportances(1)
	if !ok || rises[1] < 1 || rises[0] < 0.2 || rises[0] > rises[1] || math.Abs(rises[2]) > 0.05 {
		t.Errorf("rises of the error %v, want the second above the first, and nothing of the third", rises)
	}
	if _, ok := Grow(rows[:9], y[:9], 1); ok {
		t.Error("nine samples are enough")
	}
	flat, _ := Grow(rows, make([]float64, len(rows)), 1)
	if _, ok := flat.Importances(values); ok {
		t.Error("something explains what does not vary")
	}
	if _, ok := flat.PermutationImportances(1); ok {
		t.Error("shuffling matters to what does not vary")
	}
}

// However many cores grow it, a forest is the same one.
func TestForestIsOne(t *testing.T) {
	rows := grid([][]float64{{0, 1, 2, 3, 4, 5}, {0, 1, 2, 3, 4, 5}})
	y := make([]float64, len(rows))
	for i, row := range rows {
		y[i] = math.Sin(row[0]) * row[1]
	}
	together, _ := Grow(rows, y, 1)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	alone, _ := Grow(rows, y, 1)
	if !reflect.DeepEqual(together, alone) {
		t.Error("one core grows another forest than several")
	}
}

// What two inputs do only together is no main effect of either.
func TestInteractionIsNoMainEffect(t *testing.T) {
	values := [][]float64{{0, 1}, {0, 1}, {0, 1, 2, 3, 4}}
	rows := slices.Repeat(grid(values), 4)
	y := make([]float64, len(rows))
	for i, row := range rows {
		y[i] = math.Abs(row[0] - row[1])
	}
	f, _ := Grow(rows, y, 1)
	got, ok := f.Importances(values)
	if !ok || got[0] > 0.15 || got[1] > 0.15 || got[2] > 0.05 {
		t.Errorf("shares %v, want little", got)
	}
}
