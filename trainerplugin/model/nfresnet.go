package model

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/op"
)

// residualAlpha scales what each residual branch of a normaliser-free network
// adds: the variance then grows by its square from block to block.
const residualAlpha = 0.2

// nfResNet50 is the normaliser-free ResNet of Brock, De and Smith 2021
// (arXiv 2101.08692) that De et al. 2022 train on ImageNet, with scaled ReLU
// and skip-init gains that start at 1. It has no stochastic depth: that would
// make an example's gradient depend on more than its views.
var nfResNet50 = architecture{
	name:  "nf-resnet-50",
	about: "normaliser-free ResNet-50 without stochastic depth (Brock et al. 2021, De et al. 2022, ImageNet)",
	build: nfResNet([4]int{3, 4, 6, 3}),
}

// nfResNet has the given number of blocks in each stage.
func nfResNet(depths [4]int) func(b *op.Builder, x *G.Node, classes int) *G.Node {
	return func(b *op.Builder, x *G.Node, classes int) *G.Node {
		x = wsConv(b, "stem", x, 64, 7, 2)
		x = b.MaxPool("pool", x, op.Window{Size: 3, Stride: 2, Padding: op.Same})
		eachNFBlock(depths, func(stage, block, stride int, beta float64) {
			name := fmt.Sprintf("stage%d/block%d", stage+1, block+1)
			x = nfResNetBlock(b, name, x, 256<<stage, stride, block == 0, beta)
		})
		x = b.ScaledReLU("relu", x, op.ReLUGain)
		x = b.GlobalAverage("average", x)
		return b.Dense("classifier", x, classes, op.Normal(0.01))
	}
}

// eachNFBlock calls do for the blocks of four stages. Beta divides the input of
// a block by its standard deviation at the start: variances are 1 after the
// first block's projection, and grow by alpha² with every block.
func eachNFBlock(depths [4]int, do func(stage, block, stride int, beta float64)) {
	variance := 1.0
	for stage, depth := range depths {
		for block := range depth {
			stride := 1
			if stage > 0 && block == 0 {
				stride = 2
			}
			do(stage, block, stride, 1/math.Sqrt(variance))
			if block == 0 {
				variance = 1
			}
			variance += residualAlpha * residualAlpha
		}
	}
}

// nfResNetBlock is x + three convolutions, the middle ones a quarter as wide;
// the first of a stage projects x.
func nfResNetBlock(b *op.Builder, name string, x *G.Node, channels, stride int, project bool, beta float64) *G.Node {
	h := b.ScaledReLU(name+"/relu0", x, float32(op.ReLUGain*beta))
	skip := x
	if project {
		skip = wsConv(b, name+"/skip", h, channels, 1, stride)
	}
	h = wsConv(b, name+"/conv0", h, channels/4, 1, 1)
	h = wsConv(b, name+"/conv1", b.ScaledReLU(name+"/relu1", h, op.ReLUGain), channels/4, 3, stride)
	h = wsConv(b, name+"/conv2", b.ScaledReLU(name+"/relu2", h, op.ReLUGain), channels, 1, 1)
	return b.SkipInit(name+"/join", skip, h, residualAlpha, op.Ones)
}
