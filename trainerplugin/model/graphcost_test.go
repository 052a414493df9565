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

// outputsOf is the nodes of m's loss and gradients.
func outputsOf(m *machine) G.Nodes {
	want := map[*op.Value]bool{m.loss: true}
	for _, g := range m.grads {
		want[g] = true
	}
	var out G.Nodes
	for _, n := range m.Graph.AllNodes() {
		if v := op.ValueOf(n); v != nil && want[v] {
			out = append(out, n)
		}
	}
	return out
}

// primed is a machine that has run, and the calls that do the same.
func primed(t testing.TB, name string, in Input) (*machine, []call) {
	t.Helper()
	e := open(t, name, in, 1)
	if err := e.pack(e.Init(1)); err != nil {
		t.Fatal(err)
	}
	ms, err := e.workers(e.shapeFor(1), 1)
	if err != nil {
		t.Fatal(err)
	}
	m := ms[0]
	for i := range m.Group.Examples {
		if err := m.put(i, func(img []float32) int { noise(i, 0, img); return i % in.Classes }, in.Classes); err != nil {
			t.Fatal(err)
		}
		m.weights.Row(i, 1)[0] = 1
	}
	if err := m.differentiate(m.Group.Examples, false); err != nil {
		t.Fatal(err)
	}
	return m, callsOf(outputsOf(m))
}

func direct(t testing.TB, calls []call) {
	for _, c := range calls {
		if _, err := c.op.Do(c.in...); err != nil {
			t.Fatal(err)
		}
	}
}

// The same operations called directly give the graph's bits, so the benchmark
// below compares like with like.
func TestGraphAndDirectCallsAgree(t *testing.T) {
	m, calls := primed(t, "tanh-cnn", mnist)
	want := slices.Clone(m.grad)
	clear(m.grad)
	direct(t, calls)
	if !slices.Equal(m.grad, want) || norm(want) == 0 {
		t.Errorf("%d direct calls gave other gradients than the graph", len(calls))
	}
}

// BenchmarkGraph runs a group of images through Gorgonia's machine and through
// the same operations called one after the other, in turn, and reports what
// the machine adds: the median over pairs of their CPU times, in percent.
func BenchmarkGraph(b *testing.B) {
	for _, tt := range []struct {
		model string
		in    Input
		reps  int
	}{{"tanh-cnn", mnist, 64}, {"wrn-16-4", Input{32, 32, 3, 10}, 4}} {
		b.Run(tt.model, func(b *testing.B) {
			m, calls := primed(b, tt.model, tt.in)
			timed := func(do func()) float64 {
				start := cpuTime(b)
				for range tt.reps {
					do()
				}
				return max(cpuTime(b)-start, time.Microsecond).Seconds()
			}
			var graph, kernels, ratios []float64
			for b.Loop() {
				g := timed(func() {
					if err := m.differentiate(m.Group.Examples, false); err != nil {
						b.Fatal(err)
					}
				})
				d := timed(func() { direct(b, calls) })
				graph, kernels, ratios = append(graph, g), append(kernels, d), append(ratios, g/d)
			}
			images := float64(tt.reps * m.Group.Examples)
			b.ReportMetric(images/median(graph), "graph-views/cpu-s")
			b.ReportMetric(images/median(kernels), "direct-views/cpu-s")
			b.ReportMetric(100*(median(ratios)-1), "%overhead")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2]
}
