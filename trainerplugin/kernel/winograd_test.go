package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// winogradMaps is each map of a row of tiles or of n filters, from an array of
// one size to one of another; the sizes and strides are as tight as they may be.
var winogradMaps = []struct {
	name string
	run  func(p *path, to, from []float32, plane, row, n int)
	// sizes for n tiles
	to, from func(plane, row, n int) int
}{
	{"input", func(p *path, to, from []float32, plane, row, n int) {
		p.winogradInput(to, plane, plane/n, from, row, n)
	}, steppedSize, pixelsSize(4, 2)},
	{"output", func(p *path, to, from []float32, plane, row, n int) { p.winogradOutput(to, row, from, plane, n) }, pixelsSize(2, 0), planesSize},
	{"outputGrad", func(p *path, to, from []float32, plane, row, n int) { p.winogradOutputGrad(to, plane, from, row, n) }, planesSize, pixelsSize(2, 0)},
	{"filter", func(p *path, to, from []float32, plane, _, n int) { p.winogradFilter(to, plane, from, n, false) }, planesSize, tapsSize},
	{"filterTurned", func(p *path, to, from []float32, plane, _, n int) { p.winogradFilter(to, plane, from, n, true) }, planesSize, tapsSize},
	{"filterGrad", func(p *path, to, from []float32, plane, _, n int) { p.winogradFilterGrad(to, from, plane, n, false) }, tapsSize, planesSize},
	{"filterGradAdd", func(p *path, to, from []float32, plane, _, n int) { p.winogradFilterGrad(to, from, plane, n, true) }, tapsSize, planesSize},
}

func planesSize(plane, _, n int) int { return (WinogradProducts-1)*plane + n*Lanes }

// steppedSize is planesSize with tiles plane/n apart.
func steppedSize(plane, _, n int) int { return (WinogradProducts-1)*plane + (n-1)*(plane/n) + Lanes }

func tapsSize(_, _, n int) int { return 9 * n * Lanes }

func pixelsSize(rows, more int) func(plane, row, n int) int {
	return func(_, row, n int) int { return (rows-1)*row + (2*n+more)*Lanes }
}

// checkWinograd compares every path with plain Go, array against array, so that
// what lies between the results must stay too.
func checkWinograd(t *testing.T, r *rand.Rand, n, slack, skip int) {
	t.Helper()
	plane, row := n*Lanes+r.IntN(slack+1), (2*n+2)*Lanes+r.IntN(slack+1)
	for _, m := range winogradMaps {
		from, before := random(r, m.from(plane, row, n)), random(r, m.to(plane, row, n))
		want := shifted(before, 0)
		m.run(&plain, want, from, plane, row, n)
		for _, p := range paths[:len(paths)-1] {
			got := shifted(before, skip)
			m.run(&p, got, shifted(from, skip), plane, row, n)
			if !near(got, want) {
				t.Fatalf("%s of %d tiles on %s differs from plain Go", m.name, n, p.name)
			}
		}
	}
}

func TestWinogradPathsAgree(t *testing.T) {
	others(t)
	r := rand.New(rand.NewPCG(7, 7))
	for n := 1; n < 20; n++ {
		checkWinograd(t, r, n, 40, n%3)
	}
}

func FuzzWinograd(f *testing.F) {
	f.Add(uint64(1), uint8(8), uint8(3), uint8(1))
	f.Fuzz(func(t *testing.T, seed uint64, n, slack, skip uint8) {
		checkWinograd(t, rand.New(rand.NewPCG(seed, 0)), 1+int(n)%40, int(slack), int(skip)%16)
	})
}

// The maps put together are a cross-correlation, and their gradients are its
// gradients, both by their definitions in float64.
func TestWinogradIsACorrelation(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	x, w, dy := random(r, 4*4*Lanes), random(r, 3*3*Lanes), random(r, 2*2*Lanes)
	for _, p := range paths {
		v, u, m := make([]float32, 16*Lanes), make([]float32, 16*Lanes), make([]float32, 16*Lanes)
		y, dw := make([]float32, 4*Lanes), make([]float32, 9*Lanes)
		p.winogradInput(v, Lanes, Lanes, x, 4*Lanes, 1)
		p.winogradFilter(u, Lanes, w, 1, false)
		for i := range m {
			m[i] = u[i] * v[i]
		}
		p.winogradOutput(y, 2*Lanes, m, Lanes, 1)
		p.winogradOutputGrad(m, Lanes, dy, 2*Lanes, 1)
		for i := range m {
			m[i] *= v[i]
		}
		p.winogradFilterGrad(dw, m, Lanes, 1, false)
		for l := range Lanes {
			at := func(z []float32, width, i, j int) float64 { return float64(z[(i*width+j)*Lanes+l]) }
			wantDW := [9]float64{}
			for i := range 4 {
				want := 0.0
				for k := range 9 {
					pixel := at(x, 4, i/2+k/3, i%2+k%3)
					want += pixel * at(w, 3, 0, k)
					wantDW[k] += pixel * at(dy, 2, 0, i)
				}
				if math.Abs(at(y, 2, 0, i)-want) > 1e-5 {
					t.Errorf("%s: result %d is %v, want %v", p.name, i, at(y, 2, 0, i), want)
				}
			}
			for k, want := range wantDW {
				if math.Abs(at(dw, 3, 0, k)-want) > 1e-5 {
					t.Errorf("%s: gradient %d is %v, want %v", p.name, k, at(dw, 3, 0, k), want)
				}
			}
		}
	}
}

// A number in the plane of the bias is what all four results get.
func TestWinogradBias(t *testing.T) {
	m, y := make([]float32, 16*Lanes), make([]float32, 4*Lanes)
	m[WinogradBias*Lanes+3] = 2.5
	WinogradOutput(y, 2*Lanes, m, Lanes, 1)
	for i := range 4 {
		if y[i*Lanes+3] != 2.5 || y[i*Lanes+4] != 0 {
			t.Errorf("result %d is %v", i, y[i*Lanes:][:Lanes])
		}
	}
}

func TestWinogradRefusesToReachOutside(t *testing.T) {
	long, short := make([]float32, 16*Lanes), make([]float32, 15*Lanes)
	calls := map[string]func(){
		"planes":  func() { WinogradInput(short, Lanes, Lanes, long, 4*Lanes, 1) },
		"pixels":  func() { WinogradInput(long, Lanes, Lanes, short, 4*Lanes, 1) },
		"steps":   func() { WinogradInput(long, Lanes, len(long), long, 4*Lanes, 2) },
		"results": func() { WinogradOutput(long[:3*Lanes], 2*Lanes, long, Lanes, 1) },
		"taps":    func() { WinogradFilter(long, Lanes, long[:8*Lanes], 1, true) },
		"many":    func() { WinogradFilterGrad(long, long, Lanes, 2, false) },
	}
	for name, call := range calls {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}

func BenchmarkWinograd(b *testing.B) {
	const n = 16 // a row of tiles of 32 pixels
	for _, m := range winogradMaps {
		plane, row := 4*n*Lanes+Lanes, 34*Lanes
		to, from := Alloc(m.to(plane, row, n)), Alloc(m.from(plane, row, n))
		for _, p := range paths {
			b.Run(fmt.Sprintf("%s/%s", m.name, p.name), func(b *testing.B) {
				for b.Loop() {
					m.run(&p, to, from, plane, row, n)
				}
				b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(n*b.N), "ns/tile")
			})
		}
	}
}
