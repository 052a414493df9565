package model

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/kernel"
	"sweep/trainerplugin/op"
)

// A machine is one graph and the programs that run it. It takes its memory when
// it first runs, and serves one goroutine at a time.
type machine struct {
	*op.Builder
	images, labels, weights *op.Value // inputs, per image
	logits, loss            *op.Value
	trained                 []*op.Param
	grads                   []*op.Value // per example, of each trained parameter

	outputs           G.Nodes // the loss, then the gradients
	forward, backward *op.Program
	gradients         *op.PerExample // what backward leaves to gradient, if anything

	grad   []float32 // the gradients that are multiplied out, for each example in turn
	at     []int     // where each parameter's begins among an example's
	stride int       // floats of one example's

	// Whether gradients are multiplied out for one example at a time, which
	// clips and adds them before the next: small ones then stay in a core's cache.
	oneByOne bool

	forwardFloats, backwardFloats         int64 // what either program keeps in memory
	scratch                               int64 // and what it uses as it runs
	forwardMultiplies, backwardMultiplies int64 // what either program computes, for an image

	pixels []float32 // one image as the data set gives it
}

// A shape is how many images a machine takes at once.
type shape struct {
	examples, views int
	outer           bool // examples have no other views; see [op.Group]
}

// oneByOneFloats is how long a gradient may be to be worked on alone: it and the
// sum that it is added to share a core's second cache. Of longer ones, several
// are added at once, so that the sum is read less often.
const oneByOneFloats = 1 << 15

// newMachine builds the graph of a and compiles it.
func newMachine(a architecture, in Input, s shape) (m *machine, err error) {
	err = building(a, in, func() error {
		g, err := newGraph(a, in, s)
		if err != nil {
			return err
		}
		m = &machine{Builder: g.Builder, pixels: make([]float32, in.pixels())}
		m.images, m.labels, m.weights = op.ValueOf(g.Images), op.ValueOf(g.Labels), op.ValueOf(g.Weights)
		m.logits, m.loss = op.ValueOf(g.Logits), op.ValueOf(g.Loss)
		m.place(g.Grads)
		m.oneByOne = s.outer && s.examples > 1 && m.stride <= oneByOneFloats
		m.outputs = append(G.Nodes{g.Loss}, g.Grads...)
		m.measure()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// place says where the gradients of the trained parameters go.
func (m *machine) place(grads G.Nodes) {
	m.trained = slices.DeleteFunc(slices.Clone(m.Params), func(p *op.Param) bool { return p.Frozen })
	for i, p := range m.trained {
		m.grads = append(m.grads, op.ValueOf(grads[i]))
		m.at = append(m.at, m.stride)
		if m.grads[i].Outer() == nil {
			m.stride += p.Packed()
		}
	}
}

// measure takes what the graph needs.
func (m *machine) measure() {
	short := m.outputs[:1]
	m.forwardFloats, m.backwardFloats = op.Floats(short), op.Floats(m.outputs)
	m.scratch = op.Scratch(m.outputs)
	m.forwardMultiplies, m.backwardMultiplies = op.Multiplies(short), op.Multiplies(m.outputs)
}

// use makes m read its weights from packed.
func (m *machine) use(packed []*op.Value) (err error) {
	m.images.Alloc()
	m.labels.Alloc()
	m.weights.Alloc()
	if err = m.Bind(packed); err != nil {
		return err
	}
	if m.forward, err = op.NewProgram(m.Group, m.outputs[:1]); err != nil {
		return err
	}
	// The last layers' gradients first: what they need comes first.
	backward := slices.Clone(m.outputs)
	slices.Reverse(backward[1:])
	if m.backward, err = op.NewProgram(m.Group, backward); err == nil && m.oneByOne {
		m.gradients = m.backward.Cut(backward[1:])
	}
	return err
}

// differentiate runs m forward and backward on the images that were put in.
// If more is true the gradients are added to those of the last run.
func (m *machine) differentiate(examples int, more bool) error {
	if m.grad == nil {
		n := m.Group.Examples
		if m.oneByOne {
			n = 1
		}
		m.grad = kernel.Alloc(n * m.stride)
		for i, g := range m.grads {
			if g.Outer() == nil {
				g.Place(m.grad[m.at[i]:], m.stride)
			}
		}
	}
	m.Group.Active, m.Group.Add = examples, more
	return m.backward.Run()
}

// gradient multiplies out the gradients of example e of the last run, if they are
// taken one by one. They replace those of the example before.
func (m *machine) gradient(e int) error {
	return m.gradients.Run(e)
}

// classify runs m forward on the images that were put in, one per example.
func (m *machine) classify(examples int) error {
	m.Group.Active = examples
	return m.forward.Run()
}

// put makes image i what at writes, and returns its class.
func (m *machine) put(i int, at func([]float32) int, classes int) error {
	label := at(m.pixels)
	if label < 0 || label >= classes {
		return fmt.Errorf("class %d is not among the model's %d", label, classes)
	}
	m.labels.Row(i, 1)[0] = float32(label)
	n := len(m.pixels) / m.images.Height()
	for y := range m.images.Height() {
		copy(m.images.Pixels(i, y), m.pixels[y*n:][:n])
	}
	return nil
}

// example is the packed gradient of example e of the last run with respect to
// parameter i, unless it is an [op.Outer]. One by one, it is that of the example
// that was multiplied out.
func (m *machine) example(e, i int) []float32 {
	if m.oneByOne {
		e = 0
	}
	return m.grad[e*m.stride+m.at[i]:][:m.trained[i].Packed()]
}

// normSq is the squared norm of that gradient over the flat weights of p,
// parameter i of the engine, which is packed in v.
func (m *machine) normSq(e, i int, p *op.Param, v *op.Value) float64 {
	if o := m.grads[i].Outer(); o != nil {
		return o.NormSq(e)
	}
	return p.NormSq(v, m.example(e, i))
}

// addTo adds to sum the gradients of examples with respect to parameter i, from
// the given one on, each times its scale, or sets sum to them if it is empty.
// Those of scale 0 are left out.
func (m *machine) addTo(sum []float32, i int, scales []float32, example int, empty bool) {
	if o := m.grads[i].Outer(); o != nil {
		if empty {
			clear(sum)
		}
		o.AddTo(sum, scales)
		return
	}
	for first := 0; first < len(sum); first += addBlock {
		m.addBlockTo(sum, first, i, scales, example, empty)
	}
}

// addBlock is how many numbers of a sum all examples are added to before the
// next: they stay in a core's first cache.
const addBlock = 1 << 12

func (m *machine) addBlockTo(sum []float32, first, i int, scales []float32, example int, empty bool) {
	end := min(first+addBlock, len(sum))
	for e := example; e < len(scales); e++ {
		s := scales[e]
		switch {
		case s == 0:
			continue
		case empty:
			kernel.Scale(sum[first:end], s, m.example(e, i)[first:end])
		default:
			kernel.Axpy(sum[first:end], s, m.example(e, i)[first:end])
		}
		empty = false
	}
	if empty {
		clear(sum[first:end])
	}
}
