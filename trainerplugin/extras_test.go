package trainerplugin

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sweep"
)

// plainTrainer honours none of the extras, and says so by saying nothing.
type plainTrainer struct{ Trainer }

func (plainTrainer) Describe(context.Context) (Description, error) {
	return Description{Name: "old", Version: "1", Extras: []string{"momentum"}}, nil
}

// A trainer that would read past a parameter is not given a trial that has it.
func TestExtrasAreNotReadPast(t *testing.T) {
	g := Guard(plainTrainer{}, Limits{})
	p := sweep.Params{Steps: 3, Optimizer: sweep.Adam, Momentum: 0.5, Schedule: sweep.Cosine}
	const want = "trainer old 1 does not have optimizer, schedule, keep_weights; leave it out"
	j := Job{Params: p, KeepWeights: true}
	if _, err := g.Check(t.Context(), j); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), want) {
		t.Errorf("check: error %v", err)
	}
	if _, err := g.Train(t.Context(), j, func(Event) error { return nil }); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), want) {
		t.Errorf("train: error %v", err)
	}
}

// Whatever a trial's JSON form leaves out where a trial does not use it came
// after the first version, and is an extra or belongs to one.
func TestExtrasAreComplete(t *testing.T) {
	old := []string{"trainer", "augment", "options"}  // were there at first
	belongs := []string{"beta1", "beta2", "adam_eps"} // to adam
	used := extrasOf(Job{KeepWeights: true, Params: sweep.Params{Optimizer: "x", Momentum: 1, WeightDecay: 1, Schedule: "x", Warmup: 1, Clipping: "x", Init: sweep.Init{Digest: "x"}, Layers: "x"}})
	if !slices.Equal(used, Extras) {
		t.Errorf("of a trial that uses all, extrasOf says %v", used)
	}
	all, some := fields(t, full()), fields(t, sweep.Params{})
	for name := range all {
		known := slices.Concat(old, belongs, Extras)
		if _, always := some[name]; !always && !slices.Contains(known, name) {
			t.Errorf("%s is left out of trials that do not use it, and no extra", name)
		}
	}
}

func fields(t *testing.T, p sweep.Params) map[string]any {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// full is a trial with no field that is zero.
func full() (p sweep.Params) {
	fill(reflect.ValueOf(&p).Elem(), rand.New(rand.NewPCG(1, 2)))
	p.LearnRate, p.Clip, p.Noise, p.EMA = 1, 1, 1, 0.5 // whatever is drawn, it has a JSON form
	return p
}
