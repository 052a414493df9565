package privacy

import "math"

// A lattice is a privacy loss distribution on points h apart: mass[i] is the
// probability, under P, of the loss origin + (first+i)·h, and infinite that of +∞.
type lattice struct {
	h        float64
	origin   float64
	first    int
	mass     []float64
	infinite float64
}

// loss is the loss of mass[i].
func (l lattice) loss(i int) float64 { return l.origin + float64(l.first+i)*l.h }

// span returns an empty lattice over the cells, with two points to spare on each
// side. A point lies on the end of the losses where more mass is: with small q
// nearly all is at the lowest loss, and were that between two points, each
// step would move it by up to h.
func span(h float64, cells []cell) lattice {
	lo, hi := extent(cells)
	var low, high float64
	for _, c := range cells {
		if c.lo < lo+h {
			low += c.mass
		}
		if c.hi > hi-h {
			high += c.mass
		}
	}
	n := int(math.Ceil((hi-lo)/h)) + 5
	if high > low {
		return lattice{h: h, origin: hi, first: 3 - n, mass: make([]float64, n)}
	}
	return lattice{h: h, origin: lo, first: -2, mass: make([]float64, n)}
}

// dominating puts cells on a lattice so that the result reveals at least as
// much as they do: what lies between two points is split between them so that
// its mass under both P and Q stays the same. That replaces δ as a function of
// e^ε by its chords (connect the dots: Doroshenko, Ghazi, Kamath, Kumar,
// Manurangsi 2022, arXiv:2207.04380), first over each cell and then over the
// lattice. beyond is mass under P that the cells leave out; it counts as +∞.
func dominating(h float64, cells []cell, beyond float64) lattice {
	l := span(h, cells)
	l.infinite = beyond
	put := func(loss, mass float64) {
		at := (loss - l.origin) / h
		i := math.Floor(at)
		up := mass * math.Expm1(h*(i-at)) / math.Expm1(-h)
		l.mass[int(i)-l.first] += mass - up
		l.mass[int(i)-l.first+1] += up
	}
	for _, c := range cells {
		if gap := c.hi - c.lo; gap > 1e-14*h {
			up := min(c.lift/-math.Expm1(-gap), c.mass)
			put(c.hi, up)
			put(c.lo, c.mass-up)
		} else {
			put(c.hi, c.mass)
		}
	}
	return l
}

// dominated puts cells on a lattice so that the result reveals at most as much
// as they do. Taking each cell for one output reveals less and gives a convex
// function of e^ε made of lines. Of that the tangents half way between lattice
// points are kept and joined on the lattice, at the lower of the two that meet
// around each point, so that every chord lies below its own tangent. What mass
// the joints lack is dropped. The error is of the order of h², as for
// [dominating].
func dominated(h float64, cells []cell) lattice {
	l := span(h, cells)
	mass := make([]float64, len(l.mass))
	tilt := make([]float64, len(l.mass)) // Σ mass·(1 - exp(point - loss)): how far the loss lies above its point
	for _, c := range cells {
		loss := c.merged()
		i := int(math.Round((loss-l.origin)/h)) - l.first
		mass[i] += c.mass
		tilt[i] -= c.mass * math.Expm1(l.loss(i)-loss)
	}
	r := 1 / math.Expm1(h)
	for i := 1; i+1 < len(mass); i++ {
		rise := -max(tilt[i+1], 0) - min(tilt[i], 0)
		fall := -max(tilt[i], 0) - min(tilt[i-1], 0)
		l.mass[i] = mass[i] - tilt[i] + r*rise - r*math.Exp(h)*fall
	}
	l.convexify()
	return l
}

func extent(cells []cell) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, c := range cells {
		lo, hi = min(lo, c.lo), max(hi, c.hi)
	}
	return lo, hi
}

// convexify removes negative masses, which stand for dents in δ as a function
// of t = e^ε, by replacing it by a convex function below: a dent is bridged
// from the vertex before it to the one after.
func (l *lattice) convexify() {
	kept := make([]int, 0, len(l.mass)) // vertices so far, all with positive mass
	for i := 0; i < len(l.mass); i++ {
		switch {
		case l.mass[i] > 0:
			kept = append(kept, i)
		case l.mass[i] < 0:
			kept = l.bridge(kept, i)
		}
	}
}

// bridge removes the dent at i. Its right-hand neighbour is i+1, whatever its
// mass; vertices on the left that turn into dents are bridged in their turn.
func (l *lattice) bridge(kept []int, i int) []int {
	if i+1 == len(l.mass) {
		return l.trim(kept, i)
	}
	for dent, right := i, i+1; ; {
		m := l.mass[dent]
		l.mass[dent] = 0
		if len(kept) == 0 { // moving it outwards lowers δ everywhere
			l.mass[right] += m * math.Exp(float64(right-dent)*l.h)
			return kept
		}
		left := kept[len(kept)-1]
		up, down := math.Expm1(float64(right-dent)*l.h), math.Expm1(float64(left-dent)*l.h)
		share := up / (up - down) // of the left in the point between
		l.mass[left] += m * share * math.Exp(float64(left-dent)*l.h)
		l.mass[right] += m * (1 - share) * math.Exp(float64(right-dent)*l.h)
		if l.mass[left] >= 0 {
			return kept
		}
		kept, dent = kept[:len(kept)-1], left
	}
}

// trim handles a dent at the very end, which cannot be bridged. It drops the
// outermost vertices until what was dropped is, as a function, nowhere negative
// up to the last vertex kept.
func (l *lattice) trim(kept []int, at int) []int {
	var slope, height float64 // of the dropped part at the vertex, over the vertex' own t
	for len(kept) > 0 {
		last := kept[len(kept)-1]
		d := float64(at-last) * l.h
		s := slope + l.mass[at]
		height = (height - s*math.Expm1(-d)) * math.Exp(d)
		slope = s * math.Exp(-d)
		l.mass[at] = 0
		if slope >= 0 && height >= 0 {
			return kept
		}
		kept, at = kept[:len(kept)-1], last
	}
	l.mass[at] = 0
	return kept
}
