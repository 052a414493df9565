package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// near reports whether two kernels agree within a few roundings of numbers of
// size 1, and on what is no number.
func near(a, b []float32) bool {
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		if math.IsNaN(x) != math.IsNaN(y) || math.Abs(x-y) > 1e-6*(1+math.Abs(y)) {
			return false
		}
	}
	return len(a) == len(b)
}

// each runs a vector kernel in every path on random arrays of several lengths,
// off any alignment, and compares all arrays afterwards with what plain Go left.
func each(t *testing.T, arrays int, run func(p *path, x [][]float32)) {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 5))
	for _, n := range []int{0, 16, 32, 48, 160, 1600} {
		in := make([][]float32, arrays)
		for i := range in {
			in[i] = random(r, n)
		}
		want := copies(in, 0)
		run(&plain, want)
		for _, p := range others(t) {
			for skip := range 3 {
				got := copies(in, skip)
				run(&p, got)
				for i := range got {
					if !near(got[i], want[i]) {
						t.Fatalf("%s: array %d of length %d differs from plain Go", p.name, i, n)
					}
				}
			}
		}
	}
}

func copies(x [][]float32, skip int) [][]float32 {
	var out [][]float32
	for _, v := range x {
		out = append(out, shifted(v, skip))
	}
	return out
}

func TestPathsAgree(t *testing.T) {
	t.Run("axpy", func(t *testing.T) { each(t, 2, func(p *path, x [][]float32) { p.axpy(x[0], 0.37, x[1]) }) })
	t.Run("add", func(t *testing.T) { each(t, 3, func(p *path, x [][]float32) { p.add(x[0], x[1], x[2]) }) })
	t.Run("tanh", func(t *testing.T) { each(t, 2, func(p *path, x [][]float32) { p.tanh(x[0], x[1]) }) })
	t.Run("tanhGrad", func(t *testing.T) { each(t, 3, func(p *path, x [][]float32) { p.tanhGrad(x[0], x[1], x[2]) }) })
	t.Run("laneSums", func(t *testing.T) {
		each(t, 1, func(p *path, x [][]float32) {
			var s [Lanes]float32
			p.laneSums(&s, x[0])
			copy(x[0], s[:])
		})
	})
	t.Run("sumSquares", func(t *testing.T) {
		each(t, 1, func(p *path, x [][]float32) {
			if s := p.sumSquares(x[0]); len(x[0]) > 0 {
				x[0][0] = float32(s)
			}
		})
	})
	sums := func(run func(p *path, a, b, c *Vector, x [][]float32)) func(*path, [][]float32) {
		return func(p *path, x [][]float32) {
			v := [3]Vector{{1, 2}, {3: 5}, {15: -1}}
			run(p, &v[0], &v[1], &v[2], x)
			for i := range x {
				copy(x[i], v[i][:]) // so that they are compared
			}
		}
	}
	t.Run("reluSums", func(t *testing.T) {
		each(t, 3, sums(func(p *path, a, b, _ *Vector, x [][]float32) { p.reluSums(a, b, x[0]) }))
	})
	t.Run("reluDots", func(t *testing.T) {
		each(t, 3, sums(func(p *path, a, b, _ *Vector, x [][]float32) { p.reluDots(a, b, x[0], x[1]) }))
	})
	t.Run("filterSums", func(t *testing.T) {
		each(t, 3, sums(func(p *path, a, b, c *Vector, x [][]float32) { p.filterSums(a, b, c, x[0], x[1]) }))
	})
	wide := [3]Wide{{1, 0.5, 12: -2}, {3: 1.5, 15: 0.25}, {0.75, 8: 2}}
	t.Run("shiftedSums", func(t *testing.T) {
		each(t, 2, func(p *path, x [][]float32) {
			s, q := wide[0], wide[1]
			p.shiftedSums(&s, &q, x[0], &Vector{0.5, 2: -1, 14: 0.25})
			for l := range min(Lanes, len(x[0])) {
				x[0][l], x[1][l] = float32(s[l]), float32(q[l])
			}
		})
	})
	t.Run("standardise", func(t *testing.T) {
		each(t, 3, func(p *path, x [][]float32) { p.standardise(x[0], x[1], x[2], &wide[0], &wide[1], &wide[2]) })
	})
	t.Run("standardiseGrad", func(t *testing.T) {
		each(t, 3, func(p *path, x [][]float32) { p.standardiseGrad(x[0], x[1], x[2], &wide[0], &wide[1], &wide[2]) })
	})
	a, b, c := Vector{1, 2, 3, 4}, Vector{5: -1, 11: 3}, Vector{2: 1, 15: 8}
	t.Run("reluAffine", func(t *testing.T) { each(t, 2, func(p *path, x [][]float32) { p.reluAffine(x[0], x[1], &a, &b) }) })
	t.Run("laneScale", func(t *testing.T) { each(t, 2, func(p *path, x [][]float32) { p.laneScale(x[0], x[1], &a) }) })
	t.Run("reluAffineGrad", func(t *testing.T) {
		each(t, 3, func(p *path, x [][]float32) { p.reluAffineGrad(x[0], x[1], x[2], &a, &b, &c) })
	})
	taps, places := []int{0, 3, 16, 35}, []int{35, 0, 19, 16}
	for _, step := range []int{1, 2, 3} {
		results := func(n int) int { // that fit in n floats, beyond the last tap
			return max(0, n-35-Lanes+step*Lanes) / (step * Lanes) * Lanes
		}
		t.Run(fmt.Sprintf("windowMax/%d", step), func(t *testing.T) {
			each(t, 2, func(p *path, x [][]float32) { p.windowMax(x[0][:results(len(x[0]))], x[1], taps, step) })
		})
		t.Run(fmt.Sprintf("windowMaxGrad/%d", step), func(t *testing.T) {
			each(t, 4, func(p *path, x [][]float32) {
				n := results(len(x[0]))
				plain.windowMax(x[3][:n], x[2], taps, step)
				p.windowMaxGrad(x[0], x[1][:n], x[2], x[3][:n], places, taps, step)
			})
		})
	}
}

