package op

import (
	"fmt"
	"math/rand/v2"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/kernel"
)

// Weights says how a layer's weights start.
type Weights func(fanIn, fanOut int) func(r *rand.Rand, w []float32)

// conv is one convolution: y[o] = bias[o] + Σ x ⋆ w[·,o], a cross-correlation
// as everywhere in deep learning.
type conv struct {
	name     string
	group    *Group
	*filters     // of one group's inputs to all outputs
	groups   int // of channels; see convolve
	stride   int
	ys, xs   span
}

// groupOf is the group that block k of the outputs belongs to.
func (c *conv) groupOf(k int) int { return k / (c.outBlocks() / c.groups) }

// eachOutPair calls do for the blocks of outputs, two by two within a group.
func (c *conv) eachOutPair(do func(k, second int)) { c.eachPairOf(c.outBlocks(), do) }

// eachPairOf is eachPair for blocks of all groups, of which no pair spans two.
func (c *conv) eachPairOf(blocks int, do func(k, second int)) {
	per := blocks / c.groups
	for g := range c.groups {
		eachPair(per, func(k, second int) {
			if second > 0 {
				second += g * per
			}
			do(g*per+k, second)
		})
	}
}

// Conv is a convolution to out channels, with bias. Its weights are
// name/w [height, width, in, out] and name/b [out].
func (b *Builder) Conv(name string, x *G.Node, out int, w Window, init Weights) *G.Node {
	return b.convolve(name, x, out, 1, w, plainFilters, init)
}

// ConvGrouped is Conv in groups: outputs see the inputs of their own group
// alone, and name/w is [height, width, in/groups, out]. Each group's inputs and
// outputs must be whole blocks of 16 channels.
func (b *Builder) ConvGrouped(name string, x *G.Node, out, groups int, w Window, init Weights) *G.Node {
	return b.convolve(name, x, out, groups, w, plainFilters, init)
}

// plainFilters are weights as they are.
func plainFilters(f *filters, weights Tensor) *Param {
	return &Param{Tensors: []Tensor{weights}, layout: f, shape: weights.Shape}
}

// convolve is a convolution whose weights param declares. Its channels are
// divided into groups that do not see each other.
func (b *Builder) convolve(name string, x *G.Node, out, groups int, w Window, param func(*filters, Tensor) *Param, init Weights) *G.Node {
	if b.err != nil {
		return nil
	}
	in := ValueOf(x)
	ys, xs, err := w.over(&in.image)
	if step := groups * kernel.Lanes; err == nil && (groups < 1 || groups > 1 && (in.channels%step != 0 || out%step != 0)) {
		err = fmt.Errorf("%d channels to %d are no whole number of blocks of %d in each of %d groups", in.channels, out, kernel.Lanes, groups)
	}
	if err != nil {
		b.fail(fmt.Errorf("%s: %w", name, err))
		return nil
	}
	per := in.channels / groups
	f := &filters{height: w.Size, width: w.Size, in: per, out: out, lanes: in.lanes, turn: !in.outside}
	c := &conv{name: name, group: b.Group, filters: f, groups: groups, stride: w.Stride, ys: ys, xs: xs}
	f.winograd, f.polyphase = c.winogradFits(), c.polyphaseFits()
	in.border(ys.before, xs.before, ys.after, xs.after)

	fan := w.Size * w.Size
	weights := Tensor{name + "/w", []int{w.Size, w.Size, per, out}, init(fan*per, fan*out/groups)}
	return b.layer(c.forward(b), x, b.param(param(f, weights)), b.bias(name, out))
}

// multiplies is the number of multiply-adds for one image, in each direction.
func (c *conv) multiplies() int64 {
	return int64(c.ys.out) * int64(c.xs.out) * int64(c.filters.height*c.filters.width*c.in) * int64(c.out)
}

// bias declares name/b, which starts at zero.
func (b *Builder) bias(name string, n int) *G.Node { return b.perChannel(name+"/b", n, Zeros) }

