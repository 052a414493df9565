package model

import "math"

// A slow second road to the losses, in float64 and straight from the
// definitions: images are [height][width][channel], filters [height][width]
// [in][out], and nothing is blocked, padded or shared with the engine.

type array struct {
	h, w, c int
	v       []float64
}

func newArray(h, w, c int) array { return array{h, w, c, make([]float64, h*w*c)} }

func (a array) at(y, x, c int) float64 {
	if y < 0 || y >= a.h || x < 0 || x >= a.w {
		return 0
	}
	return a.v[(y*a.w+x)*a.c+c]
}

// weightReader hands out the flat weights in order.
type weightReader struct{ w []float64 }

func (r *weightReader) next(n int) []float64 {
	v := r.w[:n]
	r.w = r.w[n:]
	return v
}

// refConv is a convolution with bias; same pads as TensorFlow documents it.
func refConv(x array, w, bias []float64, k, out, stride int, same bool) array {
	oh, ow, py, px := (x.h-k)/stride+1, (x.w-k)/stride+1, 0, 0
	if same {
		oh, ow = int(math.Ceil(float64(x.h)/float64(stride))), int(math.Ceil(float64(x.w)/float64(stride)))
		py, px = max((oh-1)*stride+k-x.h, 0)/2, max((ow-1)*stride+k-x.w, 0)/2
	}
	y := newArray(oh, ow, out)
	for r := range oh {
		for q := range ow {
			for o := range out {
				s := 0.0
				if bias != nil {
					s = bias[o]
				}
				for i := range k {
					for j := range k {
						for c := range x.c {
							s += x.at(r*stride+i-py, q*stride+j-px, c) * w[((i*k+j)*x.c+c)*out+o]
						}
					}
				}
				y.v[(r*ow+q)*out+o] = s
			}
		}
	}
	return y
}

func refMap(x array, f func(float64) float64) array {
	y := newArray(x.h, x.w, x.c)
	for i, v := range x.v {
		y.v[i] = f(v)
	}
	return y
}

func refMaxPool(x array, k, stride int) array {
	y := newArray((x.h-k)/stride+1, (x.w-k)/stride+1, x.c)
	for r := range y.h {
		for q := range y.w {
			for c := range x.c {
				m := math.Inf(-1)
				for i := range k {
					for j := range k {
						m = max(m, x.at(r*stride+i, q*stride+j, c))
					}
				}
				y.v[(r*y.w+q)*x.c+c] = m
			}
		}
	}
	return y
}

func refDense(x array, w, bias []float64, out int) array {
	y := newArray(1, 1, out)
	for o := range out {
		y.v[o] = bias[o]
		for i, v := range x.v {
			y.v[o] += v * w[i*out+o]
		}
	}
	return y
}

func refCrossEntropy(logits array, label int) float64 {
	z := 0.0
	for _, v := range logits.v {
		z += math.Exp(v)
	}
	return math.Log(z) - logits.v[label]
}

// refTanhCNN is the network of Papernot et al. 2021 for MNIST.
func refTanhCNN(weights []float64, x array, classes int) array {
	r := &weightReader{weights}
	conv := func(x array, k, out, stride int, same bool) array {
		w := r.next(k * k * x.c * out)
		return refConv(x, w, r.next(out), k, out, stride, same)
	}
	dense := func(x array, out int) array {
		w := r.next(len(x.v) * out)
		return refDense(x, w, r.next(out), out)
	}
	x = refMaxPool(refMap(conv(x, 8, 16, 2, true), math.Tanh), 2, 1)
	x = refMaxPool(refMap(conv(x, 4, 32, 2, false), math.Tanh), 2, 1)
	return dense(refMap(dense(x, 32), math.Tanh), classes)
}

func refLinear(weights []float64, x array, classes int) array {
	n := len(x.v) * classes
	return refDense(x, weights[:n], weights[n:], classes)
}

// refStandardise is weight standardisation of filters [n][out] as paper.md
// section 2 has it.
func refStandardise(w, gain []float64, out int) []float64 {
	n := len(w) / out
	std := make([]float64, len(w))
	for o := range out {
		mean, variance := 0.0, 0.0
		for i := range n {
			mean += w[i*out+o] / float64(n)
		}
		for i := range n {
			variance += (w[i*out+o] - mean) * (w[i*out+o] - mean) / float64(n)
		}
		scale := gain[o] / math.Sqrt(max(variance*float64(n), 1e-4))
		for i := range n {
			std[i*out+o] = (w[i*out+o] - mean) * scale
		}
	}
	return std
}

func refGroupNorm(x array, scale, offset []float64, groups int) array {
	y := newArray(x.h, x.w, x.c)
	per := x.c / groups
	for g := range groups {
		var values []float64
		for i, v := range x.v {
			if i%x.c/per == g {
				values = append(values, v)
			}
		}
		mean, variance := 0.0, 0.0
		for _, v := range values {
			mean += v / float64(len(values))
		}
		for _, v := range values {
			variance += (v - mean) * (v - mean) / float64(len(values))
		}
		for i, v := range x.v {
			if c := i % x.c; c/per == g {
				y.v[i] = (v-mean)/math.Sqrt(variance+1e-5)*scale[c] + offset[c]
			}
		}
	}
	return y
}

func refRelu(x array) array { return refMap(x, func(v float64) float64 { return max(v, 0) }) }

// refWRN is the wide ResNet of De et al. 2022.
func refWRN(depth, width int) func([]float64, array, int) array {
	return func(weights []float64, x array, classes int) array {
		r := &weightReader{weights}
		conv := func(x array, k, out, stride int) array {
			w := r.next(k * k * x.c * out)
			w = refStandardise(w, r.next(out), out)
			return refConv(x, w, r.next(out), k, out, stride, true)
		}
		norm := func(x array) array { scale := r.next(x.c); return refGroupNorm(refRelu(x), scale, r.next(x.c), 16) }
		x = conv(x, 3, 16, 1)
		for g, c := range []int{16 * width, 32 * width, 64 * width} {
			for i := range (depth - 4) / 6 {
				stride := 1
				if g > 0 && i == 0 {
					stride = 2
				}
				skip := x
				if i == 0 {
					skip = conv(norm(x), 1, c, stride)
				}
				h := conv(norm(conv(norm(x), 3, c, stride)), 3, c, 1)
				x = newArray(h.h, h.w, h.c)
				for j := range x.v {
					x.v[j] = h.v[j] + skip.v[j]
				}
			}
		}
		x = norm(x)
		mean := newArray(1, 1, x.c)
		for i, v := range x.v {
			mean.v[i%x.c] += v / float64(x.h*x.w)
		}
		w := r.next(x.c * classes)
		return refDense(mean, w, r.next(classes), classes)
	}
}
