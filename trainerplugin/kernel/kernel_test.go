package kernel

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"unsafe"
)

// others is every path of this processor but plain Go, which the tests compare
// them with; plain Go itself is compared with float64.
func others(t testing.TB) []path {
	if len(paths) == 1 {
		t.Skip("this processor has only the plain Go path")
	}
	return paths[:len(paths)-1]
}

func random(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// shifted is a copy of x whose address is off any alignment, by skip floats.
func shifted(x []float32, skip int) []float32 {
	y := Alloc(len(x) + skip)[skip:]
	copy(y, x)
	return y
}

func TestAlloc(t *testing.T) {
	for n := range 70 {
		x := Alloc(n)
		if at := uintptr(unsafe.Pointer(unsafe.SliceData(x))); at%64 != 0 || len(x) != n || cap(x) != n {
			t.Errorf("Alloc(%d): address %#x, length %d, capacity %d", n, at, len(x), cap(x))
		}
	}
}

// mostRows is more than any kernel takes at once.
const mostRows = 19

// tileCase is a random tile whose arrays end where its checked reach ends.
func tileCase(r *rand.Rand, rows, columns, depth, taps, skip int) *Tile {
	t := &Tile{
		Depth: depth, Rows: rows,
		ARow: r.IntN(40), AStep: r.IntN(40), BStep: 16 + r.IntN(20), CRow: 16 + r.IntN(20), DRow: 16 * r.IntN(3),
	}
	list := make([]Tap, taps)
	for i := range list {
		list[i] = Tap{r.IntN(100), r.IntN(100)}
	}
	t.Taps = NewTaps(list)
	steps := max(depth-1, 0)
	b := t.Taps.maxB + steps*t.BStep + Lanes
	c, d := (rows-1)*t.CRow+Lanes, (rows-1)*t.DRow+Lanes
	t.A = shifted(random(r, t.Taps.maxA+(rows-1)*t.ARow+steps*t.AStep+1), skip)
	t.B0, t.C0, t.D0 = shifted(random(r, b), skip), shifted(random(r, c), skip), shifted(random(r, d), skip)
	if columns == 2 {
		t.B1, t.C1, t.D1 = shifted(random(r, b), skip), shifted(random(r, c), skip), shifted(random(r, d), skip)
	}
	return t
}

// checkTile compares run with a float64 sum. The bound is that of a sum of n
// rounded products, n·2⁻²⁴ times the sum of magnitudes, and what lies between
// the rows of the result must stay.
func checkTile(t *testing.T, name string, tile *Tile, run func(*Tile)) {
	t.Helper()
	blocks := [][3][]float32{{tile.B0, tile.C0, tile.D0}}
	if tile.B1 != nil {
		blocks = append(blocks, [3][]float32{tile.B1, tile.C1, tile.D1})
	}
	var before [][]float32
	for _, b := range blocks {
		before = append(before, append([]float32(nil), b[1]...))
	}
	mine := *tile
	run(&mine)
	for i, b := range blocks {
		for at, got := range b[1] {
			row, lane := at/tile.CRow, at%tile.CRow
			if lane >= Lanes {
				if got != before[i][at] {
					t.Fatalf("%s: wrote between the rows of the result", name)
				}
				continue
			}
			want := float64(b[2][row*tile.DRow+lane])
			size := math.Abs(want)
			for _, tap := range tile.Taps.list {
				for k := range tile.Depth {
					p := float64(tile.A[tap.A+row*tile.ARow+k*tile.AStep]) * float64(b[0][tap.B+k*tile.BStep+lane])
					want += p
					size += math.Abs(p)
				}
			}
			n := float64(tile.Depth*len(tile.Taps.list) + 1)
			if math.Abs(float64(got)-want) > n*size*0x1p-24 {
				t.Fatalf("%s: C[%d][%d] = %v, want %v", name, row, lane, got, want)
			}
		}
		copy(b[1], before[i])
	}
}

func TestTile(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for rows := 1; rows <= mostRows; rows++ {
		for _, columns := range []int{1, 2} {
			for _, depth := range []int{0, 1, 2, 3, 16, 33} {
				for _, taps := range []int{0, 1, 2, 9} {
					tile := tileCase(r, rows, columns, depth, taps, r.IntN(4))
					for _, p := range paths {
						checkTile(t, p.name, tile, p.tile)
					}
				}
			}
		}
	}
}

func FuzzTile(f *testing.F) {
	f.Add(uint64(1), uint8(8), true, uint8(16), uint8(9), uint8(1))
	f.Add(uint64(2), uint8(3), false, uint8(0), uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, seed uint64, rows uint8, two bool, depth, taps, skip uint8) {
		columns := 1
		if two {
			columns = 2
		}
		r := rand.New(rand.NewPCG(seed, 0))
		tile := tileCase(r, 1+int(rows)%mostRows, columns, int(depth)%70, int(taps)%20, int(skip)%16)
		for _, p := range paths {
			checkTile(t, p.name, tile, p.tile)
		}
	})
}

