package kernel

// A Tap is where one term of a [Tile]'s sum begins in A and in B, in floats.
type Tap struct{ A, B int }

// Taps is a list of terms, checked once so that every Tile that uses it is
// checked in constant time.
type Taps struct {
	list       []Tap
	maxA, maxB int
}

// NewTaps panics if an offset is negative.
func NewTaps(list []Tap) *Taps {
	t := &Taps{list: list}
	for _, p := range list {
		if p.A < 0 || p.B < 0 {
			panic("kernel: negative tap")
		}
		t.maxA, t.maxB = max(t.maxA, p.A), max(t.maxB, p.B)
	}
	return t
}

// A Tile is a product of rows with one or two blocks of Lanes columns, summed
// over taps and over Depth steps within each:
//
//	C[r][l] = D[r][l] + Σ_taps Σ_k A[tap.A + r·ARow + k·AStep] · B[tap.B + k·BStep + l]
//
// All strides are in floats and not negative. The order of the sum is the
// order of taps, then of k, whatever Rows is.
type Tile struct {
	Taps  *Taps
	Depth int // steps within a tap
	Rows  int // ≥ 1; kernels cut many of them into few at a time

	A           []float32
	ARow, AStep int

	B0, B1 []float32 // the blocks of columns; B1 is nil where there is one
	BStep  int

	C0, C1 []float32 // where the blocks of the result go
	CRow   int

	D0, D1 []float32 // what the sum starts from; they may be C0 and C1
	DRow   int       // 0 starts every row from the same Lanes numbers: a bias
}

// Zero is Lanes zeros: the D of a sum that starts from nothing.
var Zero = Alloc(Lanes)

// Run computes the tile. It panics if the tile reaches outside its arrays.
func (t *Tile) Run() {
	t.check()
	use.tile(t)
}

func (t *Tile) check() {
	if t.Rows < 1 || t.Depth < 0 || min(t.ARow, t.AStep, t.BStep, t.CRow, t.DRow) < 0 {
		panic("kernel: tile of impossible shape")
	}
	r := t.Rows - 1
	two := t.B1 != nil
	if t.Depth > 0 && len(t.Taps.list) > 0 {
		k := t.Depth - 1
		_ = t.A[t.Taps.maxA+r*t.ARow+k*t.AStep]
		b := t.Taps.maxB + k*t.BStep + Lanes - 1
		_ = t.B0[b]
		if two {
			_ = t.B1[b]
		}
	}
	c, d := r*t.CRow+Lanes-1, r*t.DRow+Lanes-1
	_, _ = t.C0[c], t.D0[d]
	if two {
		_, _ = t.C1[c], t.D1[d]
	}
}
