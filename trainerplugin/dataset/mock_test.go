package dataset

import (
	"testing"

	"sweep"
)

// A mock of two sets of one size is the same: nothing of their examples is in it.
func TestMockHasNothingOfTheSet(t *testing.T) {
	set, err := Open(t.Context(), "", sweep.Data{Name: "glyphs", Train: 50, Validation: 20})
	if err != nil {
		t.Fatal(err)
	}
	other := &Set{
		Name: set.Name, Classes: set.Classes, Height: set.Height, Width: set.Width, Channels: set.Channels, Mean: set.Mean, Std: set.Std,
		Train: Part{make([]uint8, len(set.Train.Pixels)), make([]uint16, len(set.Train.Labels))},
		Test:  Part{make([]uint8, len(set.Test.Pixels)), make([]uint16, len(set.Test.Labels))},
	}
	a, b := set.Mock(), other.Mock()
	if a.Digest() != b.Digest() || a.Digest() == set.Digest() {
		t.Errorf("digests %s and %s; the set has %s", a.Digest(), b.Digest(), set.Digest())
	}
	if err := a.check(); err != nil {
		t.Error(err)
	}
	if part, err := a.Split(50, 20); err != nil || part.Train.Len() != 50 {
		t.Errorf("%+v, error %v", part, err)
	}
}
