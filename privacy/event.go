package privacy

import (
	"fmt"
	"math"
)

// An Event is something that was done to the data and whose result was
// released. It holds all that accounting needs and nothing else.
//
// The events of this package are all there are: an accountant must know each
// one, since an unknown event cannot be bounded.
type Event interface {
	// Check complains about values that no mechanism can have.
	Check() error

	kind() string // names the event in its JSON form
}

// DPSGD is T steps of differentially private gradient descent: in each step
// every example enters the batch independently with probability q (Poisson
// sampling), and the sum of clipped gradients is released with Gaussian noise.
// All iterates may be seen. Batches of fixed size, shuffled or capped batches are
// other events.
type DPSGD struct {
	SampleRate float64 `json:"sample_rate"`      // q; [0, 1], and 1 is the full batch
	Noise      float64 `json:"noise_multiplier"` // σ; ≥ 0, and 0 is not private
	Steps      int     `json:"steps"`            // T: updates, not micro-batches; ≥ 0
}

func (DPSGD) kind() string { return "dpsgd" }

// Check complains about values out of range.
func (e DPSGD) Check() error {
	if err := checkRate(e.SampleRate); err != nil {
		return err
	}
	if err := checkNoise(e.Noise); err != nil {
		return err
	}
	return checkCount("steps", e.Steps)
}

// Composed is events one after another on the same data, each of which may
// depend on the results of those before. Their order does not matter.
type Composed []Event

func (Composed) kind() string { return "composed" }

// Check complains about the first part that is wrong.
func (e Composed) Check() error {
	for i, part := range e {
		if part == nil {
			return fmt.Errorf("event %d of a composition is missing", i+1)
		}
		if err := part.Check(); err != nil {
			return fmt.Errorf("event %d of a composition: %w", i+1, err)
		}
	}
	return nil
}

func checkRate(q float64) error {
	if !(q >= 0 && q <= 1) {
		return fmt.Errorf("sample rate %v is not a probability; it is batch size / number of examples", q)
	}
	return nil
}

func checkNoise(σ float64) error {
	if !(σ >= 0) || math.IsInf(σ, 1) {
		return fmt.Errorf("noise multiplier %v must be finite and at least 0; it is the noise's standard deviation over the clipping norm", σ)
	}
	return nil
}

func checkCount(what string, n int) error {
	if n < 0 {
		return fmt.Errorf("%s %d must be at least 0", what, n)
	}
	return nil
}
