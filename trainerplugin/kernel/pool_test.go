package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestWindowMaxGradGivesToTheFirst(t *testing.T) {
	for _, p := range paths {
		x, dx := slices.Repeat([]float32{2}, 2*Lanes), make([]float32, 2*Lanes)
		y, g := make([]float32, Lanes), slices.Repeat([]float32{5}, Lanes)
		p.windowMax(y, x, []int{Lanes, 0}, 1)
		p.windowMaxGrad(dx, g, x, y, []int{Lanes, 0}, []int{Lanes, 0}, 1)
		if y[0] != 2 || dx[0] != 0 || dx[Lanes] != 5 {
			t.Errorf("%s: maximum %v, gradients %v and %v of two equal ones; want 2, 0 and 5", p.name, y[0], dx[0], dx[Lanes])
		}
	}
}

// A window sees its taps and nothing else, whatever its step.
func TestWindowMax(t *testing.T) {
	x := make([]float32, 8*Lanes)
	for i := range x {
		x[i] = float32(i/Lanes*7%8) + float32(i%Lanes)/32 // blocks 0 7 6 5 4 3 2 1
	}
	y := make([]float32, 3*Lanes)
	WindowMax(y, x, []int{2 * Lanes, 0}, 2)
	for v, want := range []float32{6, 6, 4} {
		if got := y[v*Lanes+5]; got != want+5./32 {
			t.Errorf("maximum %d is %v, want %v", v, got, want+5./32)
		}
	}
}

// Squares are windows of four taps. Few different numbers make many equal ones,
// of which the first must have the gradient.
func TestSquares(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	few := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(r.IntN(5))
		}
		return x
	}
	for _, size := range [][2]int{{1, 1}, {1, 5}, {4, 1}, {4, 4}, {13, 13}} {
		rows, columns := size[0], size[1]
		yRow, gRow := (columns+1)*Lanes, columns*Lanes
		xRow, dxRow := (columns+1)*Lanes, (columns+3)*Lanes
		x, g := few((rows+1)*xRow), few(rows*gRow)
		y, dx := make([]float32, rows*yRow), make([]float32, (rows+1)*dxRow)
		for v := range rows {
			row := y[v*yRow:][:columns*Lanes]
			WindowMax(row, x[v*xRow:], []int{0, Lanes, xRow, xRow + Lanes}, 1)
			WindowMaxGrad(dx[v*dxRow:], g[v*gRow:][:columns*Lanes], x[v*xRow:], row,
				[]int{0, Lanes, dxRow, dxRow + Lanes}, []int{0, Lanes, xRow, xRow + Lanes}, 1)
		}
		for _, p := range paths {
			t.Run(fmt.Sprintf("%s/%dx%d", p.name, rows, columns), func(t *testing.T) {
				gotY, gotX := make([]float32, len(y)), few(len(dx))
				for v := range rows + 1 { // what SquareMaxGrad leaves alone is zero in dx
					clear(gotX[v*dxRow+(columns+1)*Lanes:][:2*Lanes])
				}
				clear(gotX[:dxRow])
				p.squareMax(gotY, yRow, x, xRow, rows, columns)
				p.squareMaxGrad(gotX, dxRow, g, gRow, x, xRow, gotY, yRow, rows, columns)
				if !slices.Equal(gotY, y) {
					t.Error("maxima differ from those of windows")
				}
				if !slices.Equal(gotX, dx) {
					t.Error("gradients differ from those of windows")
				}
			})
		}
	}
}
