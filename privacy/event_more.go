package privacy

import (
	"fmt"
	"math"
)

// Gaussian is count releases of a statistic with Gaussian noise, each of
// sensitivity 1 to adding or removing one unit: a full-batch step, for one.
type Gaussian struct {
	Noise float64 `json:"noise_multiplier"` // σ: standard deviation over sensitivity; ≥ 0
	Count int     `json:"count"`            // ≥ 0
}

func (Gaussian) kind() string { return "gaussian" }

// Check complains about values out of range.
func (e Gaussian) Check() error {
	if err := checkNoise(e.Noise); err != nil {
		return err
	}
	return checkCount("count", e.Count)
}

// FixedSize is T steps of DP-SGD whose batches are drawn without replacement,
// always of the same size. Its privacy is known for neighbours that replace one
// example, who moves the sum by up to twice the clipping norm.
type FixedSize struct {
	Examples int     `json:"examples"`         // n ≥ 1
	Batch    int     `json:"batch_size"`       // b; 1 to n
	Noise    float64 `json:"noise_multiplier"` // σ over the clipping norm, not twice it; ≥ 0
	Steps    int     `json:"steps"`            // T ≥ 0
}

func (FixedSize) kind() string { return "fixed_size" }

// rate is the chance that an example is in a batch.
func (e FixedSize) rate() float64 { return float64(e.Batch) / float64(e.Examples) }

// Check complains about values out of range.
func (e FixedSize) Check() error {
	if e.Examples < 1 || e.Batch < 1 || e.Batch > e.Examples {
		return fmt.Errorf("batches of %d out of %d examples cannot be drawn without replacement", e.Batch, e.Examples)
	}
	if err := checkNoise(e.Noise); err != nil {
		return err
	}
	return checkCount("steps", e.Steps)
}

// TruncatedPoisson is [DPSGD] whose batches have a largest size: of a batch
// that came out larger, MaxBatch examples are kept at random. Any cap on the
// physical batch is this. Near the mean it destroys the guarantee, for then
// one example pushes out another; some six deviations above it costs nothing.
type TruncatedPoisson struct {
	SampleRate float64 `json:"sample_rate"`      // q; [0, 1]
	Noise      float64 `json:"noise_multiplier"` // σ; ≥ 0
	Steps      int     `json:"steps"`            // T ≥ 0
	Examples   int     `json:"examples"`         // n ≥ 1, the unit in question included
	MaxBatch   int     `json:"max_batch_size"`   // ≥ 1
}

func (TruncatedPoisson) kind() string { return "truncated_poisson" }

// Check complains about values out of range.
func (e TruncatedPoisson) Check() error {
	if err := (DPSGD{e.SampleRate, e.Noise, e.Steps}).Check(); err != nil {
		return err
	}
	if e.Examples < 1 || e.MaxBatch < 1 {
		return fmt.Errorf("%d examples with batches up to %d; both must be at least 1", e.Examples, e.MaxBatch)
	}
	return nil
}

// Shuffled is DP-SGD over shuffled or otherwise fixed batches in which every
// example takes part once an epoch. No amplification is claimed, for none as
// strong as Poisson sampling's exists (Chua et al. 2024, arXiv:2403.17673): it costs what as many full batches do. A
// unit that is added or removed leaves or fills an empty place in its batch.
type Shuffled struct {
	Noise  float64 `json:"noise_multiplier"` // σ; ≥ 0
	Epochs int     `json:"epochs"`           // ≥ 0; round up a part of one
}

func (Shuffled) kind() string { return "shuffled" }

// Check complains about values out of range.
func (e Shuffled) Check() error {
	if err := checkNoise(e.Noise); err != nil {
		return err
	}
	return checkCount("epochs", e.Epochs)
}

// Laplace is count releases with Laplace noise.
type Laplace struct {
	Scale float64 `json:"scale"` // b: the noise's scale over the sensitivity to adding or removing one unit; > 0
	Count int     `json:"count"` // ≥ 0
}

func (Laplace) kind() string { return "laplace" }

// Check complains about values out of range.
func (e Laplace) Check() error {
	if !(e.Scale > 0) || math.IsInf(e.Scale, 1) {
		return fmt.Errorf("scale %v of Laplace noise must be finite and above 0; it is in units of the sensitivity", e.Scale)
	}
	return checkCount("count", e.Count)
}

// RandomizedResponse is count answers of one unit among some options: the truth,
// but with the probability Random an option drawn uniformly. Neighbours replace
// the unit's answer.
type RandomizedResponse struct {
	Random  float64 `json:"random"`  // (0, 1]; 0 would not be private
	Options int     `json:"options"` // k ≥ 2
	Count   int     `json:"count"`   // ≥ 0
}

func (RandomizedResponse) kind() string { return "randomized_response" }

// Check complains about values out of range.
func (e RandomizedResponse) Check() error {
	if !(e.Random > 0 && e.Random <= 1) {
		return fmt.Errorf("chance %v of a random answer must be above 0 and at most 1", e.Random)
	}
	if e.Options < 2 {
		return fmt.Errorf("an answer among %d options says nothing; there must be at least 2", e.Options)
	}
	return checkCount("count", e.Count)
}
