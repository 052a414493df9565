package dataset

// Pixels are examples as bytes, for engines that normalise and augment images
// where they compute. They are shared with whoever else has them: not to be
// changed.
type Pixels struct {
	Images []uint8        // [example][height][width][channel]
	Labels []int32        // indices into Set.Classes
	Table  [][256]float32 // normalised value of each pixel value, by channel, as [Subset.At] gives it
}

// Pixels returns s's examples in their order. It copies the images unless they
// lie together in the set already.
func (s Subset) Pixels() Pixels {
	if s.set == nil {
		return Pixels{}
	}
	p := Pixels{Labels: make([]int32, s.Len()), Table: s.set.table()}
	together := true
	for i, j := range s.index {
		p.Labels[i] = int32(s.part.Labels[j])
		together = together && int(j) == i
	}
	n := s.set.PixelCount()
	if together {
		p.Images = s.part.Pixels[: s.Len()*n : s.Len()*n]
		return p
	}
	p.Images = make([]uint8, 0, s.Len()*n)
	for _, j := range s.index {
		p.Images = append(p.Images, s.set.image(s.part, int(j))...)
	}
	return p
}
