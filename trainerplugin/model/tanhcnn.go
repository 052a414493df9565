package model

import (
	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/op"
)

// tanhCNN is the MNIST network of Papernot, Thakurta, Song, Chien and
// Erlingsson, "Tempered Sigmoid Activations for Deep Learning with
// Differential Privacy", AAAI 2021, table 1: 26,010 weights on 28×28×1.
var tanhCNN = architecture{
	name:  "tanh-cnn",
	about: "two convolutions and two dense layers with tanh (Papernot et al. 2021, MNIST)",
	build: func(b *op.Builder, x *G.Node, classes int) *G.Node {
		pool := op.Window{Size: 2, Stride: 1, Padding: op.Valid}

		x = b.Conv("conv1", x, 16, op.Window{Size: 8, Stride: 2, Padding: op.Same}, op.GlorotUniform)
		x = b.Tanh("tanh1", x)
		x = b.MaxPool("pool1", x, pool)
		x = b.Conv("conv2", x, 32, op.Window{Size: 4, Stride: 2, Padding: op.Valid}, op.GlorotUniform)
		x = b.Tanh("tanh2", x)
		x = b.MaxPool("pool2", x, pool)
		x = b.Dense("dense1", x, 32, op.GlorotUniform)
		x = b.Tanh("tanh3", x)
		return b.Dense("classifier", x, classes, op.GlorotUniform)
	},
}
