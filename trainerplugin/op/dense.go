package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/kernel"
)

// dense is a fully connected layer: a filter as large as the image.
type dense struct {
	name  string
	group *Group
	*filters
}

// Dense is a fully connected layer from all of an image's numbers, flattened
// by rows, pixels and channels, to out features, with bias. Its weights are
// name/w [height·width·channels, out] and name/b [out].
func (b *Builder) Dense(name string, x *G.Node, out int, init Weights) *G.Node {
	if b.err != nil {
		return nil
	}
	in := ValueOf(x)
	if out < 1 {
		b.fail(fmt.Errorf("%s: %d features", name, out))
		return nil
	}
	f := &filters{
		height: in.height, width: in.width, in: in.channels, out: out,
		lanes: in.lanes, turn: !in.outside,
	}
	d := &dense{name: name, group: b.Group, filters: f}
	n := in.features()
	weights := b.param(&Param{
		Tensors: []Tensor{{name + "/w", []int{n, out}, init(n, out)}},
		layout:  f,
		shape:   []int{n, out},
	})
	return b.layer(d.forward(b), x, weights, b.bias(name, out))
}

// multiplies is the number of multiply-adds for one image, in each direction.
func (d *dense) multiplies() int64 {
	return int64(d.filters.height*d.filters.width*d.in) * int64(d.out)
}

// rowTaps are the rows of one image, each with the filter row it meets.
func (d *dense) rowTaps(x *Value) []kernel.Tap {
	var taps []kernel.Tap
	for i := range d.inBlocks() {
		for y := range d.filters.height {
			taps = append(taps, kernel.Tap{A: x.at(i, y, 0), B: d.at(0, i, y)})
		}
	}
	return taps
}

// forward is the operation of images, weights and bias to a matrix. The rows
// of its tiles are images.
func (d *dense) forward(b *Builder) *operation {
	o := &operation{layer: d.name, kind: "dense", what: Description{Kind: FullyConnected}, out: newMatrix(d.group.capacity(), d.out), multiplies: d.multiplies()}
	var t kernel.Tile
	o.plan = func(in []*Value) {
		t = kernel.Tile{
			Taps: kernel.NewTaps(d.rowTaps(in[0])), Depth: d.filters.width * d.lanes,
			ARow: in[0].stride, AStep: 1, BStep: kernel.Lanes, CRow: o.out.stride,
		}
	}
	o.do = func(in []*Value) {
		eachPair(d.outBlocks(), func(k, second int) {
			t.B0, t.D0 = in[1].mem[d.at(k, 0, 0):], in[2].mem[k*kernel.Lanes:]
			t.B1, t.D1 = nil, nil
			if second > 0 {
				t.B1, t.D1 = in[1].mem[d.at(second, 0, 0):], in[2].mem[second*kernel.Lanes:]
			}
			t.Rows, t.A, t.C0 = d.group.Images(), in[0].mem, o.out.mem[k*kernel.Lanes:]
			if second > 0 {
				t.C1 = o.out.mem[second*kernel.Lanes:]
			}
			t.Run()
		})
	}
	o.wrt = []bool{d.turn, true, true}
	o.derive = func(in G.Nodes, _, grad *G.Node) (G.Nodes, error) { return d.derive(b, in, grad) }
	return o
}

func (d *dense) derive(b *Builder, in G.Nodes, grad *G.Node) (G.Nodes, error) {
	x, w := in[0], in[1]
	var dx *G.Node
	var err error
	if d.turn {
		if dx, err = apply(d.inputGrad(ValueOf(x)), grad, w); err != nil {
			return nil, err
		}
	}
	gradient := d.weightGrad
	if d.group.Outer {
		gradient = d.outerGrad
	}
	dw, err := apply(gradient(ValueOf(w)), x, grad)
	if err != nil {
		return nil, err
	}
	db, err := apply(biasGrad(d.name, d.group, ValueOf(in[2])), grad)
	return G.Nodes{dx, dw, db}, err
}

// inputGrad is the operation of the gradient of the result, and the weights,
// to the gradient of the images.
func (d *dense) inputGrad(x *Value) *operation {
	o := &operation{layer: d.name, kind: "inputGrad", what: Description{Kind: FullyConnectedInputGrad}, out: x.like(), multiplies: d.multiplies()}
	var t kernel.Tile
	o.plan = func(in []*Value) {
		var taps []kernel.Tap
		for ob := range d.outBlocks() {
			taps = append(taps, kernel.Tap{A: ob * kernel.Lanes, B: d.turnedAt(ob, 0, 0)})
		}
		t = kernel.Tile{
			Taps: kernel.NewTaps(taps), Depth: kernel.Lanes,
			ARow: in[0].stride, AStep: 1, BStep: kernel.Lanes, CRow: o.out.stride,
			D0: kernel.Zero, D1: kernel.Zero,
		}
	}
	o.do = func(in []*Value) {
		eachPair(d.inBlocks(), func(k, second int) {
			for y := range d.filters.height {
				for x := range d.filters.width {
					d.inputGradPixel(&t, in[0], in[1].turned, o.out, pixel{k, second, y, x})
				}
			}
		})
	}
	return o
}

// A pixel is one or two blocks of channels of a pixel.
type pixel struct{ block, second, y, x int }

func (d *dense) inputGradPixel(t *kernel.Tile, dy *Value, turned []float32, dx *Value, p pixel) {
	tap := d.turnedAt(0, p.y, p.x)
	t.B0, t.B1 = turned[p.block*d.turnedBlock()+tap:], nil
	if p.second > 0 {
		t.B1 = turned[p.second*d.turnedBlock()+tap:]
	}
	t.Rows, t.A, t.C0 = d.group.Images(), dy.mem, dx.mem[dx.at(p.block, p.y, p.x):]
	if p.second > 0 {
		t.C1 = dx.mem[dx.at(p.second, p.y, p.x):]
	}
	t.Run()
}

// weightGrad is the operation of images and the gradient of the result to the
// per-example gradient of the weights: Σ_views x ⊗ dy.
func (d *dense) weightGrad(w *Value) *operation {
	o := &operation{layer: d.name, kind: "weightGrad", what: Description{Kind: FullyConnectedWeightGrad}, out: gradOf(d.group, w), multiplies: d.multiplies()}
	var t kernel.Tile
	o.plan = func(in []*Value) {
		t = kernel.Tile{
			Taps: kernel.NewTaps([]kernel.Tap{{}}), Depth: d.group.Views,
			Rows: d.filters.width * d.lanes, ARow: 1, AStep: in[0].stride, BStep: in[1].stride, CRow: kernel.Lanes,
		}
	}
	o.do = func(in []*Value) {
		for e := range d.group.Active {
			eachPair(d.outBlocks(), func(k, second int) {
				d.weightGradBlocks(&t, in[0], in[1], o.out.of(e), e*d.group.Views, k, second)
			})
		}
	}
	return o
}

func (d *dense) weightGradBlocks(t *kernel.Tile, x, dy *Value, g []float32, i, k, second int) {
	from := dy.mem[i*dy.stride:]
	t.B0, t.B1 = from[k*kernel.Lanes:], nil
	if second > 0 {
		t.B1 = from[second*kernel.Lanes:]
	}
	for ib := range d.inBlocks() {
		for y := range d.filters.height {
			t.A = x.mem[i*x.stride+x.at(ib, y, 0):]
			t.C0 = g[d.at(k, ib, y):]
			if second > 0 {
				t.C1 = g[d.at(second, ib, y):]
			}
			d.group.start(t)
			t.Run()
		}
	}
}