// forward is the operation of images, weights and bias to images.
func (c *conv) forward(b *Builder) *operation {
	m := image{channels: c.out, height: c.ys.out, width: c.xs.out, lanes: kernel.Lanes}
	o := &operation{layer: c.name, kind: "convolution", what: c.describe(Convolution), out: newImages(c.group.capacity(), m), multiplies: c.multiplies()}
	switch {
	case c.winograd:
		w := newCorrelation(c.group, c.inBlocks(), c.outBlocks(), &o.out.image)
		o.scratch = w.scratch()
		o.do = func(in []*Value) { w.run(in[0], o.out, in[1].spectrum, in[2].mem, c.group.scratchFor(o)) }
	case c.polyphase:
		p := c.newPolyphase()
		o.scratch = p.scratch()
		o.do = func(in []*Value) { p.forward(in[0], o.out, in[1].spectrum, in[2].mem, c.group.scratchFor(o)) }
	default:
		c.forwardDirect(o)
		o.imagewise = c.packed() <= imagewiseWeights
	}
	o.wrt = []bool{c.turn, true, true}
	o.derive = func(in G.Nodes, _, grad *G.Node) (G.Nodes, error) { return c.derive(b, in, grad) }
	return o
}

// imagewiseWeights is how many weights a core's first cache has room for beside
// an image's rows. A convolution that has more should read them for many images.
const imagewiseWeights = 1 << 12

func (c *conv) forwardDirect(o *operation) {
	var t kernel.Tile
	var rows []*kernel.Taps
	o.plan = func(in []*Value) {
		rows = c.rowTaps(in[0])
		t = kernel.Tile{
			Depth: c.filters.width * c.lanes,
			Rows:  c.xs.out, ARow: c.stride * c.lanes, AStep: 1, BStep: kernel.Lanes, CRow: kernel.Lanes,
		}
	}
	o.do = func(in []*Value) {
		c.eachOutPair(func(k, second int) {
			t.B0, t.D0 = in[1].mem[c.at(k, 0, 0):], in[2].mem[k*kernel.Lanes:]
			t.B1, t.D1 = nil, nil
			if second > 0 {
				t.B1, t.D1 = in[1].mem[c.at(second, 0, 0):], in[2].mem[second*kernel.Lanes:]
			}
			for i := range c.group.Images() {
				c.forwardImage(&t, rows, in[0], o.out, i, k, second)
			}
		})
	}
}

// rowTaps is, for each row of results, the rows of the filter that meet a row
// of the image and not the zeros around it.
func (c *conv) rowTaps(x *Value) []*kernel.Taps {
	var lists tapLists
	for r := range c.ys.out {
		first, count := c.ys.taps(r, c.filters.height, c.stride)
		lists.add(first, count, func() (taps []kernel.Tap) {
			for i := range c.inBlocks() {
				for y := first; y < first+count; y++ {
					taps = append(taps, kernel.Tap{A: i*x.plane() + y*x.row(), B: c.at(0, i, y)})
				}
			}
			return taps
		})
	}
	return lists.rows
}

// tapLists is the taps of rows, of which most are alike.
type tapLists struct {
	rows []*kernel.Taps
	made map[[2]int]*kernel.Taps
}

// add appends a row's taps; rows of the same first and count share them.
func (t *tapLists) add(first, count int, list func() []kernel.Tap) {
	key := [2]int{first, count}
	if t.made == nil {
		t.made = map[[2]int]*kernel.Taps{}
	}
	if t.made[key] == nil {
		t.made[key] = kernel.NewTaps(list())
	}
	t.rows = append(t.rows, t.made[key])
}

// forwardImage computes one or two blocks of channels of image i.
func (c *conv) forwardImage(t *kernel.Tile, rows []*kernel.Taps, in, out *Value, i, k, second int) {
	x, y := in.of(i), out.of(i)
	first := c.groupOf(k) * c.inBlocks()
	for r := range c.ys.out {
		t.Taps = rows[r]
		t.A = x[in.at(first, r*c.stride-c.ys.before, -c.xs.before):]
		t.C0 = y[out.at(k, r, 0):]
		if second > 0 {
			t.C1 = y[out.at(second, r, 0):]
		}
		t.Run()
	}
}

// eachPair calls do for the blocks two by two; second is 0 for a last single.
func eachPair(blocks int, do func(k, second int)) {
	for k := 0; k < blocks; k += 2 {
		if k+1 < blocks {
			do(k, k+1)
		} else {
			do(k, 0)
		}
	}
}

func (c *conv) derive(b *Builder, in G.Nodes, grad *G.Node) (G.Nodes, error) {
	x, w := in[0], in[1]
	var dx *G.Node
	var err error
	if c.turn {
		if dx, err = apply(c.inputGrad(ValueOf(x), ValueOf(grad)), grad, w); err != nil {
			return nil, err
		}
	}
	dw, err := apply(c.weightGrad(ValueOf(w)), x, grad)
	if err != nil {
		return nil, err
	}
	db, err := apply(biasGrad(c.name, c.group, ValueOf(in[2])), grad)
	return G.Nodes{dx, dw, db}, err
}
