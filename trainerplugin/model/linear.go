package model

import (
	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/op"
)

// linear is multinomial logistic regression: a probe of what the pixels alone
// tell.
var linear = architecture{
	name:  "linear",
	about: "one dense layer from pixels to classes (logistic regression)",
	build: func(b *op.Builder, x *G.Node, classes int) *G.Node {
		return b.Dense("classifier", x, classes, op.Zeros)
	},
}
