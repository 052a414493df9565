package stats

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// A forest is a random forest for regression (Breiman 2001): trees grown on
// bootstrap samples, each split chosen among five sixths of the inputs, as SMAC has it.
type forest []tree

// A tree is its nodes, the root first.
type tree struct {
	nodes []node
	out   []int // samples that it was not grown on
}

// A node splits at input < at, or is a leaf where left is 0.
type node struct {
	input       int
	at          float64
	left, right int
	value       float64
}

const (
	trees   = 64
	minLeaf = 3
)

// plant grows a forest that predicts y[i] from x[i], rows of equal length. Inputs
// without order are numbered; a tree can still tell one number from all others.
// It needs at least 2·minLeaf samples to find anything.
func plant(x [][]float64, y []float64, seed uint64) (f forest) {
	for t := range trees {
		random := rand.New(rand.NewPCG(seed, uint64(t)))
		in, drawn := make([]int, len(x)), make([]bool, len(x))
		for i := range in {
			in[i] = random.IntN(len(x))
			drawn[in[i]] = true
		}
		g := grower{x: x, y: y, random: random}
		g.grow(in)
		one := tree{nodes: g.nodes}
		for i, was := range drawn {
			if !was {
				one.out = append(one.out, i)
			}
		}
		f = append(f, one)
	}
	return f
}

type grower struct {
	x      [][]float64
	y      []float64
	random *rand.Rand
	nodes  []node
}

// grow adds the tree of the samples in, and returns its root.
func (g *grower) grow(in []int) int {
	at := len(g.nodes)
	g.nodes = append(g.nodes, node{value: g.mean(in)})
	s, found := g.split(in)
	if !found {
		return at
	}
	left := slices.DeleteFunc(slices.Clone(in), func(i int) bool { return g.x[i][s.input] >= s.at })
	right := slices.DeleteFunc(slices.Clone(in), func(i int) bool { return g.x[i][s.input] < s.at })
	l := g.grow(left)
	r := g.grow(right)
	g.nodes[at].input, g.nodes[at].at, g.nodes[at].left, g.nodes[at].right = s.input, s.at, l, r
	return at
}

func (g *grower) mean(in []int) float64 {
	sum := 0.0
	for _, i := range in {
		sum += g.y[i]
	}
	return sum / float64(len(in))
}

// split finds the cut that lowers the squared error most, among a random five
// sixths of the inputs; among all others too if those have none.
func (g *grower) split(in []int) (best node, found bool) {
	if len(in) < 2*minLeaf {
		return best, false
	}
	order := g.random.Perm(len(g.x[0]))
	gain, tried := 1e-12*g.spread(in), 0
	for _, j := range order {
		if found && tried >= (5*len(order)+5)/6 {
			break
		}
		tried++
		if at, by := g.cut(in, j); by > gain {
			best, gain, found = node{input: j, at: at}, by, true
		}
	}
	return best, found
}

func (g *grower) spread(in []int) float64 {
	mean, sum := g.mean(in), 0.0
	for _, i := range in {
		sum += (g.y[i] - mean) * (g.y[i] - mean)
	}
	return sum
}

// cut is the best place to cut input j, and by how much it lowers the error.
func (g *grower) cut(in []int, j int) (at, gain float64) {
	sorted := slices.Clone(in)
	slices.SortFunc(sorted, func(a, b int) int { return cmp.Or(cmp.Compare(g.x[a][j], g.x[b][j]), cmp.Compare(a, b)) })
	total := 0.0
	for _, i := range sorted {
		total += g.y[i]
	}
	n, sum := float64(len(sorted)), 0.0
	for k := 1; k < len(sorted); k++ {
		sum += g.y[sorted[k-1]]
		below, above := g.x[sorted[k-1]][j], g.x[sorted[k]][j]
		if below == above || k < minLeaf || len(sorted)-k < minLeaf {
			continue
		}
		m := float64(k)
		if by := sum*sum/m + (total-sum)*(total-sum)/(n-m) - total*total/n; by > gain {
			at, gain = (below+above)/2, by
		}
	}
	return at, gain
}

func (t tree) predict(row []float64) float64 {
	at := 0
	for t.nodes[at].left != 0 {
		if n := t.nodes[at]; row[n.input] < n.at {
			at = n.left
		} else {
			at = n.right
		}
	}
	return t.nodes[at].value
}
