package model

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/op"
)

// An Option changes what [New] and [Describe] make of an architecture.
type Option func(*architecture)

// Freeze leaves layers untrained: those of the given names, and those whose
// names begin with one of them and a slash, so that "group1" is all blocks of a
// group. Frozen layers have no part in the weight vector, so neither clipping
// nor noise knows them, and cost no gradient; where no trained layer comes
// before them, nothing is differentiated. Their weights must be set; see
// [Engine.SetFrozen].
func Freeze(layers ...string) Option {
	return func(a *architecture) { a.frozen = append(slices.Clone(a.frozen), selection{names: layers}) }
}

// TrainOnly freezes all layers but those that Freeze would with these names:
// TrainOnly("classifier") fits the last layer alone.
func TrainOnly(layers ...string) Option {
	return func(a *architecture) {
		a.frozen = append(slices.Clone(a.frozen), selection{names: layers, others: true})
	}
}

// A selection is the layers of some names, or all others.
type selection struct {
	names  []string
	others bool
}

func under(layer, name string) bool { return layer == name || strings.HasPrefix(layer, name+"/") }

// freezes says whether the named layer is not trained.
func (a *architecture) freezes(layer string) bool {
	return slices.ContainsFunc(a.frozen, func(s selection) bool {
		return len(s.names) > 0 && slices.ContainsFunc(s.names, func(name string) bool { return under(layer, name) }) != s.others
	})
}

// checkFrozen says whether every name that is to be frozen or trained is a
// layer's.
func (a *architecture) checkFrozen(params []*op.Param) error {
	var layers []string
	for _, p := range params {
		if !slices.Contains(layers, p.Layer()) {
			layers = append(layers, p.Layer())
		}
	}
	for _, s := range a.frozen {
		if len(s.names) == 0 {
			return errors.New("no layer is named to be frozen or trained")
		}
		for _, name := range s.names {
			if !slices.ContainsFunc(layers, func(layer string) bool { return under(layer, name) }) {
				return fmt.Errorf("there is no layer %q to freeze or train; the layers are %s", name, strings.Join(layers, ", "))
			}
		}
	}
	return nil
}

// Frozen names the blocks of the frozen weights in their order. It is empty
// unless [Freeze] or [TrainOnly] was given.
func (e *Engine) Frozen() []dpsgd.Tensor { return tensorsOf(e.frozen) }

// InitFrozen returns fresh values for the frozen weights: together with
// [Engine.Init], those of the same model with nothing frozen.
func (e *Engine) InitFrozen(seed uint64) []float32 { return e.initial(seed, true) }

// SetFrozen gives the frozen weights their values, laid out as [Engine.Frozen]
// says; it keeps no reference. A model with frozen layers does not compute
// before it. They are public: everything that they were computed from must be
// no part of the private data.
func (e *Engine) SetFrozen(weights []float32) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, p := range e.frozen {
		n += p.Size()
	}
	if len(weights) != n {
		return fmt.Errorf("%d frozen weights; %s has %d", len(weights), e.arch.name, n)
	}
	for i, w := range weights {
		if x := float64(w); math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("frozen weight %d of %s is %v", i, e.arch.name, x)
		}
	}
	for i, p := range e.all {
		if p.Frozen {
			p.Pack(e.values[i], weights[:p.Size()])
			weights = weights[p.Size():]
		}
	}
	e.given = true
	return nil
}
