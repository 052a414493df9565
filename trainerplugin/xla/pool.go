package xla

import (
	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/op"
)

// poolingOf is how d's window moves over its images.
func poolingOf(d op.Description) pooling {
	return pooling{
		size: [2]int{d.Window.Size, d.Window.Size}, strides: [2]int{d.Window.Stride, d.Window.Stride},
		padding: [2][2]int{{d.Y.Before, d.Y.After}, {d.X.Before, d.X.After}},
	}
}

// shares is 1 over the pixels of each window that lie in the image, F32 [height,
// width].
func (l *lowering) shares(d op.Description) value {
	count := func(s op.Span) value {
		var n []float64
		for i := range s.Out {
			first := i*d.Window.Stride - s.Before
			n = append(n, float64(min(s.In, first+d.Window.Size)-max(0, first)))
		}
		return l.vector(F32, n)
	}
	shape := []int{d.Y.Out, d.X.Out}
	pixels := l.mul(l.broadcast(count(d.Y), shape, 0), l.broadcast(count(d.X), shape, 1))
	return l.div(l.like(pixels, 1), pixels)
}

// poolMean: images → images.
func (l *lowering) poolMean(d op.Description, in G.Nodes) value {
	y := l.pool(sums, l.wide(l.of(in[0])), poolingOf(d))
	return l.mul(y, l.along(l.shares(d), y, 1, 2))
}

// poolMeanGrad: dy → images. Each pixel gathers from the windows that it is in,
// which are the pixels of dy, with zeros between where the stride is above 1,
// under the window turned around.
func poolMeanGrad(l *lowering, n *G.Node, d op.Description, in G.Nodes) []value {
	dy := l.wide(l.of(in[0]))
	dy = l.mul(dy, l.along(l.shares(d), dy, 1, 2))
	side := func(s op.Span) margin {
		before := d.Window.Size - 1 - s.Before
		after := s.In - (s.Out-1)*d.Window.Stride - 1 - before + d.Window.Size - 1
		return margin{before, after, d.Window.Stride - 1}
	}
	dy = l.pad(dy, margin{}, side(d.Y), side(d.X), margin{})
	dx := l.pool(sums, dy, pooling{size: [2]int{d.Window.Size, d.Window.Size}, strides: [2]int{1, 1}})
	return []value{l.result(n, dx)}
}

// poolMax: images → images.
func (l *lowering) poolMax(d op.Description, in G.Nodes) value {
	return l.pool(maxima, l.wide(l.of(in[0])), poolingOf(d))
}

// poolMaxGrad: images, result, dy → images: each window's gradient goes to its
// first maximum, by rows.
func (l *lowering) poolMaxGrad(d op.Description, in G.Nodes) value {
	return l.scatter(l.wide(l.of(in[0])), l.wide(l.of(in[2])), poolingOf(d))
}
