package privacy

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestCalibrateNoiseIsSmallest(t *testing.T) {
	for _, c := range []struct {
		q     float64
		steps int
		ε     float64
	}{
		{4096. / 50000, 875, 1}, {4096. / 50000, 2468, 8}, {16384. / 50000, 2000, 8}, {256. / 50000, 10000, 3},
		{0.01, 1, 8}, {1, 100, 1}, {0.001, 10, 100}, {0.1, 1000, 0.01}, {1, 1, 0.0001},
	} {
		σ, err := CalibrateNoise(RDP, Budget{c.ε, 1e-5}, c.q, c.steps)
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		if ε, _ := RDP.Epsilon(DPSGD{c.q, σ, c.steps}, 1e-5); ε > c.ε {
			t.Errorf("%+v: σ %v costs %v", c, σ, ε)
		}
		if σ != RoundUp(σ, 7) {
			t.Errorf("%+v: σ %v has more than seven digits", c, σ)
		}
		below := RoundDown(σ*(1-1e-9), 7)
		if ε, _ := RDP.Epsilon(DPSGD{c.q, below, c.steps}, 1e-5); ε <= c.ε {
			t.Errorf("%+v: σ %v suffices, but %v was chosen", c, below, σ)
		}
	}
}

// The paper's schedule: 9.8896 is what the reference implementation's RDP
// needs at B = 4096, T = 875, ε = 1; with finer orders a little less suffices.
func TestCalibrateNoiseAgainstPaper(t *testing.T) {
	σ, err := CalibrateNoise(RDP, Budget{1, 1e-5}, 4096./50000, 875)
	if err != nil || σ > 9.8896 || σ < 9.87 {
		t.Errorf("σ = %v, %v; want a little below 9.8896", σ, err)
	}
}

func TestCalibrateStepsIsLargest(t *testing.T) {
	for _, c := range []struct{ q, σ, ε float64 }{
		{4096. / 50000, 10, 1}, {16384. / 50000, 40, 1}, {1, 5, 3}, {1e-4, 1, 2}, {0.5, 1, 40},
	} {
		n, err := CalibrateSteps(RDP, Budget{c.ε, 1e-5}, c.q, c.σ)
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		if ε, _ := RDP.Epsilon(DPSGD{c.q, c.σ, n}, 1e-5); ε > c.ε {
			t.Errorf("%+v: %d steps cost %v", c, n, ε)
		}
		if ε, _ := RDP.Epsilon(DPSGD{c.q, c.σ, n + 1}, 1e-5); ε <= c.ε {
			t.Errorf("%+v: one more than %d steps costs only %v", c, n, ε)
		}
	}
}

// dp_accounting searches up to 2^30 steps in such a case, for minutes.
func TestPitfallInfeasibleTargetAnswersAtOnce(t *testing.T) {
	_, err := CalibrateSteps(RDP, Budget{1, 1e-5}, 0.1, 0.5)
	if !errors.Is(err, ErrInfeasible) || !strings.Contains(err.Error(), "one step with sample rate 0.1 and noise multiplier 0.5 costs epsilon") {
		t.Errorf("steps: error %v, want what one step costs", err)
	}
	_, err = CalibrateNoise(RDP, Budget{1e-7, 1e-12}, 0.5, 100)
	if !errors.Is(err, ErrInfeasible) {
		t.Errorf("noise: error %v, want ErrInfeasible", err)
	}
	spent := Calibration{RDP, Budget{1, 1e-5}, AddRemove, DPSGD{1, 1, 1}}
	if _, err := spent.Noise(0.01, 10); !errors.Is(err, ErrInfeasible) || !strings.Contains(err.Error(), "after what was spent") {
		t.Errorf("after spending: error %v, want that said", err)
	}
}

func TestCalibrationCountsWhatWasSpent(t *testing.T) {
	before := DPSGD{0.05, 2, 500}
	c := Calibration{Accountant: RDP, Target: Budget{3, 1e-5}, Spent: before}
	σ, err := c.Noise(0.05, 500)
	if err != nil {
		t.Fatal(err)
	}
	if ε, _ := RDP.Epsilon(Composed{before, DPSGD{0.05, σ, 500}}, 1e-5); ε > 3 || ε < 2.99 {
		t.Errorf("both phases cost %v, want just below 3", ε)
	}
}

func TestCalibrateRefuses(t *testing.T) {
	for _, c := range []struct {
		budget Budget
		q      float64
		steps  int
	}{{Budget{-1, 1e-5}, 0.1, 1}, {Budget{1, 1}, 0.1, 1}, {Budget{1, 1e-5}, 1.5, 1}, {Budget{1, 1e-5}, 0.1, 0}, {Budget{1, 1e-5}, 0, 1}, {Budget{math.NaN(), 1e-5}, 0.1, 1}} {
		σ, err := CalibrateNoise(RDP, c.budget, c.q, c.steps)
		if err == nil || errors.Is(err, ErrInfeasible) {
			t.Errorf("%+v: σ = %v, %v; want a complaint about the input", c, σ, err)
		}
	}
	if _, err := CalibrateNoise("moments", Budget{1, 1e-5}, 0.1, 1); err == nil || errors.Is(err, ErrInfeasible) {
		t.Errorf("unknown accountant: %v", err)
	}
}

