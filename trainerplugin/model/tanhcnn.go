package model

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/op"
)

// tanhCNN is the MNIST network of Papernot, Thakurta, Song, Chien and
// Erlingsson, "Tempered Sigmoid Activations for Deep Learning with
// Differential Privacy", AAAI 2021, table 1: 26,010 weights on 28×28×1. Tanh
// rises, so that the maximum over a window may be taken before it: the network is
// the same, and fewer numbers need their tanh.
var tanhCNN = architecture{
	name:  "tanh-cnn",
	about: "two convolutions and two dense layers with tanh (Papernot et al. 2021, MNIST)",
	build: func(b *op.Builder, x *G.Node, classes int) *G.Node {
		pool := op.Window{Size: 2, Stride: 1, Padding: op.Valid}

		x = b.Conv("conv1", x, 16, op.Window{Size: 8, Stride: 2, Padding: op.Same}, op.GlorotUniform)
		x = b.MaxPool("pool1", x, pool)
		x = b.Tanh("tanh1", x)
		x = b.Conv("conv2", x, 32, op.Window{Size: 4, Stride: 2, Padding: op.Valid}, op.GlorotUniform)
		x = b.MaxPool("pool2", x, pool)
		x = b.Tanh("tanh2", x)
		x = b.Dense("dense1", x, 32, op.GlorotUniform)
		x = b.Tanh("tanh3", x)
		return b.Dense("classifier", x, classes, op.GlorotUniform)
	},
}

// newTanhCIFAR is the CIFAR-10 network of Papernot et al. 2021 as the code of
// Tramèr and Boneh, "Differentially Private Learning Needs Better Features (or
// Much More Data)", ICLR 2021, has it: groups of 3×3 convolutions, a maximum
// over 2×2 after each, and two dense layers. They also have a small one.
func newTanhCIFAR(name, size string, groups [][]int) architecture {
	return architecture{
		name:  name,
		about: size + " convolutions and two dense layers with tanh (Papernot et al. 2021, CIFAR-10)",
		build: func(b *op.Builder, x *G.Node, classes int) *G.Node {
			i := 0
			for g, channels := range groups {
				for _, c := range channels {
					i++
					x = b.Conv(fmt.Sprintf("conv%d", i), x, c, op.Window{Size: 3, Stride: 1, Padding: op.Same}, op.GlorotUniform)
					x = b.Tanh(fmt.Sprintf("tanh%d", i), x)
				}
				x = b.MaxPool(fmt.Sprintf("pool%d", g+1), x, op.Window{Size: 2, Stride: 2, Padding: op.Valid})
			}
			x = b.Dense("dense1", x, 128, op.GlorotUniform)
			x = b.Tanh(fmt.Sprintf("tanh%d", i+1), x)
			return b.Dense("classifier", x, classes, op.GlorotUniform)
		},
	}
}

var (
	tanhCIFAR      = newTanhCIFAR("tanh-cnn-cifar", "six", [][]int{{32, 32}, {64, 64}, {128, 128}})
	tanhCIFARSmall = newTanhCIFAR("tanh-cnn-cifar-small", "five narrow", [][]int{{16, 16}, {32, 32}, {64}})
)
