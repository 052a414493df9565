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

// CalibrateNoise returns the smallest σ of seven significant digits with which
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

// Noise returns the smallest noise multiplier σ of seven significant digits, from
// 0.001 to 1e6, that keeps steps steps at sampleRate within the target.
func (c Calibration) Noise(sampleRate float64, steps int) (float64, error) {
	if err := c.check(DPSGD{sampleRate, 1, steps}); err != nil {
		return math.NaN(), fmt.Errorf("calibrate noise: %w", err)
	}
	return c.NoiseOf(func(σ float64) Event { return DPSGD{sampleRate, σ, steps} })
}

// NoiseOf is [Calibration.Noise] for any event that depends on a noise multiplier
// and costs no more the larger that is.
func (c Calibration) NoiseOf(event func(sigma float64) Event) (float64, error) {
	guess, stride := 1.0, pastDecimal
	if e, ok := event(guess).(DPSGD); ok {
		guess = guessNoise(c.Target, e.SampleRate, e.Steps)
	}
	if near, slope, ok := c.nearNoise(event, guess); ok {
		if σ, ok := c.quickNoise(event, near, slope); ok {
			return σ, nil
		}
		guess, stride = near, pastDecimal/20
	}
	most := decimalIndex(mostNoise)
	i, err := c.largest(most-decimalIndex(leastNoise), most-decimalIndex(guess), stride, func(i int) Event {
		return event(decimalAt(most - i))
	})
	if err != nil {
		return math.NaN(), fmt.Errorf("calibrate noise: %w", err)
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
	if err := c.check(DPSGD{sampleRate, sigma, 1}); err != nil {
		return 0, fmt.Errorf("calibrate steps: %w", err)
	}
	return c.StepsOf(func(steps int) Event { return DPSGD{sampleRate, sigma, steps} })
}

// StepsOf is [Calibration.Steps] for any event that is made of steps.
func (c Calibration) StepsOf(event func(steps int) Event) (int, error) {
	i, err := c.largest(mostSteps-1, 999, 1024, func(i int) Event { return event(i + 1) })
	if err != nil {
		return 0, fmt.Errorf("calibrate steps: %w", err)
	}
	return i + 1, nil
}

// Batch returns the largest expected Poisson batch out of examples examples that
// keeps steps steps with noise multiplier sigma within the target.
func (c Calibration) Batch(examples int, sigma float64, steps int) (int, error) {
	if examples < 1 {
		return 0, fmt.Errorf("calibrate batch: %d examples; there must be at least 1", examples)
	}
	rate := func(batch int) float64 { return float64(batch) / float64(examples) }
	if err := c.check(DPSGD{rate(1), sigma, steps}); err != nil {
		return 0, fmt.Errorf("calibrate batch: %w", err)
	}
	return c.BatchOf(examples, func(batch int) Event { return DPSGD{rate(batch), sigma, steps} })
}

// BatchOf is [Calibration.Batch] for any event that depends on a batch of 1 to
// examples examples and costs no less the larger that is.
func (c Calibration) BatchOf(examples int, event func(batch int) Event) (int, error) {
	i, err := c.largest(examples-1, examples/20, 1024, func(i int) Event { return event(i + 1) })
	if err != nil {
		return 0, fmt.Errorf("calibrate batch: %w", err)
	}
	return i + 1, nil
}

// SampleRate returns the largest sampling rate of seven significant digits, from
// 1e-9 to 1, that keeps steps steps with noise multiplier sigma within the target.
func (c Calibration) SampleRate(sigma float64, steps int) (float64, error) {
	if err := c.check(DPSGD{1, sigma, steps}); err != nil {
		return math.NaN(), fmt.Errorf("calibrate sample rate: %w", err)
	}
	return c.SampleRateOf(func(q float64) Event { return DPSGD{q, sigma, steps} })
}

// SampleRateOf is [Calibration.SampleRate] for any event that depends on a
// sampling rate and costs no less the larger that is.
func (c Calibration) SampleRateOf(event func(rate float64) Event) (float64, error) {
	least := decimalIndex(1e-9)
	i, err := c.largest(-least, decimalIndex(0.01)-least, pastDecimal, func(i int) Event { return event(decimalAt(least + i)) })
	if err != nil {
		return math.NaN(), fmt.Errorf("calibrate sample rate: %w", err)
	}
	return decimalAt(least + i), nil
}

// largest returns the largest i in [0, n] whose event is within the target.
func (c Calibration) largest(n, guess, stride int, event func(i int) Event) (int, error) {
	if err := c.Target.Check(); err != nil {
		return 0, err
	}
	i, err := largestWithin(c.Target.Epsilon, n, guess, stride, func(i int) (float64, error) { return c.cost(event(i)) })
	if err == nil && i < 0 {
		err = c.infeasible(event(0))
	}
	return i, err
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
	return c.Accountant.EpsilonOf(c.question(e), c.Target.Delta)
}

// question is of what was spent and e together.
func (c Calibration) question(e Event) Question {
	if c.Spent != nil {
		e = Composed{c.Spent, e}
	}
	return Question{Event: e, Relation: c.Relation}
}

// infeasible says what the cheapest thing that could be done would cost.
func (c Calibration) infeasible(least Event) error {
	cost, err := c.cost(least)
	if err != nil {
		return err
	}
	after := ""
	if c.Spent != nil {
		after = " after what was spent"
	}
	return fmt.Errorf("%w: epsilon %v at delta %v, but %s%s costs epsilon %s by %s",
		ErrInfeasible, c.Target.Epsilon, c.Target.Delta, describe(least), after, FormatEpsilon(cost, 4), c.Accountant)
}

// describe names an event to a person.
func describe(e Event) string {
	if e, ok := e.(DPSGD); ok {
		steps := "one step"
		if e.Steps != 1 {
			steps = fmt.Sprintf("%d steps", e.Steps)
		}
		return fmt.Sprintf("%s with sample rate %v and noise multiplier %v", steps, e.SampleRate, e.Noise)
	}
	form, err := MarshalEvent(e)
	if err != nil {
		return "the least"
	}
	return string(form)
}
