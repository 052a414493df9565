package xla

import (
	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/op"
)

// convolution: images, weights, bias → images.
func (l *lowering) convolution(d op.Description, in G.Nodes) value {
	x, w := l.of(in[0]), l.param(in[1]).value
	y := l.convolve(l.operand(x), w, filter{
		strides: [2]int{d.Window.Stride, d.Window.Stride},
		padding: [2][2]int{{d.Y.Before, d.Y.After}, {d.X.Before, d.X.After}},
		dilated: [2]int{1, 1}, groups: d.Groups, kernel: "0, 1, i, o",
		shape: []int{x.shape[0], d.Y.Out, d.X.Out, w.shape[3]},
		exact: l.config.exact(),
	})
	y = l.wide(y)
	return l.add(y, l.along(l.param(in[2]).value, y, 3))
}

// convolutionInputGrad: dy, weights → images. It is the convolution of dy, with
// zeros between pixels where the stride is above 1, with the filters turned
// around: compilers know this form.
func convolutionInputGrad(l *lowering, n *G.Node, d op.Description, in G.Nodes) []value {
	dy, w := l.operand(l.of(in[0])), l.param(in[1]).value
	size, stride := d.Window.Size, d.Window.Stride
	side := func(s op.Span) [2]int {
		before := size - 1 - s.Before
		return [2]int{before, s.In - (s.Out-1)*stride - 1 - before + size - 1}
	}
	dx := l.convolve(dy, l.reverse(l.turned(w, d.Groups), 0, 1), filter{
		strides: [2]int{1, 1},
		padding: [2][2]int{side(d.Y), side(d.X)},
		dilated: [2]int{stride, stride}, groups: d.Groups, kernel: "0, 1, o, i",
		shape: l.shape(n),
		exact: l.config.exact(),
	})
	return []value{l.result(n, l.wide(dx))}
}

// turned arranges filters [height, width, in/groups, out] so that each group
// goes from its outputs to its inputs: [height, width, in, out/groups].
func (l *lowering) turned(w value, groups int) value {
	if groups == 1 {
		return w
	}
	h, b, in, out := w.shape[0], w.shape[1], w.shape[2], w.shape[3]
	w = l.reshape(w, h, b, in, groups, out/groups)
	w = l.transpose(w, 0, 1, 3, 2, 4)
	return l.reshape(w, h, b, groups*in, out/groups)
}

// taps are the images as each position of the window meets them, row by row.
func (l *lowering) taps(x value, d op.Description) []value {
	size, stride := d.Window.Size, d.Window.Stride
	x = l.pad(x, margin{}, margin{d.Y.Before, d.Y.After, 0}, margin{d.X.Before, d.X.After, 0}, margin{})
	var out []value
	for ky := range size {
		for kx := range size {
			out = append(out, l.slice(x, cut{0, x.shape[0], 1},
				cut{ky, ky + (d.Y.Out-1)*stride + 1, stride}, cut{kx, kx + (d.X.Out-1)*stride + 1, stride}, cut{0, x.shape[3], 1}))
		}
	}
	return out
}

// convolutionWeightGrad: images, dy → per-example gradient.
func (l *lowering) convolutionWeightGrad(d op.Description, in G.Nodes) gradient {
	x, dy := l.operand(l.of(in[0])), l.operand(l.of(in[1]))
	g := &filterGrad{groups: d.Groups, config: l.config, kept: l.config.Views > 1}
	places := l.config.Views * d.Y.Out * d.X.Out
	grouped := func(v value) value {
		return l.reshape(v, l.config.Microbatch, places, d.Groups, v.shape[3]/d.Groups)
	}
	g.dy = grouped(dy)
	for _, tap := range l.taps(x, d) {
		g.x = append(g.x, grouped(tap))
	}
	if l.config.Patches {
		g.x = []value{l.concat(3, g.x...)}
	}
	return g
}
