package op

import (
	"math"
	"sync"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/kernel"
)

// varianceFloor bounds fan-in times variance from below in weight
// standardisation, as in the paper's code.
const varianceFloor = 1e-4

// standardised is the layout of a convolution's weights under weight
// standardisation (Qiao et al. 2019; with a gain, Brock et al. 2021): the
// flat vector holds w and then the gain, the graph
//
//	w' = gain · unit,  unit = (w - mean) / √max(n·var, 1e-4)
//
// with mean and variance over each filter's n weights. That is once per step;
// per example only norms need its Jacobian.
type standardised struct {
	*filters
	unit []float32 // unit, packed
	rows []standardisation
}

// standardisation is one filter's part in it.
type standardisation struct {
	invStd  float64 // 1/√max(n·var, 1e-4)
	gain    float64
	floored bool // the floor is in force, so invStd is constant
}

// ConvStandardised is Conv with weight standardisation. It has one more
// tensor, name/gain [out], which starts at 1.
func (b *Builder) ConvStandardised(name string, x *G.Node, out int, w Window, init Weights) *G.Node {
	return b.convolve(name, x, out, 1, w, standardisedFilters, init)
}

// ConvStandardisedGrouped is ConvStandardised in groups of channels, as
// ConvGrouped has them.
func (b *Builder) ConvStandardisedGrouped(name string, x *G.Node, out, groups int, w Window, init Weights) *G.Node {
	return b.convolve(name, x, out, groups, w, standardisedFilters, init)
}

func standardisedFilters(f *filters, weights Tensor) *Param {
	gain := Tensor{weights.layer() + "/gain", []int{f.out}, Ones(f.out, f.out)}
	return &Param{Tensors: []Tensor{weights, gain}, layout: &standardised{filters: f}, shape: weights.Shape}
}

// fan is the number of weights of one filter.
func (s *standardised) fan() int { return s.height * s.width * s.in }

func (s *standardised) held() int { return s.filters.held() + s.packed() }

func (s *standardised) pack(v *Value, flat []float32) {
	w, gain := flat[:s.fan()*s.out], flat[s.fan()*s.out:]
	if s.unit == nil {
		s.unit = kernel.Alloc(s.packed())
		s.rows = make([]standardisation, s.out)
	}
	s.prepare(v)
	s.each(func(t stretch) { copy(s.unit[t.packed:][:t.n], w[t.flat:]) })
	for o := range s.outBlocks() {
		s.standardise(v, o, gain[o*kernel.Lanes:])
	}
	if s.turn {
		s.each(func(t stretch) { s.turnOver(v, t) })
	}
	s.transform(v)
}

// standardise takes a block of filters from unit and writes it there and in v.
func (s *standardised) standardise(v *Value, o int, gain []float32) {
	var sums, squares, mean, invStd, gains kernel.Wide
	shift := kernel.Vector(s.unit[s.at(o, 0, 0):])
	s.eachSpan(o, func(at, n int) { kernel.ShiftedSums(&sums, &squares, s.unit[at:at+n], &shift) })
	n := float64(s.fan())
	for l := range min(kernel.Lanes, s.out-o*kernel.Lanes) {
		square := max(0, squares[l]-sums[l]*sums[l]/n) // n·var
		mean[l] = float64(shift[l]) + sums[l]/n
		invStd[l] = 1 / math.Sqrt(max(square, varianceFloor))
		gains[l] = float64(gain[l])
		s.rows[o*kernel.Lanes+l] = standardisation{invStd[l], gains[l], !(square > varianceFloor)}
	}
	s.eachSpan(o, func(at, n int) {
		kernel.Standardise(s.unit[at:at+n], v.mem[at:at+n], s.unit[at:at+n], &mean, &invStd, &gains)
	})
}

// eachSpan calls do for the stretches of packed weights that block o of the
// filters has, without the channels beyond the last.
func (s *standardised) eachSpan(o int, do func(at, n int)) {
	if s.in%s.lanes == 0 {
		do(s.at(o, 0, 0), s.at(o+1, 0, 0)-s.at(o, 0, 0))
		return
	}
	for i := range s.inBlocks() {
		n := min(s.lanes, s.in-i*s.lanes) * kernel.Lanes
		for y := range s.height {
			for x := range s.width {
				do(s.at(o, i, y)+x*s.lanes*kernel.Lanes, n)
			}
		}
	}
}

// filterSums are Σ g, Σ g² and Σ g·unit over one filter.
type filterSums struct{ g, square, unit float64 }

// laneSums is what kernel.FilterSums fills.
type laneSums [3]kernel.Vector

// laneSumsPool serves functions that several workers call at once, and so cannot
// own any: the compiler takes from the heap whatever a kernel is given.
var laneSumsPool = sync.Pool{New: func() any { return new(laneSums) }}

