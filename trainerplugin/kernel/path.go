package kernel

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

//go:generate go -C gen run . -out ../kernels_amd64.s -stubs ../stubs_amd64.go -pkg kernel

// PathVariable is the environment variable that forces a path, to compare them
// or to repeat the bits of another machine.
const PathVariable = "SWEEP_KERNEL"

// A path is one form of every kernel. Their arguments are checked.
type path struct {
	name       string
	tile       func(*Tile)
	axpy       func(y []float32, a float32, x []float32)
	add        func(y, a, b []float32)
	sumSquares func(x []float32) float64
	laneSums   func(s *Vector, x []float32)
	tanh       func(y, x []float32)
	tanhGrad   func(dx, dy, y []float32)

	windowMax     func(y, x []float32, taps []int, step int)
	windowMaxGrad func(dx, g, x, y []float32, places, taps []int, step int)
	squareMax     func(y []float32, yRow int, x []float32, xRow, rows, columns int)
	squareMaxGrad func(dx []float32, dxRow int, g []float32, gRow int, x []float32, xRow int, y []float32, yRow, rows, columns int)

	reluSums       func(s, q *Vector, x []float32)
	reluAffine     func(y, x []float32, a, b *Vector)
	reluDots       func(s, d *Vector, g, x []float32)
	reluAffineGrad func(dx, g, x []float32, a, b, c *Vector)
	filterSums     func(s, q, d *Vector, g, w []float32)
	laneScale      func(y, x []float32, a *Vector)

	shiftedSums     func(s, q *Wide, x []float32, shift *Vector)
	standardise     func(unit, y, x []float32, mean, invStd, gain *Wide)
	standardiseGrad func(dw, g, unit []float32, mean, along, scale *Wide)

	winogradInput      func(v []float32, plane, step int, x []float32, row, tiles int)
	winogradOutput     func(y []float32, row int, m []float32, plane, tiles int)
	winogradOutputGrad func(w []float32, plane int, dy []float32, row, tiles int)
	winogradFilter     func(u []float32, plane int, w []float32, n int, turned bool)
	winogradFilterGrad func(dw, u []float32, plane, n int, add bool)

	maps [maps]func(to []float32, toRow, toColumn int, from []float32, fromRow, fromColumn, n int)
}

var plain = path{
	name:       "go-" + runtime.GOARCH,
	tile:       tileGo,
	axpy:       axpyGo,
	add:        addGo,
	sumSquares: sumSquaresGo,
	laneSums:   laneSumsGo,
	tanh:       tanhGo,
	tanhGrad:   tanhGradGo,

	windowMax:     windowMaxGo,
	windowMaxGrad: windowMaxGradGo,
	squareMax:     squareMaxGo,
	squareMaxGrad: squareMaxGradGo,

	reluSums:       reluSumsGo,
	reluAffine:     reluAffineGo,
	reluDots:       reluDotsGo,
	reluAffineGrad: reluAffineGradGo,
	filterSums:     filterSumsGo,
	laneScale:      laneScaleGo,

	shiftedSums:     shiftedSumsGo,
	standardise:     standardiseGo,
	standardiseGrad: standardiseGradGo,

	winogradInput:      winogradInputGo,
	winogradOutput:     winogradOutputGo,
	winogradOutputGrad: winogradOutputGradGo,
	winogradFilter:     winogradFilterGo,
	winogradFilterGrad: winogradFilterGradGo,

	maps: mapsGo(),
}

// paths is what this processor can run, best first; the last is plain.
var paths = append(assembled(), plain)

var use, errPath = choose(os.Getenv(PathVariable))

// choose returns the path of the given name, or the best for "".
func choose(name string) (path, error) {
	var have []string
	for _, p := range paths {
		if name == "" || name == p.name || name == "go" && p.name == plain.name {
			return p, nil
		}
		have = append(have, p.name)
	}
	return paths[0], fmt.Errorf("%s=%q: this processor has %s", PathVariable, name, strings.Join(have, ", "))
}

// Path names the kernels in use: "avx512", "avx2", or "go-" and the
// architecture. The bits of a result depend on it.
func Path() string { return use.name }

// Err says whether the environment asks for a path that this processor does
// not have; the best path is then in use instead.
func Err() error { return errPath }
