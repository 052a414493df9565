package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"sweep/privacy"
)

// A phase is a part of what an account is asked about, in the words of people
// who train: what is missing is nil. It is also the JSON form of `--cases`.
type phase struct {
	Sampling string          `json:"sampling,omitempty"` // one of samplings; "" is poisson
	Q        *float64        `json:"q,omitempty"`        // sampling rate, or batch and n
	Batch    *whole          `json:"batch,omitempty"`    // expected for poisson, in examples
	N        *whole          `json:"n,omitempty"`        // examples trained on
	Sigma    *float64        `json:"sigma,omitempty"`    // noise over clipping norm
	Steps    *whole          `json:"steps,omitempty"`
	Epochs   *float64        `json:"epochs,omitempty"`   // instead of steps
	Truncate *whole          `json:"truncate,omitempty"` // largest batch of truncated_poisson
	Event    json.RawMessage `json:"event,omitempty"`    // an event as the record stores it, instead of all this
}

const (
	poissonSampling = "poisson"
	noSampling      = "none"
	fixedSize       = "fixed_size_wor"
	truncated       = "truncated_poisson"
	shuffled        = "shuffled"
)

var samplings = []string{poissonSampling, noSampling, fixedSize, truncated, shuffled}

// A whole number may be written as 1e4 or 100.0, as programs do.
type whole int

func (w *whole) UnmarshalJSON(data []byte) error {
	var x float64
	if err := json.Unmarshal(data, &x); err != nil {
		return err
	}
	if x != math.Trunc(x) || math.Abs(x) > 1<<53 {
		return fmt.Errorf("%s is no whole number", data)
	}
	*w = whole(x)
	return nil
}

// event is what p did, as accountants know it.
func (p phase) event() (privacy.Event, error) {
	if len(p.Event) > 0 {
		return p.stored()
	}
	if p.Sigma == nil {
		return nil, fmt.Errorf("sigma is missing: the noise's standard deviation over the clipping norm")
	}
	if p.Truncate != nil && p.Sampling != truncated {
		return nil, fmt.Errorf("truncate is for sampling %s", truncated)
	}
	switch p.Sampling {
	case "", poissonSampling:
		return p.poisson()
	case noSampling:
		return p.fullBatches()
	case fixedSize:
		return p.fixed()
	case truncated:
		return p.truncated()
	case shuffled:
		return p.shuffled()
	}
	return nil, fmt.Errorf("unknown sampling %q; known are %s", p.Sampling, strings.Join(samplings, ", "))
}

func (p phase) stored() (privacy.Event, error) {
	rest := p
	rest.Event = nil
	if form, err := json.Marshal(rest); err != nil || string(form) != "{}" {
		return nil, fmt.Errorf("an event says all; next to it %s has no place", form)
	}
	return privacy.UnmarshalEvent(p.Event)
}

func (p phase) poisson() (privacy.Event, error) {
	q, err := p.rate()
	if err != nil {
		return nil, err
	}
	steps, err := p.steps(q)
	return privacy.DPSGD{SampleRate: q, Noise: *p.Sigma, Steps: steps}, err
}

func (p phase) fullBatches() (privacy.Event, error) {
	if p.Q != nil || p.Batch != nil {
		if q, err := p.rate(); err != nil || q != 1 {
			return nil, fmt.Errorf("with sampling %s every example takes part in every step; for batches use %s with epochs, or %s",
				noSampling, shuffled, poissonSampling)
		}
	}
	steps, err := p.steps(1)
	return privacy.Gaussian{Noise: *p.Sigma, Count: steps}, err
}

func (p phase) fixed() (privacy.Event, error) {
	q, err := p.rate()
	if err != nil {
		return nil, err
	}
	steps, err := p.steps(q)
	e := privacy.FixedSize{Noise: *p.Sigma, Steps: steps}
	if p.Batch != nil {
		e.Examples, e.Batch = int(*p.N), int(*p.Batch)
	} else { // the rate is all that counts; it is rounded up
		const parts = 1e15
		e.Examples, e.Batch = parts, int(math.Ceil(q*parts))
	}
	return e, err
}

func (p phase) truncated() (privacy.Event, error) {
	if p.N == nil || p.Truncate == nil {
		return nil, fmt.Errorf("sampling %s needs n, the examples, and truncate, the largest batch", truncated)
	}
	q, err := p.rate()
	if err != nil {
		return nil, err
	}
	steps, err := p.steps(q)
	return privacy.TruncatedPoisson{
		SampleRate: q, Noise: *p.Sigma, Steps: steps, Examples: int(*p.N), MaxBatch: int(*p.Truncate),
	}, err
}

// shuffled counts epochs, and a part of one for a whole one.
func (p phase) shuffled() (privacy.Event, error) {
	epochs := p.Epochs
	if epochs == nil {
		q, err := p.rate()
		if err != nil || p.Steps == nil {
			return nil, fmt.Errorf("sampling %s needs epochs, or batch, n and steps", shuffled)
		}
		made := q * float64(*p.Steps)
		epochs = &made
	}
	if !(*epochs >= 0 && *epochs < 1e15) {
		return nil, fmt.Errorf("%v epochs; there must be at least 0", *epochs)
	}
	return privacy.Shuffled{Noise: *p.Sigma, Epochs: int(math.Ceil(*epochs - 1e-9))}, nil
}

// rate is the sampling rate.
func (p phase) rate() (float64, error) {
	switch {
	case p.Q != nil && p.Batch != nil:
		return 0, fmt.Errorf("give q, or batch and n, but not both")
	case p.Q != nil:
		return *p.Q, nil
	case p.N != nil && p.Batch != nil:
		if *p.N < 1 || *p.Batch < 1 || *p.Batch > *p.N {
			return 0, fmt.Errorf("batch %d of n %d: a batch holds at least one example and at most all", *p.Batch, *p.N)
		}
		return float64(*p.Batch) / float64(*p.N), nil
	}
	return 0, fmt.Errorf("the sampling rate is missing: batch and n, or q")
}

func (p phase) steps(q float64) (int, error) {
	switch {
	case p.Steps != nil && p.Epochs != nil:
		return 0, fmt.Errorf("give steps or epochs, but not both")
	case p.Steps != nil:
		return int(*p.Steps), nil
	case p.Epochs == nil:
		return 0, fmt.Errorf("steps is missing: the updates made")
	case !(*p.Epochs >= 0) || !(q > 0):
		return 0, fmt.Errorf("%v epochs at a sampling rate of %v are no number of steps", *p.Epochs, q)
	}
	return privacy.StepsForEpochs(*p.Epochs, q), nil
}
