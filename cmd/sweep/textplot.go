package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"sweep/results"
	"sweep/results/chart"
)

// textPlot draws f in letters: accuracy up, epsilon to the right on a logarithmic
// scale. ● is the best of its epsilon, ○ the best where less epsilon does as well, ·
// another point, and │ the 95 % interval. It is "" where nothing can be drawn.
func textPlot(f results.Frontier, width, height int) string {
	p := newPlane(f, width, height)
	if p == nil {
		return ""
	}
	for _, d := range f.All {
		p.put(d.Epsilon, d.Accuracy, '·')
	}
	for _, b := range f.Points {
		if b.Low == nil {
			continue
		}
		low, high := p.row(*b.Low), p.row(*b.High)
		for row := min(low, high); row <= max(low, high); row++ {
			p.set(p.column(spent(b)), row, '│')
		}
	}
	for _, b := range f.Points {
		mark := '●'
		if b.Dominated {
			mark = '○'
		}
		p.put(spent(b), b.Accuracy, mark)
	}
	return p.String()
}

func spent(p results.Point) float64 {
	if p.Epsilon != 0 {
		return float64(p.Epsilon)
	}
	return float64(p.TargetEpsilon)
}

// A textPlane is a grid of letters with its two scales.
type textPlane struct {
	cells                  [][]rune
	left, right, low, high float64 // of epsilon, and of accuracy
	ticks                  []float64
}

const axisWidth = 7 // letters left of the plane

func newPlane(f results.Frontier, width, height int) *textPlane {
	p := &textPlane{left: math.Inf(1), right: math.Inf(-1), low: math.Inf(1), high: math.Inf(-1)}
	reach := func(ε, accuracy float64) {
		if ε > 0 && !math.IsInf(ε, 1) {
			p.left, p.right = min(p.left, ε), max(p.right, ε)
			p.low, p.high = min(p.low, accuracy), max(p.high, accuracy)
		}
	}
	for _, d := range f.All {
		reach(d.Epsilon, d.Accuracy)
	}
	for _, b := range f.Points {
		reach(spent(b), b.Accuracy)
		if b.Low != nil {
			reach(spent(b), *b.Low)
			reach(spent(b), *b.High)
		}
		if ε := spent(b); !math.IsInf(ε, 1) {
			p.ticks = append(p.ticks, ε)
		}
	}
	columns := width - axisWidth - 2
	if p.left > p.right || columns < 20 || height < 4 {
		return nil
	}
	if p.left == p.right {
		p.left, p.right = p.left/2, p.right*2
	}
	if pad := (p.high - p.low) * 0.05; pad == 0 {
		p.low, p.high = p.low-0.01, p.high+0.01
	} else {
		p.low, p.high = p.low-pad, p.high+pad
	}
	p.cells = make([][]rune, height)
	for i := range p.cells {
		p.cells[i] = []rune(strings.Repeat(" ", columns))
	}
	return p
}

func (p *textPlane) column(ε float64) int {
	last := float64(len(p.cells[0]) - 5) // two letters free at either side, for labels
	return 2 + int(math.Round(last*math.Log(ε/p.left)/math.Log(p.right/p.left)))
}

func (p *textPlane) row(accuracy float64) int {
	return int(math.Round(float64(len(p.cells)-1) * (p.high - accuracy) / (p.high - p.low)))
}

func (p *textPlane) set(column, row int, mark rune) {
	if row >= 0 && row < len(p.cells) && column >= 0 && column < len(p.cells[row]) {
		p.cells[row][column] = mark
	}
}

func (p *textPlane) put(ε, accuracy float64, mark rune) {
	if ε > 0 && !math.IsInf(ε, 1) {
		p.set(p.column(ε), p.row(accuracy), mark)
	}
}

// String is the plane with its axes.
func (p *textPlane) String() string {
	var b strings.Builder
	labelled := map[int]bool{0: true, len(p.cells) / 2: true, len(p.cells) - 1: true}
	for row, cells := range p.cells {
		label := ""
		if labelled[row] {
			label = fmt.Sprintf("%.1f %%", 100*(p.high-(p.high-p.low)*float64(row)/float64(len(p.cells)-1)))
		}
		fmt.Fprintf(&b, "%*s ┤%s\n", axisWidth, label, strings.TrimRight(string(cells), " "))
	}
	fmt.Fprintf(&b, "%*s └%s\n%*s  %s ε\n", axisWidth, "", strings.Repeat("─", len(p.cells[0])), axisWidth, "", p.labels())
	return b.String()
}

// labels are the epsilons below the axis, those that would run into the one before left out.
func (p *textPlane) labels() string {
	line := []rune(strings.Repeat(" ", len(p.cells[0])))
	free := 0
	slices.Sort(p.ticks)
	for _, ε := range p.ticks {
		label := []rune(chart.Number(ε))
		at := p.column(ε) - len(label)/2
		if at < free || at+len(label) > len(line) {
			continue
		}
		copy(line[at:], label)
		free = at + len(label) + 1
	}
	return strings.TrimRight(string(line), " ")
}

// sparks are the eighths of a block.
var sparks = []rune("▁▂▃▄▅▆▇█")

// sparkline draws values as blocks, at most width of them, the last ones.
func sparkline(values []float64, width int) string {
	values = values[max(0, len(values)-width):]
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if !math.IsNaN(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	var b strings.Builder
	for _, v := range values {
		switch {
		case math.IsNaN(v):
			b.WriteByte(' ')
		case high == low:
			b.WriteRune(sparks[3])
		default:
			b.WriteRune(sparks[min(7, int(8*(v-low)/(high-low)))])
		}
	}
	return b.String()
}
