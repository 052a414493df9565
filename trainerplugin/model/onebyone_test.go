package model

import (
	"slices"
	"testing"
)

// Gradients that are multiplied out one by one, after what only they need was
// computed for a few examples at a time, have the bits of those of all examples
// at once: for full groups, and for those that end within a block of examples.
func TestOneByOne(t *testing.T) {
	e := open(t, "tanh-cnn", mnist, 1)
	if err := e.pack(e.Init(1)); err != nil {
		t.Fatal(err)
	}
	machineFor := func(oneByOne bool) *machine {
		m, err := newMachine(e.arch, e.in, e.shapeFor(1))
		if err != nil {
			t.Fatal(err)
		}
		if !m.oneByOne {
			t.Fatal("small gradients are not worked on one by one")
		}
		m.oneByOne = oneByOne
		if err := m.use(e.values); err != nil {
			t.Fatal(err)
		}
		return m
	}
	one, all := machineFor(true), machineFor(false)
	for _, n := range []int{one.Group.Examples, 9, 1} {
		for _, m := range []*machine{one, all} {
			for i := range n {
				if err := m.put(i, func(img []float32) int { noise(i, n, img); return i % 10 }, 10); err != nil {
					t.Fatal(err)
				}
				m.weights.Row(i, 1)[0] = 1
			}
			if err := m.differentiate(n, false); err != nil {
				t.Fatal(err)
			}
		}
		for x := range n {
			if err := one.gradient(x); err != nil {
				t.Fatal(err)
			}
			for i, g := range one.grads {
				if g.Outer() != nil {
					continue
				}
				got, want := one.example(x, i), all.example(x, i)
				if !slices.Equal(got, want) || norm(want) == 0 {
					t.Errorf("%s of example %d of %d differs from that of all at once", one.trained[i].Layer(), x, n)
				}
			}
		}
	}
}
