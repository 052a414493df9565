//go:build unix

package model

import (
	"slices"
	"testing"
	"time"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/op"
)

// A call is an operation of a graph with what it reads.
type call struct {
	op G.Op
	in []G.Value
}

// callsOf lists what computes the outputs, in an order that works. It walks the
// graph on its own, without Gorgonia's compiler.
func callsOf(outputs G.Nodes) []call {
	var calls []call
	seen := map[int64]bool{}
	var visit func(n *G.Node)
	visit = func(n *G.Node) {
		if seen[n.ID()] {
			return
		}
		seen[n.ID()] = true
		var c call
		for it := n.Graph().From(n.ID()); it.Next(); {
			from := it.Node().(*G.Node)
			visit(from)
			c.in = append(c.in, op.ValueOf(from))
		}
		if c.op = n.Op(); c.op != nil && len(c.in) > 0 {
			calls = append(calls, c)
		}
	}
	for _, n := range outputs {
		visit(n)
	}
	return calls
}

// tape is Gorgonia's own machine for m's outputs.
func tape(t testing.TB, m *machine) G.VM {
	t.Helper()
	prog, locations, err := G.CompileFunction(m.Graph, m.Graph.Inputs()[:1], m.outputs)
	if err != nil {
		t.Fatal(err)
	}
	return G.NewTapeMachine(m.Graph, G.WithPrecompiled(prog, locations))
}

func runTape(t testing.TB, vm G.VM) {
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	vm.Reset()
}

// primed is a machine that has run, and the calls that do the same.
func primed(t testing.TB, name string, in Input) (*machine, []call) {
	t.Helper()
	e := open(t, name, in, 1)
	if err := e.pack(e.Init(1)); err != nil {
		t.Fatal(err)
	}
	m, err := newMachine(e.arch, e.in, e.shapeFor(1))
	if err != nil {
		t.Fatal(err)
	}
	m.oneByOne = false // as Gorgonia's machine does it
	if err := m.use(e.values); err != nil {
		t.Fatal(err)
	}
	for i := range m.Group.Examples {
		if err := m.put(i, func(img []float32) int { noise(i, 0, img); return i % in.Classes }, in.Classes); err != nil {
			t.Fatal(err)
		}
		m.weights.Row(i, 1)[0] = 1
	}
	if err := m.differentiate(m.Group.Examples, false); err != nil {
		t.Fatal(err)
	}
	return m, callsOf(m.outputs)
}

func direct(t testing.TB, calls []call) {
	for _, c := range calls {
		if _, err := c.op.Do(c.in...); err != nil {
			t.Fatal(err)
		}
	}
}

// Gorgonia's machine and the operations called directly give the program's bits,
// so the benchmark below compares like with like.
func TestGraphOtherwise(t *testing.T) {
	m, calls := primed(t, "tanh-cnn", mnist)
	want := slices.Clone(m.grad)
	vm := tape(t, m)
	for name, again := range map[string]func(){"direct calls": func() { direct(t, calls) }, "Gorgonia's machine": func() { runTape(t, vm) }} {
		clear(m.grad)
		again()
		if !slices.Equal(m.grad, want) || norm(want) == 0 {
			t.Errorf("%s gave other gradients than the program", name)
		}
	}
}

// BenchmarkGraph runs a group of images as the engine does, by the same
// operations called one after the other, and by Gorgonia's machine, in turn. It
// reports what the engine's way and Gorgonia's add to the calls: the median over
// rounds of the ratio of their times, in percent.
func BenchmarkGraph(b *testing.B) {
	for _, tt := range []struct {
		model string
		in    Input
		reps  int
	}{{"tanh-cnn", mnist, 64}, {"wrn-16-4", Input{32, 32, 3, 10}, 4}} {
		b.Run(tt.model, func(b *testing.B) {
			m, calls := primed(b, tt.model, tt.in)
			vm := tape(b, m)
			timed := func(do func()) float64 {
				start := time.Now()
				for range tt.reps {
					do()
				}
				return time.Since(start).Seconds()
			}
			var engine, kernels, program, gorgonia []float64
			for b.Loop() {
				e := timed(func() {
					if err := m.differentiate(m.Group.Examples, false); err != nil {
						b.Fatal(err)
					}
				})
				d := timed(func() { direct(b, calls) })
				v := timed(func() { runTape(b, vm) })
				engine, kernels = append(engine, e), append(kernels, d)
				program, gorgonia = append(program, e/d), append(gorgonia, v/d)
			}
			images := float64(tt.reps * m.Group.Examples)
			b.ReportMetric(images/median(engine), "views/s")
			b.ReportMetric(images/median(kernels), "direct-views/s")
			b.ReportMetric(100*(median(program)-1), "%overhead")
			b.ReportMetric(100*(median(gorgonia)-1), "%gorgonia-vm")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2]
}
