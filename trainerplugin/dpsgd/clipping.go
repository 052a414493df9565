package dpsgd

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"sweep"
	"sweep/trainerplugin"
)

// A Clipping is how one example's gradient becomes its part in the sum.
type Clipping struct {
	Kind sweep.Clipping
	Norm float64 // C: > 0, finite; not used by [sweep.Automatic]
}

// autoStability is γ of automatic clipping, the default of its paper.
const autoStability = 0.01

// Sensitivity is Δ, the largest L2 norm of an example's part in the sum, and
// so the most by which adding or removing an example moves it; the noise that is
// added has standard deviation σ·Δ. It is 1 for every kind, up to the rounding
// of float32:
//
//   - flat: ‖c‖ = ‖g‖·min(1/C, 1/(‖g‖ + 1e-10)) < 1.
//   - automatic: ‖c‖ = ‖g‖/(‖g‖ + γ) < 1.
//   - per-layer: L layers of norm below 1/√L each make one below √(L·1/L) = 1.
func (c Clipping) Sensitivity() float64 { return 1 }

// Factors sets factors[l] to what block l of an example's gradient is
// multiplied by, given the L2 norms of its blocks, which are finite. norms and
// factors have one element for each layer under [sweep.PerLayer] (see [Layers]),
// and exactly one, for the whole gradient, under the other kinds.
//
//   - flat (paper, section 1): min(1/C, 1/(‖g‖ + 1e-10)).
//   - automatic (Bu, Wang, Zha, Karypis 2023, arXiv:2206.07136, AUTO-S):
//     1/(‖g‖ + γ), γ = 0.01. There is no C: it would only scale the learning rate.
//   - per-layer (McMahan, Ramage, Talwar, Zhang 2018, arXiv:1710.06963,
//     section 3, with C_l = C/√L): each layer is clipped to C/√L, and all are
//     divided by C as in flat: (1/√L)·min(√L/C, 1/(‖g_l‖ + 1e-10)).
func (c Clipping) Factors(norms, factors []float64) {
	root := math.Sqrt(float64(len(norms)))
	for l, norm := range norms {
		switch c.Kind {
		case sweep.Automatic:
			factors[l] = 1 / (norm + autoStability)
		default: // one layer is flat clipping
			factors[l] = min(1/c.Norm, 1/(norm+1e-10)/root)
		}
	}
}

// Clipped says whether a gradient whose blocks have the given norms is made
// shorter, beyond the division by C that all share.
func (c Clipping) Clipped(norms []float64) bool {
	if c.Kind == sweep.Automatic {
		return true // every gradient is scaled by its own norm
	}
	limit := c.Norm / math.Sqrt(float64(len(norms)))
	return slices.ContainsFunc(norms, func(norm float64) bool { return norm > limit })
}

// A Clipper is an [Engine] that clips in more ways than flat.
type Clipper interface {
	Engine

	// Clippings lists the kinds that it has. [sweep.Flat] is among them.
	Clippings() []sweep.Clipping

	// SumClipped is [Engine.ClippedSum] for any of those kinds: it adds to
	// sum, for each example, its gradient with block l multiplied by factor l
	// of c.Factors, and all else that ClippedSum says holds. A gradient counts
	// as not finite if any of its norms is. Under [sweep.Flat] the two give
	// the same bits.
	SumClipped(ctx context.Context, weights []float32, b Batch, c Clipping, sum []float32) (GradStats, error)
}

// Layers numbers the layers of a weight vector: layer[i] is that of tensors[i],
// from 0, and n how many there are. Tensors whose names are alike up to the
// last "/" are of one layer: a convolution's weights, gain and bias.
func Layers(tensors []Tensor) (layer []int, n int) {
	seen := make(map[string]int)
	for _, t := range tensors {
		name := t.Name
		if i := strings.LastIndexByte(name, '/'); i >= 0 {
			name = name[:i]
		}
		if _, known := seen[name]; !known {
			seen[name] = len(seen)
		}
		layer = append(layer, seen[name])
	}
	return layer, len(seen)
}

// CheckClipping says whether e clips as p asks. The error wraps
// [trainerplugin.ErrRefused] and says what e has.
func CheckClipping(e Engine, p sweep.Params) error {
	has := []sweep.Clipping{sweep.Flat}
	if c, ok := e.(Clipper); ok {
		has = c.Clippings()
	}
	if slices.Contains(has, p.Clipping) {
		return nil
	}
	return fmt.Errorf("%w: clipping: this engine does not have %s; it has %s", trainerplugin.ErrRefused, p.Clipping, kindNames(has))
}

func kindNames(kinds []sweep.Clipping) string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.String()
	}
	return strings.Join(names, ", ")
}
