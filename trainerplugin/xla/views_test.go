package xla

import (
	"fmt"
	"slices"
	"testing"

	"sweep"
	"sweep/trainerplugin/dataset"
	"sweep/trainerplugin/model"
)

// Views are those of package dataset, bit for bit, on images that are larger and
// smaller than the mirrored border.
func TestViews(t *testing.T) {
	for _, in := range []model.Input{{Height: 9, Width: 7, Channels: 3, Classes: 2}, {Height: 3, Width: 1, Channels: 1, Classes: 2}, {Height: 2, Width: 5, Channels: 2, Classes: 2}} {
		for _, aug := range []sweep.Augmentation{"", sweep.Flip, sweep.Crop, sweep.CropFlip} {
			x := newTrial(t, Config{Model: "linear", Input: in, Views: 16, Augment: aug})
			x.Microbatch = 5
			t.Run(fmt.Sprintf("%dx%dx%d/%s", in.Height, in.Width, in.Channels, aug), func(t *testing.T) { compareViews(t, x) })
		}
	}
}

func compareViews(t *testing.T, x *trial) {
	n := x.set.PixelCount()
	p := &Program{Name: "views", Args: append(x.stagedArgs(), x.batchArgs()...)}
	p.Results = []Spec{
		{Name: "views", Element: F32, Shape: []int{5 * x.Views, x.set.Height, x.set.Width, x.set.Channels}},
		{Name: "classes", Element: I32, Shape: []int{5}},
	}
	function(p, func(e *emitter, in map[string]value) map[string]value {
		places := e.window(in[Indices], e.constant(I32, nil, 0), 5)
		images, labels := stagedOf(in).pick(e, places)
		return map[string]value{"views": views(e, images, places, in[Words], x.Views, x.Augment), "classes": labels}
	})
	eachMachine(t, func(t *testing.T, m machine) {
		got := call(t, m, p, x.input(StepInput{}))
		want := make([]float32, n)
		for e, member := range x.members {
			if got["classes"].([]int32)[e] != int32(x.set.Train.Labels[member]) {
				t.Errorf("example %d: class %d", member, got["classes"].([]int32)[e])
			}
			for k := range x.Views {
				x.set.DrawView(want, x.image(member), x.Augment, dataset.Draw{Key: x.key, Step: x.step, Example: member, View: k})
				if !slices.Equal(got.f32("views")[(e*x.Views+k)*n:][:n], want) {
					t.Fatalf("view %d of example %d differs", k, member)
				}
			}
		}
	})
}
