package model

import "math"

// A slow second road to losses and gradients: reverse-mode differentiation in
// float64, straight from the definitions. Images are [height][width][channel],
// filters [height][width][in][out]; nothing is blocked, padded, standardised
// in advance or otherwise shared with the engine. TestReference checks it
// against central differences.

// An array is an image, or a vector of one pixel, with its gradient.
type array struct {
	h, w, c int
	v, g    []float64
}

func newArray(h, w, c int) *array {
	return &array{h, w, c, make([]float64, h*w*c), make([]float64, h*w*c)}
}

// at is the index of a pixel, or -1 outside.
func (a *array) at(y, x int) int {
	if y < 0 || y >= a.h || x < 0 || x >= a.w {
		return -1
	}
	return (y*a.w + x) * a.c
}

// A tape is a forward pass that can be run backward.
type tape64 struct {
	weights, grads []float64 // not yet used ones
	back           []func()  // in the order of the forward pass
	pieces         *pieces   // what decides the sides of ReLUs, if not their inputs
}

// next takes the next n weights and their gradients.
func (t *tape64) next(n int) (w, g []float64) {
	w, g = t.weights[:n], t.grads[:n]
	t.weights, t.grads = t.weights[n:], t.grads[n:]
	return w, g
}

func (t *tape64) backward() {
	for i := len(t.back) - 1; i >= 0; i-- {
		t.back[i]()
	}
}

// filter is a convolution's shape.
type filter struct {
	size, out, stride int
	same              bool // zeros around the image, as TensorFlow documents it
}

// conv is a convolution with filters w, whose gradient goes to dw, and a bias.
func (t *tape64) conv(x *array, f filter, w, dw []float64) *array {
	oh, ow, py, px := (x.h-f.size)/f.stride+1, (x.w-f.size)/f.stride+1, 0, 0
	if f.same {
		oh, ow = (x.h+f.stride-1)/f.stride, (x.w+f.stride-1)/f.stride
		py, px = max((oh-1)*f.stride+f.size-x.h, 0)/2, max((ow-1)*f.stride+f.size-x.w, 0)/2
	}
	bias, dbias := t.next(f.out)
	y := newArray(oh, ow, f.out)
	for i := range y.v {
		y.v[i] = bias[i%f.out]
	}
	// each calls do with every product: the output pixel, the input number
	// and the first of the weights between them.
	each := func(do func(to, from, weight int)) {
		for p := range oh * ow {
			for k := range f.size * f.size {
				from := x.at(p/ow*f.stride+k/f.size-py, p%ow*f.stride+k%f.size-px)
				for c := 0; from >= 0 && c < x.c; c++ {
					do(p*f.out, from+c, (k*x.c+c)*f.out)
				}
			}
		}
	}
	each(func(to, from, weight int) {
		v := x.v[from]
		for o, m := range w[weight : weight+f.out] {
			y.v[to+o] += v * m
		}
	})
	t.back = append(t.back, func() {
		each(func(to, from, weight int) {
			s := 0.0
			for o, g := range y.g[to : to+f.out] {
				s += g * w[weight+o]
				dw[weight+o] += g * x.v[from]
			}
			x.g[from] += s
		})
		for i, g := range y.g {
			dbias[i%f.out] += g
		}
	})
	return y
}

// plain is a convolution whose filters are weights themselves.
func (t *tape64) plain(x *array, f filter) *array {
	w, dw := t.next(f.size * f.size * x.c * f.out)
	return t.conv(x, f, w, dw)
}

// standardised is a convolution under weight standardisation.
func (t *tape64) standardised(x *array, f filter) *array {
	std, dstd := t.standardisedFilters(f.size*f.size*x.c, f.out)
	return t.conv(x, f, std, dstd)
}

// standardisedFilters takes the next filters of n weights each and their gains,
// and standardises them as section 2 of paper.md has it: scale =
// gain·rsqrt(max(var·fan, 1e-4)), w' = (w - mean)·scale.
func (t *tape64) standardisedFilters(n, out int) (std, dstd []float64) {
	w, dw := t.next(n * out)
	gain, dgain := t.next(out)
	std, dstd = make([]float64, len(w)), make([]float64, len(w))
	for o := range out {
		mean, variance := moments(n, func(i int) float64 { return w[i*out+o] })
		root := 1 / math.Sqrt(max(variance*float64(n), 1e-4))
		for i := range n {
			std[i*out+o] = (w[i*out+o] - mean) * root * gain[o]
		}
		t.back = append(t.back, func() {
			// The chain rule in steps: centred = w - mean, root by the variance.
			var droot, sum float64
			dcentred := make([]float64, n)
			for i := range n {
				centred, g := w[i*out+o]-mean, dstd[i*out+o]
				dgain[o] += g * centred * root
				droot += g * centred * gain[o]
				dcentred[i] = g * root * gain[o]
			}
			for i := range n {
				if variance*float64(n) > 1e-4 { // d root/d centred = -root³·centred
					dcentred[i] -= droot * root * root * root * (w[i*out+o] - mean)
				}
				sum += dcentred[i]
			}
			for i := range n {
				dw[i*out+o] += dcentred[i] - sum/float64(n)
			}
		})
	}
	return std, dstd
}

func moments(n int, at func(int) float64) (mean, variance float64) {
	for i := range n {
		mean += at(i) / float64(n)
	}
	for i := range n {
		variance += (at(i) - mean) * (at(i) - mean) / float64(n)
	}
	return mean, variance
}

