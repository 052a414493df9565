package stablehlotest

import (
	"fmt"
	"slices"
	"strings"
)

func reduce(o *operation, out *Tensor, in []*Tensor) {
	v, dims, name := in[0], o.integers("dimensions"), combiner(o.regions[0])
	var shape, kept []int
	for d, n := range v.Shape {
		if !slices.Contains(dims, d) {
			shape, kept = append(shape, n), append(kept, d)
		}
	}
	out.shaped(v.Element, shape)
	for i := range out.Len() {
		out.move(i, in[1], 0)
	}
	stride, combine := strides(shape), out.combine(name, v)
	eachIndex(v.Shape, func(i int, index []int) {
		at := 0
		for j, d := range kept {
			at += index[d] * stride[j]
		}
		combine(at, i)
	})
}

// eachWindow calls do for each element of a window of v that is inside it: at is
// its place, and out the number of the window. Windows have no dilation.
func eachWindow(o *operation, v *Tensor, shape []int, do func(out, at int)) {
	size, step, padding := o.integers("window_dimensions"), o.integers("window_strides"), o.integers("padding")
	for d, n := range v.Shape {
		if places := (n+padding[2*d]+padding[2*d+1]-size[d])/step[d] + 1; places != shape[d] {
			panic(fmt.Sprintf("%d windows along dimension %d, not %d", places, d, shape[d]))
		}
	}
	stride := strides(v.Shape)
	index := make([]int, len(size))
	eachIndex(shape, func(i int, place []int) {
		eachIndex(size, func(_ int, inside []int) {
			for d := range index {
				index[d] = place[d]*step[d] + inside[d] - padding[2*d]
			}
			if at, ok := offset(v.Shape, stride, index); ok {
				do(i, at)
			}
		})
	})
}

func reduceWindow(o *operation, out *Tensor, in []*Tensor) {
	for _, name := range []string{"base_dilations", "window_dilations"} {
		if slices.ContainsFunc(o.integers(name), func(n int) bool { return n != 1 }) {
			panic(name)
		}
	}
	name := combiner(o.regions[0])
	for i := range out.Len() {
		out.move(i, in[1], 0)
	}
	combine := out.combine(name, in[0])
	eachWindow(o, in[0], out.Shape, combine)
}

// selectAndScatter with a selection by GE: the first greatest of each window.
func selectAndScatter(o *operation, out *Tensor, in []*Tensor) {
	v, source := in[0], in[1]
	if combiner(o.regions[0]) != "compare" || !strings.Contains(o.regions[0].body[0].attributes["comparison_direction"], " GE>") {
		panic("selection other than GE")
	}
	out.shaped(v.Element, v.Shape)
	for i := range out.Len() {
		out.move(i, in[2], 0)
	}
	chosen := make([]int, source.Len())
	for i := range chosen {
		chosen[i] = -1
	}
	eachWindow(o, v, source.Shape, func(i, at int) {
		if chosen[i] < 0 || !(v.Floats[chosen[i]] >= v.Floats[at]) {
			chosen[i] = at
		}
	})
	combine := out.combine(combiner(o.regions[1]), source)
	for i, at := range chosen {
		combine(at, i)
	}
}

// dot sums in float64 and rounds once.
func dot(o *operation, out *Tensor, in []*Tensor) {
	const numbers = "dot_dimension_numbers"
	a, b := in[0], in[1]
	batchA, batchB := o.field(numbers, "lhs_batching_dimensions"), o.field(numbers, "rhs_batching_dimensions")
	sumA, sumB := o.field(numbers, "lhs_contracting_dimensions"), o.field(numbers, "rhs_contracting_dimensions")
	if a.Element != b.Element {
		panic("operands of two types")
	}
	var shape, summed, stepA, stepB []int // strides by dimension of the result, 0 where it is not the operand's
	strideA, strideB := strides(a.Shape), strides(b.Shape)
	for i, d := range batchA {
		shape, stepA, stepB = append(shape, a.Shape[d]), append(stepA, strideA[d]), append(stepB, strideB[batchB[i]])
	}
	for d, n := range a.Shape {
		if !slices.Contains(batchA, d) && !slices.Contains(sumA, d) {
			shape, stepA, stepB = append(shape, n), append(stepA, strideA[d]), append(stepB, 0)
		}
	}
	for d, n := range b.Shape {
		if !slices.Contains(batchB, d) && !slices.Contains(sumB, d) {
			shape, stepA, stepB = append(shape, n), append(stepA, 0), append(stepB, strideB[d])
		}
	}
	for i, d := range sumA {
		if a.Shape[d] != b.Shape[sumB[i]] {
			panic("summed dimensions differ")
		}
		summed = append(summed, a.Shape[d])
	}
	out.shaped(out.Element, shape)
	var pairs [][2]int
	eachIndex(summed, func(_ int, index []int) {
		var p [2]int
		for i, x := range index {
			p[0] += x * strideA[sumA[i]]
			p[1] += x * strideB[sumB[i]]
		}
		pairs = append(pairs, p)
	})
	eachIndex(shape, func(i int, index []int) {
		var atA, atB int
		for d, x := range index {
			atA += x * stepA[d]
			atB += x * stepB[d]
		}
		sum := 0.0
		for _, p := range pairs {
			sum += a.Floats[atA+p[0]] * b.Floats[atB+p[1]]
		}
		out.Floats[i] = out.rounded(sum)
	})
}

