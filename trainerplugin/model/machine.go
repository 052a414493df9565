package model

import (
	"fmt"

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
	grads                   []*op.Value // per example, of each parameter

	forward, backward G.VM

	grad   []float32 // the gradients of all parameters, for each example in turn
	stride int       // floats of one example's gradient

	forwardFloats, backwardFloats int64 // what either tape keeps in memory

	pixels []float32 // one image as the data set gives it
}

// A shape is how many images a machine takes at once.
type shape struct{ examples, views int }

// newMachine builds the graph of a. Gorgonia panics on shapes that it does not
// like; such a panic ends here, as an error.
func newMachine(a architecture, in Input, s shape) (m *machine, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
		if err != nil {
			m, err = nil, fmt.Errorf("build %s for images of %d×%d×%d: %w", a.name, in.Height, in.Width, in.Channels, err)
		}
	}()
	m = &machine{Builder: op.NewBuilder(s.examples, s.views), pixels: make([]float32, in.pixels())}
	images, labels, weights := m.Images(in.Height, in.Width, in.Channels), m.PerImage("labels"), m.PerImage("weights")
	logits := a.build(m.Builder, images, in.Classes)
	loss := m.CrossEntropy(logits, labels)
	grads, err := m.Differentiate(loss, weights)
	if err != nil {
		return nil, err
	}
	m.images, m.labels, m.weights = op.ValueOf(images), op.ValueOf(labels), op.ValueOf(weights)
	m.logits, m.loss = op.ValueOf(logits), op.ValueOf(loss)
	for i, p := range m.Params {
		m.grads = append(m.grads, op.ValueOf(grads[i]))
		m.stride += p.Packed()
	}
	m.forwardFloats, m.backwardFloats = op.Floats(G.Nodes{loss}), op.Floats(append(G.Nodes{loss}, grads...))
	if m.forward, err = tape(images, G.Nodes{loss}); err != nil {
		return nil, err
	}
	m.backward, err = tape(images, append(G.Nodes{loss}, grads...))
	return m, err
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
		at := 0
		for i, p := range m.Params {
			m.grads[i].Place(m.grad[at:], m.stride)
			at += p.Packed()
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

// example is the packed gradient of example e of the last run.
func (m *machine) example(e int) []float32 { return m.grad[e*m.stride:][:m.stride] }