// The sigma and steps that tight accounting allows, against what RDP would
// (accounting.md, section 2): 9.1190 instead of 9.8896, and 1068 instead of 908.
func TestCalibrateByExact(t *testing.T) {
	σ, err := CalibrateNoise(Exact, Budget{1, 1e-5}, 4096./50000, 875)
	near(t, "σ", σ, err, 9.1190, 1e-4)
	steps, err := CalibrateSteps(Exact, Budget{1, 1e-5}, 16384./50000, 40)
	near(t, "steps", float64(steps), err, 1068, 0)
	steps, err = CalibrateSteps(Certified, Budget{8, 8e-7}, 16384./1281167, 2.5)
	near(t, "steps on ImageNet", float64(steps), err, 81065, 0)
}

// jax_privacy returns a σ of ε = 1.000115 and 909 steps for these.
func TestPitfallCalibrationDoesNotOvershoot(t *testing.T) {
	for _, a := range []Accountant{Certified, Exact, RDP, PLD} {
		c := Calibration{Accountant: a, Target: Budget{1, 1e-5}}
		within := func(what string, e DPSGD, err error) {
			t.Helper()
			ε, err2 := a.Epsilon(e, 1e-5)
			if err != nil || err2 != nil || ε > 1 || ε < 0.99 {
				t.Errorf("%s: %s %+v costs %v; %v, %v", a, what, e, ε, err, err2)
			}
		}
		σ, err := c.Noise(4096./50000, 875)
		within("noise", DPSGD{4096. / 50000, σ, 875}, err)
		steps, err := c.Steps(4096./50000, 10)
		within("steps", DPSGD{4096. / 50000, 10, steps}, err)
		batch, err := c.Batch(50000, 10, 875)
		within("batch", DPSGD{float64(batch) / 50000, 10, 875}, err)
		q, err := c.SampleRate(10, 875)
		within("sample rate", DPSGD{q, 10, 875}, err)
		if a == RDP && batch < 4142 { // what RDP of coarser orders allows
			t.Errorf("rdp allows a batch of %d", batch)
		}
	}
	// accounting.md, section 2: 4496 by exact accounting.
	batch, err := Calibration{Accountant: Exact, Target: Budget{1, 1e-5}}.Batch(50000, 10, 875)
	near(t, "batch", float64(batch), err, 4496, 1)
}

// What is calibrated need not be Poisson batches: full batches are one Gaussian
// release, of which the closed form is known, and fixed sizes go by RDP.
func TestCalibrateOtherEvents(t *testing.T) {
	c := Calibration{Accountant: Certified, Target: Budget{2, 1e-5}}
	σ, err := c.NoiseOf(func(σ float64) Event { return Gaussian{σ, 10} })
	if err != nil {
		t.Fatal(err)
	}
	if δ := gaussianDelta(σ/math.Sqrt(10), 2); δ > 1e-5 || δ < 0.99e-5 {
		t.Errorf("σ = %v has δ(2) = %v, want just below 1e-5", σ, δ)
	}
	n, err := c.StepsOf(func(n int) Event { return Gaussian{20, n} })
	if err != nil || gaussianDelta(20/math.Sqrt(float64(n)), 2) > 1e-5 || gaussianDelta(20/math.Sqrt(float64(n+1)), 2) <= 1e-5 {
		t.Errorf("%d releases, %v; want the most that stay within", n, err)
	}
	c.Relation = ReplaceOne
	cost := func(batch int) float64 {
		ε, err := RDP.EpsilonOf(Question{Event: FixedSize{60000, batch, 5, 500}, Relation: ReplaceOne}, 1e-5)
		if err != nil {
			t.Fatal(err)
		}
		return ε
	}
	batch, err := c.BatchOf(60000, func(b int) Event { return FixedSize{60000, b, 5, 500} })
	if err != nil || cost(batch) > 2 || cost(batch+1) <= 2 {
		t.Errorf("batch %d, %v costs %v; want the largest within", batch, err, cost(batch))
	}
	q, err := c.SampleRateOf(func(q float64) Event { return Subset{q, Gaussian{1, 1}} })
	if err == nil {
		t.Errorf("rate %v of a subset that replaces, which nobody prices", q)
	}
	_, err = c.StepsOf(func(n int) Event { return Gaussian{0.1, n} })
	if !errors.Is(err, ErrInfeasible) || !strings.Contains(err.Error(), `but {"type":"gaussian","noise_multiplier":0.1,"count":1} costs`) {
		t.Errorf("error %v, want what the least costs", err)
	}
}

