package model

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
