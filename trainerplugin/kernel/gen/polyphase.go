package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A term is a factor, ±1 or ±½, and what it multiplies.
type term struct {
	of     int
	factor float32
}

// A linear map has a list of terms for each of its results. The first factor
// of a list is positive.
type linear [][]term

// polyphase is the maps of Winograd's convolution with 2×2 filters, as package
// kernel has them.
func polyphase() {
	half := constant("polyphaseHalf", 0.5)
	input := linear{
		{{0, 1}, {1, -1}}, {{1, 1}}, {{2, 1}, {1, -1}}, {{2, 1}, {4, -1}},
		{{3, 1}, {4, 1}}, {{4, 1}, {3, -1}}, {{5, 1}, {3, -1}},
	}
	inputGrad := linear{
		{{0, 1}}, {{1, 1}, {0, -1}, {2, -1}}, {{2, 1}, {3, 1}},
		{{4, 1}, {5, -1}, {6, -1}}, {{4, 1}, {5, 1}, {3, -1}}, {{6, 1}},
	}
	output := linear{
		{{0, 1}, {1, 1}}, {{1, 1}, {2, 1}}, {{3, 1}, {4, 1}, {5, 1}}, {{4, 1}, {5, -1}}, {{4, 1}, {5, 1}, {6, 1}},
	}
	outputGrad := linear{
		{{0, 1}}, {{0, 1}, {1, 1}}, {{1, 1}}, {{2, 1}},
		{{2, 1}, {3, 1}, {4, 1}}, {{2, 1}, {4, 1}, {3, -1}}, {{4, 1}},
	}
	filter := linear{
		{{0, 1}}, {{0, 1}, {1, 1}}, {{1, 1}}, {{0, 1}},
		{{0, 0.5}, {1, 0.5}}, {{0, 0.5}, {1, -0.5}}, {{1, 1}},
	}
	filterGrad := linear{
		{{0, 1}, {1, 1}, {3, 1}, {4, 0.5}, {5, 0.5}},
		{{1, 1}, {2, 1}, {6, 1}, {4, 0.5}, {5, -0.5}},
	}
	input.square("polyphaseInputAVX2", "Bᵀ·x·B.", 6, half, false)
	inputGrad.square("polyphaseInputGradAVX2", "B·v·Bᵀ.", 7, half, false)
	output.square("polyphaseOutputAVX2", "Aᵀ·m·A.", 7, half, false)
	outputGrad.square("polyphaseOutputGradAVX2", "A·dy·Aᵀ.", 5, half, false)
	filter.square("polyphaseFilterAVX2", "G·w·Gᵀ.", 2, half, false)
	filterGrad.square("polyphaseFilterGradAVX2", "Adds Gᵀ·u·G.", 7, half, true)
}

// square is a map applied to both sides of squares of side blocks: to columns, a
// row of the result at a time, and then to that row.
func (m linear) square(name, doc string, side int, half Mem, add bool) {
	text(name, "func(to []float32, toRow, toColumn int, from []float32, fromRow, fromColumn, n int)", doc)
	to, toRow, toColumn := pointer("to"), inBytes("toRow"), columnsOf("toColumn")
	from, fromRow, fromColumn := pointer("from"), inBytes("fromRow"), columnsOf("fromColumn")
	factor := YMM()
	VMOVUPS(half, factor)
	times(Load(Param("n"), GP64()), func() {
		row, at := GP64(), GP64()
		MOVQ(to, row)
		for _, terms := range m {
			for i := range 2 {
				line := m.columns(terms, side, from, at, fromRow, fromColumn, factor, i)
				m.alongRow(line, row, toColumn, factor, add, i)
			}
			ADDQ(toRow, row)
		}
		advance(to, from)
	})
	done()
}

// columns is the sum of the terms, of one half of each column.
func (m linear) columns(terms []term, side int, from, at, row reg.GPVirtual, column multiples, half reg.VecVirtual, i int) []reg.VecVirtual {
	line := fresh(side)
	MOVQ(from, at)
	now := 0
	for n, t := range terms {
		for ; now < t.of; now++ {
			ADDQ(row, at)
		}
		for ; now > t.of; now-- {
			SUBQ(row, at)
		}
		for j := range line {
			addTerm(n == 0, t.factor, column.at(at, j, i), line[j], half)
		}
	}
	return line
}

// alongRow stores the map of a row.
func (m linear) alongRow(line []reg.VecVirtual, row reg.GPVirtual, column multiples, half reg.VecVirtual, add bool, i int) {
	for q, terms := range m {
		sum := line[terms[0].of]
		if len(terms) > 1 || add {
			sum = YMM()
			for n, t := range terms {
				addTerm(n == 0, t.factor, line[t.of], sum, half)
			}
		}
		if add {
			VADDPS(column.at(row, q, i), sum, sum)
		}
		VMOVUPS(sum, column.at(row, q, i))
	}
}

// addTerm adds a term to sum, or begins it.
func addTerm(first bool, factor float32, x Op, sum, half reg.VecVirtual) {
	switch {
	case first && factor == 1:
		VMOVUPS(x, sum)
	case first:
		VMULPS(x, half, sum)
	case factor == 1:
		VADDPS(x, sum, sum)
	case factor == -1:
		VSUBPS(x, sum, sum)
	case factor > 0:
		VFMADD231PS(x, half, sum)
	default:
		VFNMADD231PS(x, half, sum)
	}
}

// multiples is a stride, and what addresses up to six of it: three and five times.
type multiples struct{ one, three, five reg.GPVirtual }

func columnsOf(stride string) multiples {
	m := multiples{inBytes(stride), GP64(), GP64()}
	LEAQ(Mem{Base: m.one, Index: m.one, Scale: 2}, m.three)
	LEAQ(Mem{Base: m.one, Index: m.one, Scale: 4}, m.five)
	return m
}

// at is one half of the block j strides from base, for j up to 6.
func (m multiples) at(base reg.GPVirtual, j, i int) Mem {
	to := half(base, i)
	switch j {
	case 1, 2, 4:
		to.Index, to.Scale = m.one, uint8(j)
	case 3, 6:
		to.Index, to.Scale = m.three, uint8(j/3)
	case 5:
		to.Index, to.Scale = m.five, 1
	}
	return to
}
