package model

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/kernel"
	"sweep/trainerplugin/op"
)

// A machine is one graph and the tape machines that run it. It takes its
// memory when it first runs, and serves one goroutine at a time.
type machine struct {
	*op.Builder
	images, labels, weights *op.Value // inputs, per image
	logits, loss            *op.Value
	trained                 []*op.Param
	grads                   []*op.Value // per example, of each trained parameter

	forward, backward G.VM

	grad   []float32 // the gradients that are multiplied out, for each example in turn
	at     []int     // where each parameter's begins among an example's
	stride int       // floats of one example's

	forwardFloats, backwardFloats         int64 // what either tape keeps in memory
	scratch                               int64 // and what it uses as it runs
	forwardMultiplies, backwardMultiplies int64 // what either tape computes, for an image

	pixels []float32 // one image as the data set gives it
}

// A shape is how many images a machine takes at once.
type shape struct {
	examples, views int
	outer           bool // examples have no other views; see [op.Group]
}

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
		return m.compile(g)
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

func (m *machine) compile(g *Graph) (err error) {
	short, whole := G.Nodes{g.Loss}, append(G.Nodes{g.Loss}, g.Grads...)
	m.forwardFloats, m.backwardFloats = op.Floats(short), op.Floats(whole)
	m.scratch = op.Scratch(whole)
	m.forwardMultiplies, m.backwardMultiplies = op.Multiplies(short), op.Multiplies(whole)
	if m.forward, err = tape(g.Images, short); err != nil {
		return err
	}
	m.backward, err = tape(g.Images, whole)
	return err
}

// tape compiles what outputs need of input's graph, and no more.
func tape(input *G.Node, outputs G.Nodes) (G.VM, error) {
	g := input.Graph()
	prog, locations, err := G.CompileFunction(g, G.Nodes{input}, outputs)
	if err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	return G.NewTapeMachine(g, G.WithPrecompiled(prog, locations)), nil
}

// use makes m read its weights from packed.
func (m *machine) use(packed []*op.Value) error {
	m.images.Alloc()
	m.labels.Alloc()
	m.weights.Alloc()
	return m.Bind(packed)
}

// differentiate runs m forward and backward on the images that were put in.
// If more is true the gradients are added to those of the last run.
func (m *machine) differentiate(examples int, more bool) error {
	if m.grad == nil {
		m.grad = kernel.Alloc(m.Group.Examples * m.stride)
		for i, g := range m.grads {
			if g.Outer() == nil {
				g.Place(m.grad[m.at[i]:], m.stride)
			}
		}
	}
	m.Group.Active, m.Group.Add = examples, more
	return run(m.backward)
}

// classify runs m forward on the images that were put in, one per example.
func (m *machine) classify(examples int) error {
	m.Group.Active = examples
	return run(m.forward)
}

func run(vm G.VM) error {
	defer vm.Reset()
	return vm.RunAll()
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
// parameter i, unless it is an [op.Outer].
func (m *machine) example(e, i int) []float32 {
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

// addTo adds to sum the gradients of the first examples with respect to
// parameter i, each times its scale. Those of scale 0 are left out.
func (m *machine) addTo(sum []float32, i int, scales []float32) {
	if o := m.grads[i].Outer(); o != nil {
		o.AddTo(sum, scales)
		return
	}
	for e, s := range scales {
		if s != 0 {
			kernel.Axpy(sum, s, m.example(e, i))
		}
	}
}
