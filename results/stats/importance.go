package stats

import (
	"math/rand/v2"
	"slices"
)

// Importances are the shares, in [0, 1], of the variance of y that each column of
// x explains by itself, whatever the others are: the main effects of functional
// ANOVA over the forest (Hutter, Hoos, Leyton-Brown 2014, ICML). values[j]
// lists the values that input j has in the sweep, over which it is taken to be
// evenly distributed, and independent of the other inputs. What is missing to 1
// belongs to interactions. ok is false where there is nothing to explain: no tree
// ever split.
func (f Forest) Importances(values [][]float64) (shares []float64, ok bool) {
	shares = make([]float64, len(values))
	grown := 0
	for _, t := range f.trees {
		m := newMarginals(t, values)
		total := m.variance()
		if !(total > 0) {
			continue
		}
		grown++
		for j := range values {
			shares[j] += m.mainEffect(j) / total
		}
	}
	if grown == 0 {
		return nil, false
	}
	for j := range shares {
		shares[j] /= float64(grown)
	}
	return shares, true
}

// marginals are a tree's leaves as boxes on the grid of values.
type marginals struct {
	values [][]float64
	leaves []leaf
}

// A leaf holds for the values in[j] of each input, half-open ranges of indices.
type leaf struct {
	in    [][2]int
	share float64 // of the whole grid
	value float64
}

func newMarginals(t tree, values [][]float64) marginals {
	m := marginals{values: make([][]float64, len(values))}
	whole := make([][2]int, len(values))
	for j, v := range values {
		m.values[j] = slices.Sorted(slices.Values(v))
		whole[j] = [2]int{0, len(v)}
	}
	m.walk(t, 0, whole, 1)
	return m
}

func (m *marginals) walk(t tree, at int, in [][2]int, share float64) {
	n := t.nodes[at]
	if n.left == 0 {
		m.leaves = append(m.leaves, leaf{in, share, n.value})
		return
	}
	cut, _ := slices.BinarySearch(m.values[n.input], n.at) // the first value that goes right
	r := in[n.input]
	cut = min(max(cut, r[0]), r[1])
	for _, side := range []struct {
		child int
		r     [2]int
	}{{n.left, [2]int{r[0], cut}}, {n.right, [2]int{cut, r[1]}}} {
		if width := side.r[1] - side.r[0]; width > 0 {
			part := slices.Clone(in)
			part[n.input] = side.r
			m.walk(t, side.child, part, share*float64(width)/float64(r[1]-r[0]))
		}
	}
}

func (m marginals) mean() float64 {
	sum := 0.0
	for _, l := range m.leaves {
		sum += l.share * l.value
	}
	return sum
}

func (m marginals) variance() float64 {
	mean, sum := m.mean(), 0.0
	for _, l := range m.leaves {
		sum += l.share * (l.value - mean) * (l.value - mean)
	}
	return sum
}

// mainEffect is the variance over input j of the tree's mean at each of its values.
func (m marginals) mainEffect(j int) float64 {
	at := make([]float64, len(m.values[j]))
	for _, l := range m.leaves {
		r := l.in[j]
		// Given one value of j, the leaf's share of the rest is n/(r[1]-r[0]) of its whole.
		weight := l.share * float64(len(at)) / float64(r[1]-r[0])
		for i := r[0]; i < r[1]; i++ {
			at[i] += weight * l.value
		}
	}
	mean, sum := m.mean(), 0.0
	for _, v := range at {
		sum += (v - mean) * (v - mean)
	}
	return sum / float64(len(at))
}

// PermutationImportances are how much worse the forest predicts samples that a
// tree was not grown on when one column is shuffled among them: the rise of the
// mean squared error, over the variance of y (Breiman 2001, section 10). It is
// near 0, or a little below, for a column that says nothing. ok is false where y
// does not vary.
func (f Forest) PermutationImportances(seed uint64) (rises []float64, ok bool) {
	x, y := f.x, f.y
	rises = make([]float64, len(x[0]))
	_, std := MeanStd(y)
	if !(std > 0) {
		return nil, false
	}
	random := rand.New(rand.NewPCG(seed, 3))
	for j := range rises {
		sum, n := 0.0, 0
		for _, t := range f.trees {
			shuffled := slices.Clone(t.out)
			random.Shuffle(len(shuffled), func(a, b int) { shuffled[a], shuffled[b] = shuffled[b], shuffled[a] })
			for k, i := range t.out {
				row := slices.Clone(x[i])
				before := t.predict(row) - y[i]
				row[j] = x[shuffled[k]][j]
				after := t.predict(row) - y[i]
				sum += after*after - before*before
				n++
			}
		}
		rises[j] = sum / float64(max(1, n)) / (std * std)
	}
	return rises, true
}
