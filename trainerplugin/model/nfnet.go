package model

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/op"
)

// newNFNet is NFNet-F0 and its deeper relatives of Brock, De, Smith and
// Simonyan 2021 (arXiv 2102.06171): bottlenecks with two 3×3 convolutions in
// groups of 128 channels, squeeze-excite and GELU. They have no stochastic
// depth and no dropout: those would make an example's gradient depend on more
// than its views.
func newNFNet(size int) architecture {
	n := size + 1
	return architecture{
		name:  fmt.Sprintf("nfnet-f%d", size),
		about: fmt.Sprintf("NFNet-F%d without stochastic depth and dropout (Brock et al. 2021, ImageNet)", size),
		build: nfNet([4]int{n, 2 * n, 6 * n, 3 * n}),
	}
}

// nfNet has the given number of blocks in each stage.
func nfNet(depths [4]int) func(b *op.Builder, x *G.Node, classes int) *G.Node {
	return func(b *op.Builder, x *G.Node, classes int) *G.Node {
		x = nfNetStem(b, x)
		eachNFBlock(depths, func(stage, block, stride int, beta float64) {
			name := fmt.Sprintf("stage%d/block%d", stage+1, block+1)
			x = nfNetBlock(b, name, x, [4]int{256, 512, 1536, 1536}[stage], stride, block == 0, beta)
		})
		x = wsConv(b, "final", x, 3072, 1, 1)
		x = b.GlobalAverage("average", b.ScaledGELU("gelu", x, op.GELUGain))
		return b.Dense("classifier", x, classes, op.Normal(0.01))
	}
}

// nfNetStem is four convolutions, the first and last of stride 2.
func nfNetStem(b *op.Builder, x *G.Node) *G.Node {
	x = wsConv(b, "stem/conv0", x, 16, 3, 2)
	x = wsConv(b, "stem/conv1", b.ScaledGELU("stem/gelu0", x, op.GELUGain), 32, 3, 1)
	x = wsConv(b, "stem/conv2", b.ScaledGELU("stem/gelu1", x, op.GELUGain), 64, 3, 1)
	return wsConv(b, "stem/conv3", b.ScaledGELU("stem/gelu2", x, op.GELUGain), 128, 3, 2)
}

// nfNetBlock is x + four convolutions, the middle ones half as wide; the first
// of a stage projects x, averaged where the stride is 2.
func nfNetBlock(b *op.Builder, name string, x *G.Node, channels, stride int, project bool, beta float64) *G.Node {
	const groupWidth = 128
	width := channels / 2
	gelu := func(i int, x *G.Node) *G.Node {
		return b.ScaledGELU(fmt.Sprintf("%s/gelu%d", name, i), x, op.GELUGain)
	}
	grouped := func(layer string, x *G.Node, stride int) *G.Node {
		w := op.Window{Size: 3, Stride: stride, Padding: op.Same}
		return b.ConvStandardisedGrouped(name+"/"+layer, x, width, width/groupWidth, w, op.FanInNormal)
	}

	h := b.ScaledGELU(name+"/gelu0", x, float32(op.GELUGain*beta))
	skip := x
	if project {
		skip = h
		if stride > 1 {
			skip = b.AveragePool(name+"/skip/pool", h, op.Window{Size: stride, Stride: stride, Padding: op.Same})
		}
		skip = wsConv(b, name+"/skip/conv", skip, channels, 1, 1)
	}
	h = wsConv(b, name+"/conv0", h, width, 1, 1)
	h = grouped("conv1", gelu(1, h), stride)
	h = grouped("conv1b", gelu(2, h), 1)
	h = wsConv(b, name+"/conv2", gelu(3, h), channels, 1, 1)
	h = b.SqueezeExcite(name+"/excite", h, channels/2, 2, op.FanInTruncated)
	return b.SkipInit(name+"/join", skip, h, residualAlpha, op.Zeros)
}