// sums calls do with the number and the sums of each filter, in turn.
func (s *standardised) sums(g []float32, do func(filter int, f filterSums)) {
	v := laneSumsPool.Get().(*laneSums)
	defer laneSumsPool.Put(v)
	for o := range s.outBlocks() {
		var block [kernel.Lanes]filterSums
		// Float32 sums stay short: one row of the filter.
		for at := s.at(o, 0, 0); at < s.at(o+1, 0, 0); at += s.run() {
			clear(v[:])
			kernel.FilterSums(&v[0], &v[1], &v[2], g[at:at+s.run()], s.unit[at:at+s.run()])
			for l := range block {
				f := &block[l]
				f.g += float64(v[0][l])
				f.square += float64(v[1][l])
				f.unit += float64(v[2][l])
			}
		}
		for l := range min(kernel.Lanes, s.out-o*kernel.Lanes) {
			do(o*kernel.Lanes+l, block[l])
		}
	}
}

// Below cancelled, a difference keeps too few digits of what it was taken
// from, and normSq sums the squares one by one instead. Above it, it adds
// roundingShare of what was subtracted from, so that the norm errs upwards.
const (
	cancelled     = 0.1
	roundingShare = 0x1p-21
)

// normSq needs no gradient of w itself: with g the gradient of w',
//
//	‖dw‖² = Σ_filters (gain·invStd)² · (Σg² - (Σg)²/n - (Σ g·unit)²),  dgain = Σ g·unit
//
// without the last term where the variance floor is in force. Its relative
// error is below 5e-6, and as a rule upwards: a clipped gradient is then a
// little short.
func (s *standardised) normSq(_ *Value, g []float32) float64 {
	total, n := 0.0, float64(s.fan())
	s.sums(g, func(o int, f filterSums) {
		r := s.rows[o]
		rest := f.square - f.g*f.g/n
		if !r.floored {
			rest -= f.unit * f.unit
		}
		if rest > cancelled*f.square {
			rest += roundingShare * f.square
		} else {
			rest = s.residual(g, o, f)
		}
		scale := r.gain * r.invStd
		total += scale*scale*rest + f.unit*f.unit
	})
	return total
}

// A jacobian takes the packed gradient and unit of a weight of one filter to
// the gradient of the weight itself, but for the factor gain·invStd.
type jacobian struct{ mean, along float64 }

func (j jacobian) at(g, unit float32) float64 { return float64(g) - j.mean - float64(unit)*j.along }

// jacobian returns that of filter o.
func (s *standardised) jacobian(o int, f filterSums) jacobian {
	if s.rows[o].floored {
		return jacobian{mean: f.g / float64(s.fan())}
	}
	return jacobian{f.g / float64(s.fan()), f.unit}
}

// residual is Σ of the squares of filter o's Jacobian, weight by weight.
func (s *standardised) residual(g []float32, o int, f filterSums) float64 {
	d := s.jacobian(o, f)
	total := 0.0
	block, lane := o/kernel.Lanes, o%kernel.Lanes
	for c := range s.in {
		for y := range s.height {
			for x := range s.width {
				p := s.at(block, c/s.lanes, y) + (x*s.lanes+c%s.lanes)*kernel.Lanes + lane
				v := d.at(g[p], s.unit[p])
				total += v * v
			}
		}
	}
	return total
}

// unpack applies the Jacobian:
//
//	dw = gain·invStd · (g - Σg/n - unit·Σ g·unit)
//
// without the last term where the variance floor is in force.
func (s *standardised) unpack(_ *Value, g, flat []float32) {
	w, gain := flat[:s.fan()*s.out], flat[s.fan()*s.out:]
	mean, along, scale := make([]kernel.Wide, s.outBlocks()), make([]kernel.Wide, s.outBlocks()), make([]kernel.Wide, s.outBlocks())
	s.sums(g, func(o int, f filterSums) {
		j, k, l := s.jacobian(o, f), o/kernel.Lanes, o%kernel.Lanes
		mean[k][l], along[k][l], scale[k][l] = j.mean, j.along, s.rows[o].gain*s.rows[o].invStd
		gain[o] += float32(f.unit)
	})
	s.each(func(t stretch) {
		k, p := t.out/kernel.Lanes, t.packed
		add := func(to []float32) {
			kernel.StandardiseGrad(to, g[p:p+kernel.Lanes], s.unit[p:p+kernel.Lanes], &mean[k], &along[k], &scale[k])
		}
		if t.n == kernel.Lanes {
			add(w[t.flat:][:t.n])
			return
		}
		var part kernel.Vector
		add(part[:])
		for l := range t.n {
			w[t.flat+l] += part[l]
		}
	})
}
