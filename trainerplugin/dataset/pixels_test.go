package dataset

import (
	"testing"

	"sweep"
)

// Whatever the subset, bytes and table are the image that At gives.
func TestPixels(t *testing.T) {
	set, err := Open(t.Context(), "", sweep.Data{Name: "glyphs", Train: 300, Validation: 100})
	if err != nil {
		t.Fatal(err)
	}
	p, err := set.Split(300, 100)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]float32, set.PixelCount())
	for name, s := range map[string]Subset{"train": p.Train, "validation": p.Validation, "test": p.Test} {
		px := s.Pixels()
		if len(px.Labels) != s.Len() || len(px.Images) != s.Len()*len(want) || len(px.Table) != set.Channels {
			t.Fatalf("%s: %d labels and %d bytes for %d examples", name, len(px.Labels), len(px.Images), s.Len())
		}
		for i := range s.Len() {
			label := s.At(i, want)
			if int(px.Labels[i]) != label {
				t.Errorf("%s: label %d is %d, want %d", name, i, px.Labels[i], label)
			}
			for j, v := range px.Images[i*len(want):][:len(want)] {
				if px.Table[j%set.Channels][v] != want[j] {
					t.Fatalf("%s: value %d of image %d is %v, want %v", name, j, i, px.Table[j%set.Channels][v], want[j])
				}
			}
		}
	}
	if px := (Subset{}).Pixels(); len(px.Images) != 0 {
		t.Error("the empty subset has pixels")
	}
}
