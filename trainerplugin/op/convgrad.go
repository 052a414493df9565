package op

import (
	"gorgonia.org/tensor"

	"sweep/trainerplugin/kernel"
)

// gradOf is where the per-example gradients of a replicated parameter go.
func gradOf(g *Group, replica *Value) *Value {
	return newArray(append(tensor.Shape{g.Examples}, replica.shape[1:]...), g.Examples, replica.length)
}

// weightGrad is the operation of images and the gradient of the result to the
// per-example gradient of the weights, summed over an example's views:
//
//	dw[ky][kx][ci][co] = Σ_views Σ_(y,x) x[s·y+ky][s·x+kx][ci] · dy[y][x][co]
func (c *conv) weightGrad(w *Value) *operation {
	o := &operation{layer: c.name, kind: "weightGrad", what: c.describe(ConvolutionWeightGrad), out: gradOf(c.group, w), multiplies: c.multiplies()}
	if c.winograd {
		m := image{height: c.ys.out, width: c.xs.out}
		w := c.newWeightCorrelation(&m)
		o.scratch = w.scratch()
		o.do = func(in []*Value) {
			for e := range c.group.Active {
				w.run(in[0], in[1], e, o.out.of(e), c.group.scratchFor(o))
			}
		}
	} else {
		c.weightGradDirect(o)
	}
	return o
}

func (c *conv) weightGradDirect(o *operation) {
	var t kernel.Tile
	var rows []*kernel.Taps // of each row of the filter: the rows of results that it takes part in
	o.plan = func(in []*Value) {
		rows = c.weightTaps(in[0], in[1])
		t = kernel.Tile{
			Depth: c.xs.out,
			Rows:  c.filters.width * c.lanes, ARow: 1, AStep: c.stride * c.lanes, BStep: kernel.Lanes, CRow: kernel.Lanes,
		}
	}
	o.do = func(in []*Value) {
		for e := range c.group.Active {
			c.eachOutPair(func(k, second int) {
				c.weightGradBlocks(&t, rows, in[0], in[1], o.out.of(e), e*c.group.Views, k, second)
			})
		}
	}
}

// weightTaps is, for each row of the filter, the rows of results that have it
// on a row of the image and not on the zeros around it.
func (c *conv) weightTaps(x, dy *Value) (rows []*kernel.Taps) {
	for ky := range c.filters.height {
		var taps []kernel.Tap
		for v := range c.group.Views {
			for r := range c.ys.out {
				if first, count := c.ys.taps(r, c.filters.height, c.stride); ky >= first && ky < first+count {
					taps = append(taps, kernel.Tap{A: v*x.stride + r*c.stride*x.row(), B: v*dy.stride + r*dy.row()})
				}
			}
		}
		rows = append(rows, kernel.NewTaps(taps))
	}
	return rows
}

// weightGradBlocks computes one or two blocks of outputs for the example whose
// first view is image i.
func (c *conv) weightGradBlocks(t *kernel.Tile, rows []*kernel.Taps, x, dy *Value, g []float32, i, k, second int) {
	from := dy.mem[i*dy.stride:]
	t.B0, t.B1 = from[dy.at(k, 0, 0):], nil
	if second > 0 {
		t.B1 = from[dy.at(second, 0, 0):]
	}
	first := c.groupOf(k) * c.inBlocks()
	for ib := range c.inBlocks() {
		for ky := range c.filters.height {
			t.Taps = rows[ky]
			t.A = x.mem[i*x.stride+x.at(first+ib, ky-c.ys.before, -c.xs.before):]
			t.C0 = g[c.at(k, ib, ky):]
			if second > 0 {
				t.C1 = g[c.at(second, ib, ky):]
			}
			c.group.start(t)
			t.Run()
		}
	}
}

// start makes t add to what its result holds, or start from nothing.
func (g *Group) start(t *kernel.Tile) {
	if g.Add {
		t.D0, t.D1, t.DRow = t.C0, t.C1, t.CRow
	} else {
		t.D0, t.D1, t.DRow = kernel.Zero, kernel.Zero, 0
	}
}

// biasGrad is the operation of the gradient of images to the per-example
// gradient of a bias: its sum over pixels and views.
func biasGrad(name string, g *Group, bias *Value) *operation {
	o := &operation{layer: name, kind: "biasGrad", what: Description{Kind: BiasGrad}, out: gradOf(g, bias)}
	o.do = func(in []*Value) {
		dy := in[0]
		for e := range g.Active {
			sums := o.out.of(e)
			if !g.Add {
				clear(sums)
			}
			for v := range g.Views {
				dy.laneSums(e*g.Views+v, sums)
			}
		}
	}
	return o
}

// laneSums adds to sums those of image i's pixels.
func (v *Value) laneSums(i int, sums []float32) {
	img := v.of(i)
	rows, n := v.height, v.width*kernel.Lanes
	if n == v.row() { // and they follow each other
		rows, n = 1, v.height*n
	}
	for k := range v.blocks() {
		s := (*[kernel.Lanes]float32)(sums[k*kernel.Lanes:])
		for r := range rows {
			kernel.LaneSums(s, img[v.at(k, r, 0):][:n])
		}
	}
}

// A phase is the pixels of the input that are alike modulo the stride: the
// same taps of the filter reach them. Pixels that no result sees are in none:
// their gradient stays zero.
type phase struct {
	y, x int            // first pixel
	rows []*kernel.Taps // of each row of pixels, a stride apart
	tile kernel.Tile
}

