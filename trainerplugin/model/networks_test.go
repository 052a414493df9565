package model

import "math"

// The architectures once more, for the reference.

type network func(t *tape64, x *array, classes int) *array

// tanhNetwork is the network of Papernot et al. 2021 for MNIST.
func tanhNetwork(t *tape64, x *array, classes int) *array {
	x = t.maxPool(t.tanh(t.plain(x, filter{8, 16, 2, true})), 2, 1, false)
	x = t.maxPool(t.tanh(t.plain(x, filter{4, 32, 2, false})), 2, 1, false)
	return t.dense(t.tanh(t.dense(x, 32)), classes)
}

func linearNetwork(t *tape64, x *array, classes int) *array { return t.dense(x, classes) }

// wideNetwork is the wide ResNet of De et al. 2022, section 2 of paper.md.
func wideNetwork(depth, width int) network {
	return func(t *tape64, x *array, classes int) *array {
		norm := func(x *array) *array { return t.groupNorm(t.relu(x), 16) }
		x = t.standardised(x, filter{3, 16, 1, true})
		for g, c := range []int{16 * width, 32 * width, 64 * width} {
			for i := range (depth - 4) / 6 {
				stride := 1
				if g > 0 && i == 0 {
					stride = 2
				}
				skip := x
				if i == 0 {
					skip = t.standardised(norm(x), filter{1, c, stride, true})
				}
				h := t.standardised(norm(x), filter{3, c, stride, true})
				x = t.add(skip, t.standardised(norm(h), filter{3, c, 1, true}))
			}
		}
		return t.dense(t.average(norm(x)), classes)
	}
}

// tanhCIFARNetwork is the network of Papernot et al. 2021 for CIFAR-10.
func tanhCIFARNetwork(groups [][]int) network {
	return func(t *tape64, x *array, classes int) *array {
		for _, channels := range groups {
			for _, c := range channels {
				x = t.tanh(t.plain(x, filter{3, c, 1, true}))
			}
			x = t.maxPool(x, 2, 2, false)
		}
		return t.dense(t.tanh(t.dense(x, 128)), classes)
	}
}

// nfDepths reaches expected deviations over 1, both at the first block of a
// stage and at a later one.
var nfDepths = [4]int{1, 2, 1, 0}

// nfBlocks walks four stages of blocks; std is the expected standard deviation
// of a block's input, by which it is divided.
func nfBlocks(depths [4]int, do func(stage, block, stride int, std float64)) {
	std := 1.0
	for stage, depth := range depths {
		for block := range depth {
			stride := 1
			if stage > 0 && block == 0 {
				stride = 2
			}
			do(stage, block, stride, std)
			if block == 0 {
				std = 1
			}
			std = math.Sqrt(std*std + 0.2*0.2)
		}
	}
}

// nfResNetwork is the normaliser-free ResNet of section 2 of paper.md, but for
// the number of blocks.
func nfResNetwork(t *tape64, x *array, classes int) *array {
	relu := func(x *array) *array { return t.scaledRelu(x, 1.7139588594436646) }
	x = t.standardised(x, filter{7, 64, 2, true})
	x = t.maxPool(x, 3, 2, true)
	nfBlocks(nfDepths, func(stage, block, stride int, std float64) {
		c := []int{256, 512, 1024, 2048}[stage]
		h, skip := t.scaled(relu(x), 1/std), x
		if block == 0 {
			skip = t.standardised(h, filter{1, c, stride, true})
		}
		h = t.standardised(h, filter{1, c / 4, 1, true})
		h = t.standardised(relu(h), filter{3, c / 4, stride, true})
		h = t.standardised(relu(h), filter{1, c, 1, true})
		x = t.skipInit(skip, h, 0.2)
	})
	return t.dense(t.average(relu(x)), classes)
}

// nfNetwork is an NFNet of Brock et al. 2021, section 4 and appendix, but for
// the number of blocks.
func nfNetwork(t *tape64, x *array, classes int) *array {
	gelu := func(x *array) *array { return t.geluTanh(x, 1.7015043497085571) }
	x = t.standardised(x, filter{3, 16, 2, true})
	x = t.standardised(gelu(x), filter{3, 32, 1, true})
	x = t.standardised(gelu(x), filter{3, 64, 1, true})
	x = t.standardised(gelu(x), filter{3, 128, 2, true})
	nfBlocks(nfDepths, func(stage, block, stride int, std float64) {
		c := []int{256, 512, 1536, 1536}[stage]
		h, skip := t.scaled(gelu(x), 1/std), x
		if block == 0 {
			skip = h
			if stride == 2 {
				skip = t.averagePool(h, 2, 2, true)
			}
			skip = t.standardised(skip, filter{1, c, 1, true})
		}
		h = t.standardised(h, filter{1, c / 2, 1, true})
		h = t.standardisedGrouped(gelu(h), filter{3, c / 2, stride, true}, c/2/128)
		h = t.standardisedGrouped(gelu(h), filter{3, c / 2, 1, true}, c/2/128)
		h = t.standardised(gelu(h), filter{1, c, 1, true})
		x = t.skipInit(skip, t.squeezeExcite(h, c/2, 2), 0.2)
	})
	x = gelu(t.standardised(x, filter{1, 3072, 1, true}))
	return t.dense(t.average(x), classes)
}
