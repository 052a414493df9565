package xla

import (
	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/model"
	"sweep/trainerplugin/op"
)

// MemoryBytes is about what a step takes on the device: the staged images, the
// trial's state, and the activations and gradients of one microbatch as if none
// shared its memory with another. Compilers find much to share, and may want room
// of their own: it is where to begin to look for a microbatch that fits.
func (c Config) MemoryBytes() (int64, error) {
	views := max(1, c.Views)
	g, err := model.NewGraph(c.Model, c.Input, c.Microbatch, views, c.Freeze...)
	if err != nil {
		return 0, err
	}
	trained, frozen := sizes(g)
	perWeight := int64(4 + 8 + 4*len(c.moments()) + 4*4) // state, sums of gradients, and their passing through
	total := int64(trained)*perWeight + 4*int64(frozen)
	for _, s := range append(c.stagedArgs(), c.batchArgs()...) {
		total += int64(s.Bytes())
	}
	activations := op.Floats(G.Nodes{g.Loss})
	everything := op.Floats(append(G.Nodes{g.Loss}, g.Grads...))
	perExample := int64(0)
	if views > 1 {
		perExample = int64(trained) * int64(c.Microbatch)
	} else { // what the graph has for it is never made
		everything -= int64(trained) * int64(c.Microbatch)
	}
	images := max(activations, everything-perExample)
	return total + 4*perExample + int64(c.stored().Bytes())*images, nil
}
