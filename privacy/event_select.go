package privacy

import (
	"encoding/json"
	"fmt"
	"math"
)

// A RunCount is the distribution of the random number K of runs of a [Select].
type RunCount string

const (
	// Logarithmic: K ≥ 1 with Pr[K=k] ∝ (1-γ)^k/k, mean (1/γ-1)/ln(1/γ).
	Logarithmic RunCount = "logarithmic"
	// Geometric: K ≥ 1 with Pr[K=k] = γ(1-γ)^(k-1), mean 1/γ.
	Geometric RunCount = "geometric"
	// NegativeBinomial: truncated to K ≥ 1, of shape η > -1; logarithmic is η = 0 and
	// geometric η = 1.
	NegativeBinomial RunCount = "truncated_negative_binomial"
	// Poisson: K may be 0, and then something fixed is released.
	Poisson RunCount = "poisson"
)

// Select is private selection: K runs, each with hyper-parameters drawn
// independently from the same distribution, of which only the best by a score
// that is part of each run's output is released. K must have been drawn before
// the first run and is not released. A fixed grid, a fixed number of runs, or a
// search that looks at earlier runs does not qualify.
type Select struct {
	Run   Event    // what one run does
	Count RunCount // distribution of K
	Mean  float64  // E[K] ≥ 1
	Shape float64  // η, of [NegativeBinomial] only; > -1
}

func (Select) kind() string { return "select" }

// Check complains about values out of range.
func (e Select) Check() error {
	if e.Run == nil {
		return fmt.Errorf("selection among runs of nothing")
	}
	switch e.Count {
	case Logarithmic, Geometric, Poisson:
		if e.Shape != 0 {
			return fmt.Errorf("shape %v belongs to the count %s only", e.Shape, NegativeBinomial)
		}
	case NegativeBinomial:
		if !(e.Shape > -1) || math.IsInf(e.Shape, 1) {
			return fmt.Errorf("shape %v must be finite and above -1", e.Shape)
		}
	default:
		return fmt.Errorf("unknown distribution %q of the number of runs; known are %s, %s, %s, %s",
			e.Count, Logarithmic, Geometric, NegativeBinomial, Poisson)
	}
	if !(e.Mean >= 1) || math.IsInf(e.Mean, 1) {
		return fmt.Errorf("mean number of runs %v must be finite and at least 1", e.Mean)
	}
	return e.Run.Check()
}

// shape is η of the truncated negative binomial that the count is.
func (e Select) shape() float64 {
	if e.Count == Geometric {
		return 1
	}
	return e.Shape
}

// stopping is γ in (0, 1], from the mean (Papernot, Steinke 2022,
// arXiv:2110.03620, Definition 1).
func (e Select) stopping() float64 {
	η := e.shape()
	lo, hi := -700.0, 0.0 // ln γ
	for range 100 {
		mid := (lo + hi) / 2
		if countMean(η, mid) > e.Mean {
			lo = mid
		} else {
			hi = mid
		}
	}
	return math.Exp(lo)
}

// countMean is the mean of the truncated negative binomial of shape η at ln γ:
// η(1-γ)/(γ(1-γ^η)), and (1/γ-1)/ln(1/γ) for η = 0.
func countMean(η, logγ float64) float64 {
	if logγ == 0 {
		return 1
	}
	up := math.Expm1(-logγ) // (1-γ)/γ
	if η == 0 {
		return up / -logγ
	}
	return η * up / -math.Expm1(η*logγ)
}

type wireSelect struct {
	Run   json.RawMessage `json:"run"`
	Count RunCount        `json:"count"`
	Mean  float64         `json:"mean"`
	Shape float64         `json:"shape,omitempty"`
}

func decodeSelect(body []byte) (Event, error) {
	var w wireSelect
	if err := strictly(body, &w); err != nil {
		return nil, err
	}
	run, err := UnmarshalEvent(w.Run)
	return Select{run, w.Count, w.Mean, w.Shape}, err
}

// Subset is an event that sees only a Poisson sample of the data, drawn once:
// hyper-parameters tuned on a subset, for one.
type Subset struct {
	Rate  float64 // chance that a unit is in the subset; [0, 1]
	Event Event   // what was done to the subset
}

func (Subset) kind() string { return "subset" }

// Check complains about values out of range.
func (e Subset) Check() error {
	if e.Event == nil {
		return fmt.Errorf("a subset that nothing was done to")
	}
	if !(e.Rate >= 0 && e.Rate <= 1) {
		return fmt.Errorf("rate %v of a subset is not a probability", e.Rate)
	}
	return e.Event.Check()
}

type wireSubset struct {
	Rate  float64         `json:"rate"`
	Event json.RawMessage `json:"event"`
}

func decodeSubset(body []byte) (Event, error) {
	var w wireSubset
	if err := strictly(body, &w); err != nil {
		return nil, err
	}
	e, err := UnmarshalEvent(w.Event)
	return Subset{w.Rate, e}, err
}
