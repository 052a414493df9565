package stats

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
)

// A Forest is a random forest for regression (Breiman 2001): trees grown on
// bootstrap samples, each split chosen among five sixths of the inputs, as SMAC has it.
type Forest struct {
	trees []tree
	x     [][]float64 // what it was grown on
	y     []float64
}

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
	enough  = 10 // samples to say anything
)

// Grow grows a forest that predicts y[i] from x[i], rows of equal length. Inputs
// without order are numbered; a tree can still tell one number from all others.
// The same seed grows the same forest, on however many cores. ok is false for fewer
// than ten samples.
func Grow(x [][]float64, y []float64, seed uint64) (f Forest, ok bool) {
	if len(x) < enough {
		return f, false
	}
	ranks := ranksOf(x)
	f = Forest{make([]tree, trees), x, y}
	var wait sync.WaitGroup
	next := make(chan int)
	for range min(trees, runtime.GOMAXPROCS(0)) {
		wait.Go(func() {
			for t := range next {
				f.trees[t] = plant(x, y, ranks, rand.New(rand.NewPCG(seed, uint64(t))))
			}
		})
	}
	for t := range trees {
		next <- t
	}
	close(next)
	wait.Wait()
	return f, true
}

func plant(x [][]float64, y []float64, ranks [][]uint64, random *rand.Rand) (one tree) {
	in, drawn := make([]int, len(x)), make([]bool, len(x))
	for i := range in {
		in[i] = random.IntN(len(x))
		drawn[in[i]] = true
	}
	g := grower{x: x, y: y, ranks: ranks, random: random}
	g.grow(in)
	one.nodes = g.nodes
	for i, was := range drawn {
		if !was {
			one.out = append(one.out, i)
		}
	}
	return one
}

// ranksOf number the samples by each input, [input][sample]: equal values share a
// number. It stands in the upper half, for keys that sort by it and then by sample.
func ranksOf(x [][]float64) [][]uint64 {
	ranks := make([][]uint64, len(x[0]))
	for j := range ranks {
		values := make([]float64, len(x))
		for i, row := range x {
			values[i] = row[j]
		}
		distinct := slices.Compact(slices.Sorted(slices.Values(values)))
		ranks[j] = make([]uint64, len(x))
		for i, v := range values {
			at, _ := slices.BinarySearch(distinct, v)
			ranks[j][i] = uint64(at) << 32
		}
	}
	return ranks
}

type grower struct {
	x      [][]float64
	y      []float64
	ranks  [][]uint64 // see ranksOf
	random *rand.Rand
	nodes  []node
	sorted []uint64 // room for cut
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
	g.sorted = g.sorted[:0]
	for _, i := range in {
		g.sorted = append(g.sorted, g.ranks[j][i]|uint64(i))
	}
	sorted := g.sorted
	slices.Sort(sorted)
	total := 0.0
	for _, key := range sorted {
		total += g.y[uint32(key)]
	}
	n, sum := float64(len(sorted)), 0.0
	for k := 1; k < len(sorted); k++ {
		last, next := uint32(sorted[k-1]), uint32(sorted[k])
		sum += g.y[last]
		if sorted[k-1]>>32 == sorted[k]>>32 || k < minLeaf || len(sorted)-k < minLeaf {
			continue
		}
		m := float64(k)
		if by := sum*sum/m + (total-sum)*(total-sum)/(n-m) - total*total/n; by > gain {
			at, gain = (g.x[last][j]+g.x[next][j])/2, by
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
