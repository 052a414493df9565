package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// The maps make a convolution: they are tried against its definition, in
// float64, forward and in both gradients.
func TestPolyphaseConvolution(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 11))
	const in, out, taps = 6, PolyphaseResults, 2
	x, w, dy := random(r, in*in*Lanes), random(r, taps*taps*Lanes), random(r, out*out*Lanes)
	for _, p := range paths {
		run := func(m Map, from []float32) []float32 {
			f, n := m.sides()
			to := make([]float32, n*n*Lanes)
			p.maps[m](to, n*Lanes, Lanes, from, f*Lanes, Lanes, 1)
			return to
		}
		times := func(a, b []float32) []float32 {
			c := make([]float32, len(a))
			for i := range a {
				c[i] = a[i] * b[i]
			}
			return c
		}
		v, u, dm := run(PolyphaseInput, x), run(PolyphaseFilter, w), run(PolyphaseOutputGrad, dy)
		y, dx, dw := run(PolyphaseOutput, times(v, u)), run(PolyphaseInputGrad, times(dm, u)), run(PolyphaseFilterGrad, times(v, dm))
		wantY, wantX, wantW := make([]float64, len(y)), make([]float64, len(dx)), make([]float64, len(dw))
		for i := range out * out * taps * taps {
			yy, yx, ky, kx := i/(out*taps*taps), i/(taps*taps)%out, i/taps%taps, i%taps
			for l := range Lanes {
				a, b, c := ((yy+ky)*in+yx+kx)*Lanes+l, (ky*taps+kx)*Lanes+l, (yy*out+yx)*Lanes+l
				wantY[c] += float64(x[a]) * float64(w[b])
				wantX[a] += float64(dy[c]) * float64(w[b])
				wantW[b] += float64(x[a]) * float64(dy[c])
			}
		}
		for name, c := range map[string]struct {
			got  []float32
			want []float64
		}{"results": {y, wantY}, "gradient of the image": {dx, wantX}, "gradient of the weights": {dw, wantW}} {
			for i, want := range c.want {
				if math.Abs(float64(c.got[i])-want) > 2e-6*(1+math.Abs(want)) {
					t.Fatalf("%s: %s: number %d is %v, want %v", p.name, name, i, c.got[i], want)
				}
			}
		}
	}
}

// Every path maps as plain Go does, bit for bit, wherever the blocks lie.
func TestPolyphasePathsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 12))
	for m := range maps {
		side, results := m.sides()
		for _, n := range []int{0, 1, 3} {
			at, of := Square{Row: 8*n*Lanes + 5, Column: n*Lanes + 3}, Square{Row: 9*n*Lanes + 1, Column: n*Lanes + 7}
			from := random(r, (side-1)*(of.Row+of.Column)+n*Lanes)
			before := random(r, (results-1)*(at.Row+at.Column)+n*Lanes)
			want := shifted(before, 0)
			plain.maps[m](want, at.Row, at.Column, from, of.Row, of.Column, n)
			for _, p := range others(t) {
				t.Run(fmt.Sprintf("%s/%d/%d", p.name, m, n), func(t *testing.T) {
					got := shifted(before, 1)
					p.maps[m](got, at.Row, at.Column, shifted(from, 2), of.Row, of.Column, n)
					if !near(got, want) {
						t.Error("differs from plain Go")
					}
				})
			}
		}
	}
}

func TestMapsAreChecked(t *testing.T) {
	x := make([]float32, 36*Lanes)
	for name, call := range map[string]func(){
		"short result": func() { PolyphaseInput.Run(x, Square{7 * Lanes, Lanes}, x, Square{6 * Lanes, Lanes}, 1) },
		"short input":  func() { PolyphaseOutput.Run(x, Square{5 * Lanes, Lanes}, x, Square{7 * Lanes, Lanes}, 1) },
		"negative": func() {
			PolyphaseFilterGrad.Run(x, Square{-Lanes, Lanes}, make([]float32, 49*Lanes), Square{7 * Lanes, Lanes}, 1)
		},
	} {
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
