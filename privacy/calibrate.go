package privacy

import (
	"fmt"
	"math"
)

// A Calibration finds the DP-SGD parameter that just meets a budget. Answers
// are rounded to the private side and checked again as rounded, so that the
// event with the answer in it is within the target by the same accountant.
type Calibration struct {
	Accountant Accountant
	Target     Budget
	Relation   Relation // "" is [AddRemove]
	Spent      Event    // what was released before from the same data; nil is nothing
}

// CalibrateNoise returns the smallest σ of five significant digits with which
// steps steps at sampleRate stay within target. A target that no noise reaches
// is an error wrapping [ErrInfeasible].
func CalibrateNoise(a Accountant, target Budget, sampleRate float64, steps int) (sigma float64, err error) {
	return Calibration{Accountant: a, Target: target}.Noise(sampleRate, steps)
}

// CalibrateSteps returns the largest number of steps at sampleRate and noise
// multiplier sigma that stays within target. If not even one step does, the
// error wraps [ErrInfeasible] and says what one step costs.
func CalibrateSteps(a Accountant, target Budget, sampleRate, sigma float64) (int, error) {
	return Calibration{Accountant: a, Target: target}.Steps(sampleRate, sigma)
}

const (
	leastNoise = 1e-3 // below it ε exceeds 500,000 for a full batch
	mostNoise  = 1e6
	mostSteps  = 1 << 40
)

// Noise returns the smallest noise multiplier σ of five significant digits, from
// 0.001 to 1e6, that keeps steps steps at sampleRate within the target.
func (c Calibration) Noise(sampleRate float64, steps int) (float64, error) {
	event := func(σ float64) DPSGD { return DPSGD{sampleRate, σ, steps} }
	if err := c.check(event(1)); err != nil {
		return math.NaN(), fmt.Errorf("calibrate noise: %w", err)
	}
	most := decimalIndex(mostNoise)
	cost := func(i int) (float64, error) { return c.cost(event(decimalAt(most - i))) }
	guess := most - decimalIndex(guessNoise(c.Target, sampleRate, steps))
	i, err := largestWithin(c.Target.Epsilon, most-decimalIndex(leastNoise), guess, cost)
	if err != nil {
		return math.NaN(), fmt.Errorf("calibrate noise: %w", err)
	}
	if i < 0 {
		return math.NaN(), fmt.Errorf("calibrate noise: %w", c.infeasible(DPSGD{sampleRate, mostNoise, steps}))
	}
	return decimalAt(most - i), nil
}

// guessNoise is the noise by the central limit theorem (Bu, Dong, Long, Su 2019,
// arXiv:1911.11607): all steps together are like one Gaussian release with
// μ = q·√(T·(exp(1/σ²) - 1)). It is only where the search starts.
func guessNoise(b Budget, q float64, steps int) float64 {
	l := 2 * math.Log(1/max(b.Delta, 1e-300))
	μ := math.Sqrt(l+2*b.Epsilon) - math.Sqrt(l)
	σ := 1 / math.Sqrt(math.Log1p(μ*μ/(q*q*float64(steps))))
	return min(max(σ, leastNoise), mostNoise)
}

// Steps returns the largest number of steps at sampleRate and noise multiplier
// sigma that stays within the target, at most 2^40.
func (c Calibration) Steps(sampleRate, sigma float64) (int, error) {
	one := DPSGD{sampleRate, sigma, 1}
	if err := c.check(one); err != nil {
		return 0, fmt.Errorf("calibrate steps: %w", err)
	}
	cost := func(i int) (float64, error) { return c.cost(DPSGD{sampleRate, sigma, i + 1}) }
	i, err := largestWithin(c.Target.Epsilon, mostSteps-1, 999, cost)
	if err != nil {
		return 0, fmt.Errorf("calibrate steps: %w", err)
	}
	if i < 0 {
		return 0, fmt.Errorf("calibrate steps: %w", c.infeasible(one))
	}
	return i + 1, nil
}

// Batch returns the largest expected Poisson batch out of examples examples that
// keeps steps steps with noise multiplier sigma within the target.
func (c Calibration) Batch(examples int, sigma float64, steps int) (int, error) {
	if examples < 1 {
		return 0, fmt.Errorf("calibrate batch: %d examples; there must be at least 1", examples)
	}
	event := func(batch int) DPSGD { return DPSGD{float64(batch) / float64(examples), sigma, steps} }
	if err := c.check(event(1)); err != nil {
		return 0, fmt.Errorf("calibrate batch: %w", err)
	}
	cost := func(i int) (float64, error) { return c.cost(event(i + 1)) }
	i, err := largestWithin(c.Target.Epsilon, examples-1, examples/20, cost)
	if err != nil {
		return 0, fmt.Errorf("calibrate batch: %w", err)
	}
	if i < 0 {
		return 0, fmt.Errorf("calibrate batch: %w", c.infeasible(event(1)))
	}
	return i + 1, nil
}