// reach is a tap's place along one side: filter position k reaches pixel
// phase + a·stride from the result's pixel a + shift.
type reach struct{ k, shift int }

func (s span) reaches(phase, size, stride int) []reach {
	var out []reach
	for k := range size {
		if d := phase + s.before - k; d%stride == 0 {
			out = append(out, reach{k, d / stride})
		}
	}
	return out
}

// reached is how many pixels of a phase there are up to the last that a result
// reaches.
func (s span) reached(phase, size, stride int) int {
	n := 0
	for _, r := range s.reaches(phase, size, stride) {
		n = max(n, s.out-r.shift)
	}
	return min(n, (s.in-phase+stride-1)/stride)
}

// margin is how far reaches go beyond the result on either end, over all phases.
func (s span) margin(size, stride int) (before, after int) {
	for p := range min(stride, s.in) {
		last := (s.in - p - 1) / stride
		for _, r := range s.reaches(p, size, stride) {
			before, after = max(before, -r.shift), max(after, last+r.shift-(s.out-1))
		}
	}
	return before, after
}

// inputGrad is the operation of the gradient of the result, and the weights,
// to the gradient of the images:
//
//	dx[h][w][ci] = Σ dy[y][x][co] · w[ky][kx][ci][co]  over  s·y+ky = h + before, s·x+kx = w + before
func (c *conv) inputGrad(x, dy *Value) *operation {
	o := &operation{layer: c.name, kind: "inputGrad", what: c.describe(ConvolutionInputGrad), out: x.like(), multiplies: c.multiplies()}
	if c.polyphase {
		p := c.newPolyphase()
		o.scratch = p.scratch()
		o.do = func(in []*Value) { p.inputGrad(in[0], o.out, in[1].turnedSpectrum, c.group.scratchFor(o)) }
		return o
	}
	top, bottom := c.ys.margin(c.filters.height, c.stride)
	left, right := c.xs.margin(c.filters.width, c.stride)
	dy.border(top, left, bottom, right)
	if c.winograd {
		w := newCorrelation(c.group, c.outBlocks(), c.inBlocks(), &o.out.image)
		o.scratch = w.scratch()
		o.do = func(in []*Value) { w.run(in[0], o.out, in[1].turnedSpectrum, nil, c.group.scratchFor(o)) }
		return o
	}
	var phases []phase
	o.plan = func(in []*Value) { phases = c.phases(in[0]) }
	o.do = func(in []*Value) {
		for i := range phases {
			c.eachPairOf(c.groups*c.inBlocks(), func(k, second int) {
				for img := range c.group.Images() {
					c.inputGradImage(&phases[i], in[0], in[1].turned, o.out, img, k, second)
				}
			})
		}
	}
	return o
}

func (c *conv) phases(dy *Value) []phase {
	var out []phase
	for py := range min(c.stride, c.ys.in) {
		for px := range min(c.stride, c.xs.in) {
			columns := c.xs.reached(px, c.filters.width, c.stride)
			if columns == 0 {
				continue
			}
			out = append(out, phase{
				y: py, x: px,
				rows: c.phaseTaps(dy, py, px),
				tile: kernel.Tile{
					Depth: kernel.Lanes,
					Rows:  columns, ARow: kernel.Lanes, AStep: 1, BStep: kernel.Lanes, CRow: c.stride * kernel.Lanes,
					D0: kernel.Zero, D1: kernel.Zero,
				},
			})
		}
	}
	return out
}

// phaseTaps is the taps of each row of a phase that meet a row of results.
func (c *conv) phaseTaps(dy *Value, py, px int) []*kernel.Taps {
	var lists tapLists
	all := c.ys.reaches(py, c.filters.height, c.stride)
	for r := range c.ys.reached(py, c.filters.height, c.stride) {
		// Shifts fall from reach to reach, so those that meet one are neighbours.
		first := 0
		for first < len(all) && r+all[first].shift >= c.ys.out {
			first++
		}
		end := first
		for end < len(all) && r+all[end].shift >= 0 {
			end++
		}
		lists.add(first, end-first, func() (taps []kernel.Tap) {
			for ob := range c.outBlocks() / c.groups { // of the first group
				for _, ry := range all[first:end] {
					for _, rx := range c.xs.reaches(px, c.filters.width, c.stride) {
						taps = append(taps, kernel.Tap{A: dy.at(ob, ry.shift, rx.shift), B: c.turnedAt(ob, ry.k, rx.k)})
					}
				}
			}
			return taps
		})
	}
	return lists.rows
}

// inputGradImage computes one or two blocks of channels of image i.
func (c *conv) inputGradImage(p *phase, dy *Value, turned []float32, dx *Value, i, k, second int) {
	t := &p.tile
	first := k / c.inBlocks() * (c.outBlocks() / c.groups) // block of the group's outputs
	begin := func(k int) int { return k%c.inBlocks()*c.turnedBlock() + c.turnedAt(first, 0, 0) }
	t.B0, t.B1 = turned[begin(k):], nil
	if second > 0 {
		t.B1 = turned[begin(second):]
	}
	from, to := dy.of(i), dx.of(i)
	for r, taps := range p.rows {
		t.Taps = taps
		t.A = from[first*dy.plane()+r*dy.row():]
		y := r*c.stride + p.y
		t.C0 = to[dx.at(k, y, p.x):]
		if second > 0 {
			t.C1 = to[dx.at(second, y, p.x):]
		}
		t.Run()
	}
}