// convolution in two dimensions, of images [batch, y, x, feature], summed in
// float64 and rounded once.
func convolution(o *operation, out *Tensor, in []*Tensor) {
	x, w := in[0], in[1]
	numbers := o.attributes["dimension_numbers"]
	_, kernel, _ := strings.Cut(numbers, "x[")
	kernel, _, _ = strings.Cut(kernel, "]")
	if !strings.HasPrefix(numbers, "#stablehlo.conv<[b, 0, 1, f]x[") || !strings.HasSuffix(numbers, "]->[b, 0, 1, f]>") {
		panic("layout " + numbers)
	}
	axis := map[string]int{}
	for i, s := range strings.Split(kernel, ", ") {
		axis[s] = i
	}
	if o.integer("batch_group_count") != 1 || strings.Contains(o.attributes["window_reversal"], "true") || !slices.Equal(o.integers("rhs_dilation"), []int{1, 1}) {
		panic("groups of batches, turned or dilated windows")
	}
	c := conv{
		x: x, w: w, step: o.integers("window_strides"), pad: o.integers("padding"), dilated: o.integers("lhs_dilation"),
		groups: o.integer("feature_group_count"), size: [2]int{w.Shape[axis["0"]], w.Shape[axis["1"]]},
		in: w.Shape[axis["i"]], out: w.Shape[axis["o"]],
	}
	stride := strides(w.Shape)
	c.stride = [4]int{stride[axis["0"]], stride[axis["1"]], stride[axis["i"]], stride[axis["o"]]}
	shape := []int{x.Shape[0], c.places(0), c.places(1), c.out}
	out.shaped(x.Element, shape)
	if c.in*c.groups != x.Shape[3] {
		panic(fmt.Sprintf("%d features in %d groups of %d", x.Shape[3], c.groups, c.in))
	}
	eachIndex(shape, func(i int, index []int) { out.Floats[i] = out.rounded(c.at(index)) })
}

type conv struct {
	x, w               *Tensor
	step, pad, dilated []int
	groups, in, out    int
	size               [2]int
	stride             [4]int // of w: y, x, in, out
}

func (c *conv) places(d int) int {
	n := (c.x.Shape[1+d]-1)*c.dilated[d] + 1 + c.pad[2*d] + c.pad[2*d+1]
	return (n-c.size[d])/c.step[d] + 1
}

// pixel is where tap k of place i along side d meets the images.
func (c *conv) pixel(d, i, k int) (int, bool) {
	p := i*c.step[d] + k - c.pad[2*d]
	if p < 0 || p%c.dilated[d] != 0 || p/c.dilated[d] >= c.x.Shape[1+d] {
		return 0, false
	}
	return p / c.dilated[d], true
}

func (c *conv) at(index []int) float64 {
	sum := 0.0
	first := index[3] / (c.out / c.groups) * c.in
	for ky := range c.size[0] {
		y, ok := c.pixel(0, index[1], ky)
		if !ok {
			continue
		}
		for kx := range c.size[1] {
			x, ok := c.pixel(1, index[2], kx)
			if !ok {
				continue
			}
			from := ((index[0]*c.x.Shape[1]+y)*c.x.Shape[2]+x)*c.x.Shape[3] + first
			w := ky*c.stride[0] + kx*c.stride[1] + index[3]*c.stride[3]
			for i := range c.in {
				sum += c.x.Floats[from+i] * c.w.Floats[w+i*c.stride[2]]
			}
		}
	}
	return sum
}
