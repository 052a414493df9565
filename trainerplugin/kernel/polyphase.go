package kernel

// The maps of this file make a convolution of 4×4 filters with stride 2 cheaper.
// Its image falls into four phases, the pixels that are alike modulo 2, and the
// filter with it: results are the sum of four convolutions of stride 1 with 2×2
// filters. Those have fewer products by Winograd's maps (Lavin and Gray 2016,
// "Fast Algorithms for Convolutional Neural Networks", section 4), here
// F(2, 2) beside F(3, 2) along either side: 5×5 results of 6×6 pixels by 49
// products where the direct way has 100. Their numbers are 1 and ½, so that
// they round hardly more than the direct way does:
//
//	y = Aᵀ·[(G·w·Gᵀ) ⊙ (Bᵀ·x·B)]·A
//
//	     1 -1  0  0  0  0         1  0
//	     0  1  0  0  0  0         1  1         1  1  0  0  0  0  0
//	     0 -1  1  0  0  0         0  1         0  1  1  0  0  0  0
//	Bᵀ = 0  0  1  0 -1  0     G = 1  0    Aᵀ = 0  0  0  1  1  1  0
//	     0  0  0  1  1  0         ½  ½         0  0  0  0  1 -1  0
//	     0  0  0 -1  1  0         ½ -½         0  0  0  0  1  1  1
//	     0  0  0 -1  0  1         0  1
//
// A Map is one of them with its transposes, on squares of blocks of Lanes
// channels.
type Map int

const (
	PolyphaseInput      Map = iota // Bᵀ·x·B of 6×6 pixels of a phase
	PolyphaseInputGrad             // its gradient, B·v·Bᵀ
	PolyphaseOutput                // Aᵀ·m·A: 5×5 results
	PolyphaseOutputGrad            // its gradient, A·dy·Aᵀ
	PolyphaseFilter                // G·w·Gᵀ of 2×2 weights
	PolyphaseFilterGrad            // its gradient Gᵀ·u·G, added to what is there
	maps
)

// PolyphaseSide and its square are the number of products.
const (
	PolyphaseSide     = 7
	PolyphaseProducts = PolyphaseSide * PolyphaseSide
	PolyphaseResults  = 5 // along either side
)

// PolyphaseBias are the products that add up to 1 in every result.
var PolyphaseBias = [4]int{1*PolyphaseSide + 1, 1*PolyphaseSide + 4, 4*PolyphaseSide + 1, 4*PolyphaseSide + 4}

// A Square says where the blocks of a square lie: its rows and columns are so
// many floats apart.
type Square struct{ Row, Column int }

// sides is how many rows and columns of blocks a map reads and writes.
func (m Map) sides() (from, to int) { return len(matrices[m][0]), len(matrices[m]) }

// Run maps n squares whose blocks are neighbours. It panics if one reaches
// outside its array.
func (m Map) Run(to []float32, at Square, from []float32, of Square, n int) {
	rows, results := m.sides()
	at.check(len(to), results, n)
	of.check(len(from), rows, n)
	use.maps[m](to, at.Row, at.Column, from, of.Row, of.Column, n)
}

func (s Square) check(length, side, n int) {
	if min(s.Row, s.Column, n) < 0 {
		panic("kernel: square of impossible shape")
	}
	spans(length-(side-1)*s.Row, s.Column, side, n)
}