// dense is a fully connected layer with bias.
func (t *tape64) dense(x *array, out int) *array {
	flat := &array{1, 1, len(x.v), x.v, x.g}
	return t.plain(flat, filter{size: 1, out: out, stride: 1})
}

// each applies f, of derivative df, which is given x and f(x).
func (t *tape64) each(x *array, f func(float64) float64, df func(x, y float64) float64) *array {
	y := newArray(x.h, x.w, x.c)
	for i, v := range x.v {
		y.v[i] = f(v)
	}
	t.back = append(t.back, func() {
		for i, g := range y.g {
			x.g[i] += g * df(x.v[i], y.v[i])
		}
	})
	return y
}

func (t *tape64) tanh(x *array) *array {
	return t.each(x, math.Tanh, func(_, y float64) float64 { return 1 - y*y })
}

func (t *tape64) relu(x *array) *array {
	if t.pieces != nil {
		return t.pieces.relu(t, x)
	}
	return t.each(x, func(v float64) float64 { return max(v, 0) }, func(x, _ float64) float64 {
		if x > 0 {
			return 1
		}
		return 0
	})
}

// windows lists, for every number of the result, those of x under its window
// that lie in the image.
func windows(x *array, size, stride int, same bool) (h, w int, under [][]int) {
	h, w = (x.h-size)/stride+1, (x.w-size)/stride+1
	py, px := 0, 0
	if same {
		h, w = (x.h+stride-1)/stride, (x.w+stride-1)/stride
		py, px = max((h-1)*stride+size-x.h, 0)/2, max((w-1)*stride+size-x.w, 0)/2
	}
	for i := range h * w * x.c {
		p, c := i/x.c, i%x.c
		var in []int
		for k := range size * size {
			if j := x.at(p/w*stride+k/size-py, p%w*stride+k%size-px); j >= 0 {
				in = append(in, j+c)
			}
		}
		under = append(under, in)
	}
	return h, w, under
}

func (t *tape64) maxPool(x *array, size, stride int, same bool) *array {
	h, w, under := windows(x, size, stride, same)
	y := newArray(h, w, x.c)
	from := make([]int, len(y.v))
	for i, in := range under {
		y.v[i] = math.Inf(-1)
		for _, j := range in {
			if x.v[j] > y.v[i] {
				y.v[i], from[i] = x.v[j], j
			}
		}
	}
	t.back = append(t.back, func() {
		for i, g := range y.g {
			x.g[from[i]] += g
		}
	})
	return y
}

func (t *tape64) averagePool(x *array, size, stride int, same bool) *array {
	h, w, under := windows(x, size, stride, same)
	y := newArray(h, w, x.c)
	for i, in := range under {
		for _, j := range in {
			y.v[i] += x.v[j] / float64(len(in))
		}
	}
	t.back = append(t.back, func() {
		for i, in := range under {
			for _, j := range in {
				x.g[j] += y.g[i] / float64(len(in))
			}
		}
	})
	return y
}

func (t *tape64) add(x, z *array) *array {
	y := newArray(x.h, x.w, x.c)
	for i := range y.v {
		y.v[i] = x.v[i] + z.v[i]
	}
	t.back = append(t.back, func() {
		for i, g := range y.g {
			x.g[i] += g
			z.g[i] += g
		}
	})
	return y
}

func (t *tape64) average(x *array) *array {
	y := newArray(1, 1, x.c)
	share := 1 / float64(x.h*x.w)
	for i, v := range x.v {
		y.v[i%x.c] += v * share
	}
	t.back = append(t.back, func() {
		for i := range x.g {
			x.g[i] += y.g[i%x.c] * share
		}
	})
	return y
}

// groupNorm has ε = 1e-5.
func (t *tape64) groupNorm(x *array, groups int) *array {
	scale, dscale := t.next(x.c)
	offset, doffset := t.next(x.c)
	y := newArray(x.h, x.w, x.c)
	per := x.c / groups
	for group := range groups {
		var members []int
		for i := range x.v {
			if i%x.c/per == group {
				members = append(members, i)
			}
		}
		n := len(members)
		mean, variance := moments(n, func(i int) float64 { return x.v[members[i]] })
		root := 1 / math.Sqrt(variance+1e-5)
		for _, i := range members {
			y.v[i] = (x.v[i]-mean)*root*scale[i%x.c] + offset[i%x.c]
		}
		t.back = append(t.back, func() {
			var droot, sum float64
			dcentred := make([]float64, n)
			for k, i := range members {
				c, centred, g := i%x.c, x.v[i]-mean, y.g[i]
				dscale[c] += g * centred * root
				doffset[c] += g
				droot += g * centred * scale[c]
				dcentred[k] = g * root * scale[c]
			}
			for k, i := range members { // d root/d variance = -root³/2
				dcentred[k] -= droot * root * root * root * (x.v[i] - mean) / float64(n)
				sum += dcentred[k]
			}
			for k, i := range members {
				x.g[i] += dcentred[k] - sum/float64(n)
			}
		})
	}
	return y
}

// crossEntropy is the loss; its gradient is scaled by share.
func (t *tape64) crossEntropy(logits *array, label int, share float64) float64 {
	z := 0.0
	for _, v := range logits.v {
		z += math.Exp(v)
	}
	t.back = append(t.back, func() {
		for i, v := range logits.v {
			logits.g[i] += share * math.Exp(v) / z
		}
		logits.g[label] -= share
	})
	return math.Log(z) - logits.v[label]
}
