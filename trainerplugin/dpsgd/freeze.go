package dpsgd

import (
	"fmt"
	"slices"
)

// A Freezer is an [Engine] some of whose weights are not trained. They are in
// no weight vector, so neither clipping nor noise knows them. They are public:
// what they were computed from must be no part of the private data.
type Freezer interface {
	// Frozen names the blocks of the frozen weights in their order.
	Frozen() []Tensor

	// InitFrozen returns fresh values for them, drawn from seed.
	InitFrozen(seed uint64) []float32

	// SetFrozen gives them their values, and keeps no reference. The engine
	// does not compute before it.
	SetFrozen(weights []float32) error
}

// frozenOf are the blocks of e's frozen weights, if it has any.
func frozenOf(e Engine) []Tensor {
	if f, ok := e.(Freezer); ok {
		return f.Frozen()
	}
	return nil
}

// freshFrozen draws e's frozen weights from seed; nil if it has none.
func freshFrozen(e Engine, seed uint64) []float32 {
	if len(frozenOf(e)) == 0 {
		return nil
	}
	return e.(Freezer).InitFrozen(seed)
}

// setFrozen hands d's frozen weights to e.
func (d Data) setFrozen(e Engine) error {
	if has, brings := len(frozenOf(e)) > 0, d.Frozen != nil; has != brings {
		return fmt.Errorf("layers: the model has frozen weights: %t, the trial's data bring some: %t", has, brings)
	}
	if d.Frozen == nil {
		return nil
	}
	return e.(Freezer).SetFrozen(d.Frozen)
}

// whole are all of a model's tensors and their values: the trained ones, as
// given, and the frozen ones after them.
func (l *loop) whole(trained []float32) ([]Tensor, []float32) {
	return slices.Concat(l.engine.Tensors(), frozenOf(l.engine)), slices.Concat(trained, l.data.Frozen)
}