// SampleRate returns the largest sampling rate of five significant digits, from
// 1e-9 to 1, that keeps steps steps with noise multiplier sigma within the target.
func (c Calibration) SampleRate(sigma float64, steps int) (float64, error) {
	least := decimalIndex(1e-9)
	event := func(i int) DPSGD { return DPSGD{decimalAt(least + i), sigma, steps} }
	if err := c.check(event(0)); err != nil {
		return math.NaN(), fmt.Errorf("calibrate sample rate: %w", err)
	}
	cost := func(i int) (float64, error) { return c.cost(event(i)) }
	i, err := largestWithin(c.Target.Epsilon, -least, decimalIndex(0.01)-least, cost)
	if err != nil {
		return math.NaN(), fmt.Errorf("calibrate sample rate: %w", err)
	}
	if i < 0 {
		return math.NaN(), fmt.Errorf("calibrate sample rate: %w", c.infeasible(event(0)))
	}
	return decimalAt(least + i), nil
}

func (c Calibration) check(e DPSGD) error {
	if err := c.Target.Check(); err != nil {
		return err
	}
	if err := e.Check(); err != nil {
		return err
	}
	if e.SampleRate == 0 || e.Steps == 0 {
		return fmt.Errorf("sample rate %v and %d steps touch no data; there is nothing to calibrate", e.SampleRate, e.Steps)
	}
	return nil
}

// cost is the ε of what was spent and e together.
func (c Calibration) cost(e Event) (float64, error) {
	if c.Spent != nil {
		e = Composed{c.Spent, e}
	}
	return c.Accountant.EpsilonOf(Question{Event: e, Relation: c.Relation}, c.Target.Delta)
}

// infeasible says what the cheapest thing that could be done would cost.
func (c Calibration) infeasible(one DPSGD) error {
	cost, err := c.cost(one)
	if err != nil {
		return err
	}
	after := ""
	if c.Spent != nil {
		after = " after what was spent"
	}
	steps := "one step"
	if one.Steps != 1 {
		steps = fmt.Sprintf("%d steps", one.Steps)
	}
	return fmt.Errorf("%w: epsilon %v at delta %v, but %s with sample rate %v and noise multiplier %v%s costs epsilon %s by %s",
		ErrInfeasible, c.Target.Epsilon, c.Target.Delta, steps, one.SampleRate, one.Noise, after, FormatEpsilon(cost, 4), c.Accountant)
}

// largestWithin returns the largest i in [0, n] whose cost is at most target,
// where cost does not fall in i; -1 if cost(0) is above it. It brackets the
// answer from guess outwards and closes in by false position on ln cost with
// the Illinois weights, for every evaluation may take milliseconds.
func largestWithin(target float64, n, guess int, cost func(int) (float64, error)) (int, error) {
	var err error
	excess := func(i int) float64 { // ln(cost/target), finite so that it can be interpolated
		c, e := cost(i)
		if e != nil {
			err = e
			return 0
		}
		return math.Log(min(max(c, 1e-300), 1e300)) - math.Log(max(target, 1e-300))
	}
	lo, hi := -1, n+1 // within, above
	var atLo, atHi float64
	for step, i := 1024, min(max(guess, 0), n); err == nil; step *= 4 {
		if x := excess(i); x <= 0 {
			lo, atLo = i, x
		} else {
			hi, atHi = i, x
		}
		if lo == n || hi == 0 || (lo >= 0 && hi <= n) {
			break
		}
		if hi > n {
			i = min(i+step, n)
		} else {
			i = max(i-step, 0)
		}
	}
	for side := 0; hi-lo > 1 && hi != 0 && err == nil; {
		at := float64(lo) + float64(hi-lo)*atLo/(atLo-atHi)
		i := min(max(int(math.Round(at)), lo+1), hi-1)
		if x := excess(i); x <= 0 {
			lo, atLo = i, x
			if side == -1 {
				atHi /= 2
			}
			side = -1
		} else {
			hi, atHi = i, x
			if side == 1 {
				atLo /= 2
			}
			side = 1
		}
	}
	return lo, err
}

// Decimals of five significant digits are numbered in rising order, 90,000 to
// each power of ten, so that they can be searched like integers.
const perDecade = 90_000

// decimalAt is the decimal with the given number; number 0 is 1.0000.
func decimalAt(index int) float64 {
	e := int(math.Floor(float64(index) / perDecade))
	return decimal(int64(index-e*perDecade+perDecade/9), e-4)
}

// decimalIndex is the number of the decimal nearest to x.
func decimalIndex(x float64) int {
	e := int(math.Floor(math.Log10(x)))
	return e*perDecade + int(math.Round(x*math.Pow10(4-e))) - perDecade/9
}
