package model

import (
	"fmt"
	"regexp"
	"strconv"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/op"
)

var wrnName = regexp.MustCompile(`^wrn-(\d{1,3})-(\d{1,2})$`)

// wideResNet finds the network that a name like "wrn-16-4" asks for.
func wideResNet(name string) (a architecture, ok bool, err error) {
	m := wrnName.FindStringSubmatch(name)
	if m == nil {
		return architecture{}, false, nil
	}
	depth, _ := strconv.Atoi(m[1])
	width, _ := strconv.Atoi(m[2])
	if depth < 10 || (depth-4)%6 != 0 {
		return architecture{}, true, fmt.Errorf("%s: the depth of a wide ResNet is 6n + 4 (10, 16, 22, 28, 40, …), not %d", name, depth)
	}
	if width < 1 {
		return architecture{}, true, fmt.Errorf("%s: the width of a wide ResNet is at least 1", name)
	}
	return newWideResNet(depth, width), true, nil
}

// newWideResNet is the network of De et al. 2022 (arXiv 2204.13650) for small
// images, after Zagoruyko and Komodakis 2016: weight standardisation in place
// of a norm's help to the convolutions, and ReLU before each group norm.
func newWideResNet(depth, width int) architecture {
	return architecture{
		name:  fmt.Sprintf("wrn-%d-%d", depth, width),
		about: fmt.Sprintf("wide ResNet of depth %d and width %d with group norm and weight standardisation (De et al. 2022)", depth, width),
		build: func(b *op.Builder, x *G.Node, classes int) *G.Node {
			x = wsConv(b, "stem", x, 16, 3, 1)
			for g, channels := range []int{16 * width, 32 * width, 64 * width} {
				for i := range (depth - 4) / 6 {
					stride := 1
					if g > 0 && i == 0 {
						stride = 2
					}
					x = wrnBlock(b, fmt.Sprintf("group%d/block%d", g+1, i+1), x, channels, stride, i == 0)
				}
			}
			x = b.ReluGroupNorm("norm", x, 16)
			x = b.GlobalAverage("average", x)
			return b.Dense("classifier", x, classes, op.FanInTruncated)
		},
	}
}

// wrnBlock is x + two convolutions; the first of a group projects x.
func wrnBlock(b *op.Builder, name string, x *G.Node, channels, stride int, project bool) *G.Node {
	skip := x
	if project { // with a norm of its own
		skip = b.ReluGroupNorm(name+"/skip/norm", x, 16)
		skip = wsConv(b, name+"/skip/conv", skip, channels, 1, stride)
	}
	h := b.ReluGroupNorm(name+"/norm1", x, 16)
	h = wsConv(b, name+"/conv1", h, channels, 3, stride)
	h = b.ReluGroupNorm(name+"/norm2", h, 16)
	h = wsConv(b, name+"/conv2", h, channels, 3, 1)
	return b.Add(name, skip, h)
}

func wsConv(b *op.Builder, name string, x *G.Node, channels, size, stride int) *G.Node {
	return b.ConvStandardised(name, x, channels, op.Window{Size: size, Stride: stride, Padding: op.Same}, op.FanInNormal)
}