// The rows of a tile do not influence each other: the bits of an example do
// not depend on who shares its tile.
func TestTileRowsAreIndependent(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, p := range paths {
		tile := tileCase(r, mostRows, 2, 16, 9, 0)
		p.tile(tile)
		for row := range mostRows {
			alone := *tile
			alone.Rows, alone.A = 1, tile.A[row*tile.ARow:]
			alone.D0, alone.D1 = tile.D0[row*tile.DRow:], tile.D1[row*tile.DRow:]
			alone.C0, alone.C1 = make([]float32, Lanes), make([]float32, Lanes)
			p.tile(&alone)
			for l := range Lanes {
				if at := row*tile.CRow + l; alone.C0[l] != tile.C0[at] || alone.C1[l] != tile.C1[at] {
					t.Fatalf("%s: row %d has other bits alone", p.name, row)
				}
			}
		}
	}
}

func TestTileRefusesToReachOutside(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	spoil := map[string]func(*Tile){
		"A":    func(t *Tile) { t.A = t.A[1:] },
		"B0":   func(t *Tile) { t.B0 = t.B0[1:] },
		"B1":   func(t *Tile) { t.B1 = t.B1[1:] },
		"C0":   func(t *Tile) { t.C0 = t.C0[1:] },
		"C1":   func(t *Tile) { t.C1 = t.C1[1:] },
		"D0":   func(t *Tile) { t.D0 = t.D0[1:] },
		"D1":   func(t *Tile) { t.D1 = t.D1[1:] },
		"rows": func(t *Tile) { t.Rows = 0 },
		"step": func(t *Tile) { t.AStep = -1 },
	}
	for name, do := range spoil {
		tile := tileCase(r, 5, 2, 4, 3, 0)
		do(tile)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: a tile that reaches outside ran", name)
				}
			}()
			tile.Run()
		}()
	}
}

func TestChoose(t *testing.T) {
	for _, p := range paths {
		if got, err := choose(p.name); err != nil || got.name != p.name {
			t.Errorf("choose(%q) = %s, %v", p.name, got.name, err)
		}
	}
	if p, err := choose("go"); err != nil || p.name != plain.name {
		t.Errorf(`choose("go") = %s, %v`, p.name, err)
	}
	if _, err := choose("mmx"); err == nil {
		t.Error(`choose("mmx") is no error`)
	}
}

// Tests that are asked to run on one path must not run on another instead.
func TestEnvironmentForcesThePath(t *testing.T) {
	want := os.Getenv(PathVariable)
	if err := Err(); err != nil {
		t.Fatal(err)
	}
	if want == "go" {
		want = plain.name
	}
	if want != "" && Path() != want {
		t.Errorf("%s=%s runs %s", PathVariable, want, Path())
	}
}

func BenchmarkTile(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	tile := tileCase(r, 32, 2, 16, 36, 0)
	tile.ARow, tile.AStep, tile.BStep, tile.CRow = Lanes, 1, Lanes, Lanes // as in a convolution
	for i := range tile.Taps.list {
		tile.Taps.list[i] = Tap{i, i * Lanes}
	}
	tile.A, tile.B0, tile.B1 = Alloc(1<<12), Alloc(1<<12), Alloc(1<<12)
	for _, p := range paths {
		b.Run(p.name, func(b *testing.B) {
			for b.Loop() {
				p.tile(tile)
			}
			b.ReportMetric(2*32*32*16*36*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
