package op

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/kernel"
)

// groupNormEpsilon is added to variances, as in the paper's code.
const groupNormEpsilon = 1e-5

// groupNorm is y = scale·(r - mean)/√(var + ε) + offset, where r = max(x, 0)
// and mean and variance are taken over an image's pixels and the channels of a
// group.
type groupNorm struct {
	name     string
	group    *Group
	channels int
	groups   int
}

// ReluGroupNorm is a ReLU followed by group normalisation (Wu and He 2018),
// in the order of De et al. 2022. Its weights are name/scale and name/offset,
// one per channel, starting at 1 and 0.
func (b *Builder) ReluGroupNorm(name string, x *G.Node, groups int) *G.Node {
	if !b.inner(name, x) {
		return nil
	}
	in := ValueOf(x)
	if groups < 1 || in.channels%groups != 0 {
		b.fail(fmt.Errorf("%s: %d channels are no whole number of %d groups", name, in.channels, groups))
		return nil
	}
	n := &groupNorm{name: name, group: b.Group, channels: in.channels, groups: groups}
	scale, offset := b.perChannel(name+"/scale", n.channels, Ones), b.perChannel(name+"/offset", n.channels, Zeros)
	moments := b.layer(n.moments(), x)
	return b.layer(n.normalise(in), x, moments, scale, offset)
}

// perChannel declares a vector of one weight per channel.
func (b *Builder) perChannel(name string, n int, init Weights) *G.Node {
	return b.param(&Param{
		Tensors: []Tensor{{name, []int{n}, init(n, n)}},
		layout:  channelwise(n),
		shape:   []int{n},
	})
}

// per is the number of channels of a group.
func (n *groupNorm) per() int { return n.channels / n.groups }

// vectors is one number for each channel. An operation makes its own before it
// first runs, since the compiler takes from the heap whatever a kernel is given.
func (n *groupNorm) vectors() []kernel.Vector {
	return make([]kernel.Vector, (n.channels+kernel.Lanes-1)/kernel.Lanes)
}

// moments is the operation of images to a matrix of each group's mean, then
// each group's 1/√(var + ε). Its part of the derivative is in inputGrad.
func (n *groupNorm) moments() *operation {
	o := &operation{layer: n.name, kind: "moments", what: Description{Kind: Moments, Groups: n.groups}, out: newMatrix(n.group.capacity(), 2*n.groups)}
	sums, squares := n.vectors(), n.vectors()
	o.do = func(in []*Value) {
		x := in[0]
		for i := range n.group.Images() {
			clear(sums)
			clear(squares)
			x.rowsWith(i, x, func(k int, row []float32, _ int) { kernel.ReluSums(&sums[k], &squares[k], row) })
			n.finish(o.out.of(i), sums, squares, float64(n.per()*x.height*x.width))
		}
	}
	return o
}

func (n *groupNorm) finish(to []float32, sums, squares []kernel.Vector, count float64) {
	for g := range n.groups {
		var s, q float64
		for c := g * n.per(); c < (g+1)*n.per(); c++ {
			s += float64(sums[c/kernel.Lanes][c%kernel.Lanes])
			q += float64(squares[c/kernel.Lanes][c%kernel.Lanes])
		}
		mean := s / count
		variance := max(0, q/count-mean*mean)
		if math.IsNaN(q) {
			variance = q
		}
		to[g], to[n.groups+g] = float32(mean), float32(1/math.Sqrt(variance+groupNormEpsilon))
	}
}

// normalise is the operation of images, moments, scale and offset to images.
func (n *groupNorm) normalise(x *Value) *operation {
	o := &operation{layer: n.name, kind: "reluGroupNorm", what: Description{Kind: GroupNorm, Groups: n.groups}, out: x.like(), wrt: []bool{true, false, true, true}}
	a, b := n.vectors(), n.vectors()
	o.do = func(in []*Value) {
		x := in[0]
		for i := range n.group.Images() {
			m := in[1].of(i)
			for c := range n.channels {
				k, l, g := c/kernel.Lanes, c%kernel.Lanes, c/n.per()
				a[k][l] = in[2].mem[c] * m[n.groups+g]
				b[k][l] = in[3].mem[c] - m[g]*a[k][l]
			}
			y := o.out.of(i)
			x.rowsWith(i, o.out, func(k int, row []float32, at int) {
				kernel.ReluAffine(y[at:][:len(row)], row, &a[k], &b[k])
			})
		}
	}
	o.derive = n.derive
	return o
}

// rowsWith calls do with every row of image i of v, and where the same row
// begins in images of w.
func (v *Value) rowsWith(i int, w *Value, do func(block int, row []float32, at int)) {
	img := v.of(i)
	n := v.width * v.lanes
	for k := range v.blocks() {
		for r := range v.height {
			do(k, img[v.at(k, r, 0):][:n], w.at(k, r, 0))
		}
	}
}

func (n *groupNorm) derive(in G.Nodes, _, grad *G.Node) (G.Nodes, error) {
	x, moments, scale := in[0], in[1], in[2]
	dots, err := apply(n.dots(), x, grad)
	if err != nil {
		return nil, err
	}
	dx, err := apply(n.inputGrad(ValueOf(x)), grad, x, moments, dots, scale)
	if err != nil {
		return nil, err
	}
	dscale, err := apply(n.scaleGrad(ValueOf(scale)), moments, dots)
	if err != nil {
		return nil, err
	}
	doffset, err := apply(n.offsetGrad(ValueOf(in[3])), dots)
	return G.Nodes{dx, nil, dscale, doffset}, err
}
