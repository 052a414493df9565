package kernel

// matrices is each map along one side, [result][number].
var matrices = [maps][][]float32{
	PolyphaseInput:      input,
	PolyphaseInputGrad:  transposed(input),
	PolyphaseOutput:     transposed(outputGrad),
	PolyphaseOutputGrad: outputGrad,
	PolyphaseFilter:     filter,
	PolyphaseFilterGrad: transposed(filter),
}

var (
	input = [][]float32{
		{1, -1, 0, 0, 0, 0},
		{0, 1, 0, 0, 0, 0},
		{0, -1, 1, 0, 0, 0},
		{0, 0, 1, 0, -1, 0},
		{0, 0, 0, 1, 1, 0},
		{0, 0, 0, -1, 1, 0},
		{0, 0, 0, -1, 0, 1},
	}
	outputGrad = [][]float32{
		{1, 0, 0, 0, 0},
		{1, 1, 0, 0, 0},
		{0, 1, 0, 0, 0},
		{0, 0, 1, 0, 0},
		{0, 0, 1, 1, 1},
		{0, 0, 1, -1, 1},
		{0, 0, 0, 0, 1},
	}
	filter = [][]float32{{1, 0}, {1, 1}, {0, 1}, {1, 0}, {0.5, 0.5}, {0.5, -0.5}, {0, 1}}
)

func transposed(m [][]float32) [][]float32 {
	t := make([][]float32, len(m[0]))
	for _, row := range m {
		for j, v := range row {
			t[j] = append(t[j], v)
		}
	}
	return t
}

// mapsGo is each map in plain Go.
func mapsGo() (all [maps]func(to []float32, toRow, toColumn int, from []float32, fromRow, fromColumn, n int)) {
	for m := range maps {
		all[m] = func(to []float32, toRow, toColumn int, from []float32, fromRow, fromColumn, n int) {
			for l := range n * Lanes {
				mapGo(m, to[l:], toRow, toColumn, from[l:], fromRow, fromColumn)
			}
		}
	}
	return all
}

// mapGo maps one lane of one square.
func mapGo(m Map, to []float32, toRow, toColumn int, from []float32, fromRow, fromColumn int) {
	var line [PolyphaseSide]float32
	for p, up := range matrices[m] {
		for j := range up {
			line[j] = 0
			for i, a := range up {
				if a != 0 {
					line[j] += a * from[i*fromRow+j*fromColumn]
				}
			}
		}
		for q, along := range matrices[m] {
			sum := float32(0)
			for j, a := range along {
				if a != 0 {
					sum += a * line[j]
				}
			}
			if m == PolyphaseFilterGrad {
				sum += to[p*toRow+q*toColumn]
			}
			to[p*toRow+q*toColumn] = sum
		}
	}
}
