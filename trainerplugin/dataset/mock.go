package dataset

import "math/rand/v2"

// Mock returns a set of s's sizes and classes, whose images and labels are drawn
// at random: nothing of s's examples is in it.
func (s *Set) Mock() *Set {
	r := rand.New(rand.NewPCG(1, 2))
	part := func(p Part) Part {
		m := Part{Pixels: make([]uint8, len(p.Pixels)), Labels: make([]uint16, len(p.Labels))}
		for i := 0; i < len(m.Pixels); i += 8 {
			bits := r.Uint64()
			for j := i; j < min(i+8, len(m.Pixels)); j++ {
				m.Pixels[j], bits = uint8(bits), bits>>8
			}
		}
		for i := range m.Labels {
			m.Labels[i] = uint16(r.IntN(len(s.Classes)))
		}
		return m
	}
	return &Set{
		Name: s.Name, Classes: s.Classes, Source: "drawn at random, with the sizes of " + s.Source,
		Height: s.Height, Width: s.Width, Channels: s.Channels,
		Train: part(s.Train), Test: part(s.Test), Mean: s.Mean, Std: s.Std,
	}
}