func ExampleCalibrateNoise() {
	σ, err := CalibrateNoise(RDP, Budget{Epsilon: 8, Delta: 1e-5}, 16384./50000, 2000)
	fmt.Println(σ, err)
	// Output: 9.390075 <nil>
}

// The two terms at the saddle point against the whole integral, for schedules as
// they are trained.
func TestNearEpsilonIsNear(t *testing.T) {
	for _, e := range []DPSGD{{0.05, 2, 500}, {0.1, 5, 2000}, {0.3, 20, 300}, {1, 60, 400}, {0.02, 1, 3000}} {
		ds, err := directions(Question{Event: e})
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := ds[0].nearEpsilon(math.Log(1e-5), 0)
		want, err2 := Exact.Epsilon(e, 1e-5)
		if err != nil || err2 != nil || math.Abs(got/want-1) > 2e-4 {
			t.Errorf("%+v: ε near %v, %v; exactly %v, %v", e, got, err, want, err2)
		}
	}
}

// Most answers are read off a line through two prices, and the decimal below them
// is never priced. It costs too much all the same, whatever the schedule and
// wherever the search starts.
func TestCalibrateNoiseByALineIsSmallest(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	quick := 0
	for range 12 {
		c := Calibration{Accountant: Certified, Target: Budget{math.Exp(3*r.Float64() - 1), 1e-5}}
		q, steps := math.Exp(-4*r.Float64()), 100+r.IntN(3000)
		event := func(σ float64) Event { return DPSGD{q, σ, steps} }
		σ, err := c.NoiseOf(event)
		if err != nil {
			t.Fatal(err)
		}
		i := decimalIndex(σ)
		at, err1 := c.cost(event(decimalAt(i)))
		below, err2 := c.cost(event(decimalAt(i - 1)))
		if err1 != nil || err2 != nil || at > c.Target.Epsilon || below <= c.Target.Epsilon {
			t.Errorf("ε %v, q %v, T %d: σ %v costs %v (%v), and the decimal below %v (%v)", c.Target.Epsilon, q, steps, σ, at, err1, below, err2)
		}
		if near, slope, ok := c.nearNoise(event, 1); ok {
			if again, ok := c.quickNoise(event, near, slope); ok {
				quick++
				if again != σ {
					t.Errorf("ε %v, q %v, T %d: σ %v from afar, %v by the line", c.Target.Epsilon, q, steps, σ, again)
				}
			}
		}
	}
	if quick < 9 {
		t.Errorf("%d of 12 by a line", quick)
	}
}

// The noise of a hundred schedules, as a large grid asks for it, and by the
// search that brackets from the central limit theorem's guess, as it is made
// where no line can be drawn.
func BenchmarkCalibrateGrid(b *testing.B) {
	for name, find := range map[string]func(c Calibration, q float64, steps int) error{
		"line": func(c Calibration, q float64, steps int) error {
			_, err := c.Noise(q, steps)
			return err
		},
		"bracket": func(c Calibration, q float64, steps int) error {
			most := decimalIndex(mostNoise)
			_, err := c.largest(most-decimalIndex(leastNoise), most-decimalIndex(guessNoise(c.Target, q, steps)), pastDecimal, func(i int) Event {
				return DPSGD{q, decimalAt(most - i), steps}
			})
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				for _, ε := range []float64{0.5, 1, 2, 4, 8} {
					for _, batch := range []float64{256, 512, 1024, 2048, 4096} {
						for _, steps := range []int{500, 1000, 2000, 4000} {
							if err := find(Calibration{Accountant: Certified, Target: Budget{ε, 1e-5}}, batch/50000, steps); err != nil {
								b.Fatal(err)
							}
						}
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N)/100, "ms/schedule")
		})
	}
}

// The settings of the calibration table in accounting.md, section 2.
func BenchmarkCalibrateNoise(b *testing.B) {
	for _, c := range []struct {
		name   string
		q      float64
		steps  int
		budget Budget
	}{
		{"B4096_T875_e1", 4096. / 50000, 875, Budget{1, 1e-5}},
		{"B4096_T2468_e8", 4096. / 50000, 2468, Budget{8, 1e-5}},
		{"B16384_T2000_e8", 16384. / 50000, 2000, Budget{8, 1e-5}},
		{"B256_T10000_e3", 256. / 50000, 10000, Budget{3, 1e-5}},
		{"ImageNet_T71589_e8", 16384. / 1281167, 71589, Budget{8, 8e-7}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				CalibrateNoise(Exact, c.budget, c.q, c.steps)
			}
		})
	}
}

func BenchmarkCalibrateNoiseRDP(b *testing.B) {
	for b.Loop() {
		CalibrateNoise(RDP, Budget{1, 1e-5}, 4096./50000, 875)
	}
}