// Numbers that are none must stay visible, whatever the path.
func TestNaNSpreads(t *testing.T) {
	nan := float32(math.NaN())
	for _, p := range paths {
		x := slices.Repeat([]float32{nan}, Lanes)
		y := make([]float32, Lanes)
		if p.tanh(y, x); !math.IsNaN(float64(y[3])) {
			t.Errorf("%s: tanh NaN = %v", p.name, y[3])
		}
		if s := p.sumSquares(x); !math.IsNaN(s) {
			t.Errorf("%s: sum of squares of NaN = %v", p.name, s)
		}
	}
}

func TestTanhIsAccurate(t *testing.T) {
	var x []float32
	for v := -12.0; v < 12; v += 1.0 / 512 {
		x = append(x, float32(v))
	}
	x = append(x, float32(math.Inf(1)), float32(math.Inf(-1)), 1e-20, -1e-20)
	x = append(x, make([]float32, (Lanes-len(x)%Lanes)%Lanes)...)
	for _, p := range paths {
		y := make([]float32, len(x))
		p.tanh(y, x)
		for i, v := range x {
			if want := math.Tanh(float64(v)); math.Abs(float64(y[i])-want) > 5e-7 {
				t.Fatalf("%s: tanh %v = %v, want %v", p.name, v, y[i], want)
			}
		}
	}
}

// Axpy, Add, SumSquares and LaneSums of plain Go, against their definitions.
func TestPlain(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	x, y := random(r, 64), random(r, 64)
	sum := make([]float32, 64)
	Add(sum, x, y)
	moved := slices.Clone(y)
	plain.axpy(moved, 3, x)
	var lanes [Lanes]float32
	plain.laneSums(&lanes, x)
	squares := 0.0
	for i := range x {
		squares += float64(x[i]) * float64(x[i])
		lanes[i%Lanes] -= x[i]
		if sum[i] != x[i]+y[i] {
			t.Errorf("add: %v + %v = %v", x[i], y[i], sum[i])
		}
		if want := float64(y[i]) + 3*float64(x[i]); math.Abs(float64(moved[i])-want) > 1e-6 {
			t.Errorf("axpy: %v + 3·%v = %v", y[i], x[i], moved[i])
		}
	}
	if got := plain.sumSquares(x); math.Abs(got-squares) > 1e-12*squares {
		t.Errorf("sum of squares %v, want %v", got, squares)
	}
	for l, d := range lanes {
		if math.Abs(float64(d)) > 1e-5 {
			t.Errorf("lane %d is off by %v", l, d)
		}
	}
}

func TestLengthsAreChecked(t *testing.T) {
	x := make([]float32, 32)
	calls := map[string]func(){
		"no multiple": func() { Tanh(x[:5], x[:5]) },
		"unequal":     func() { Axpy(x, 1, x[:16]) },
		"window":      func() { WindowMax(x, x, []int{0, 1}, 1) },
		"no window":   func() { WindowMax(x, x, nil, 1) },
		"short":       func() { SquareMax(x, Lanes, x, 2*Lanes, 1, 1) },
		"overlap":     func() { SquareMax(x, 0, make([]float32, 128), Lanes, 2, 1) },
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
