package xla

import (
	"fmt"
	"slices"
)

// A product says how a dot_general pairs dimensions: those that both sides share
// and keep, and those that are summed over.
type product struct{ leftBatch, rightBatch, leftSum, rightSum []int }

// dot is a matrix product with a float32 result. exact forbids the device to
// round float32 operands.
func (e *emitter) dot(a, b value, p product, exact bool) value {
	var shape []int
	for _, d := range p.leftBatch {
		shape = append(shape, a.shape[d])
	}
	rest := func(v value, batch, sum []int) {
		for i, d := range v.shape {
			if !slices.Contains(batch, i) && !slices.Contains(sum, i) {
				shape = append(shape, d)
			}
		}
	}
	rest(a, p.leftBatch, p.leftSum)
	rest(b, p.rightBatch, p.rightSum)
	for i := range p.leftSum {
		if a.shape[p.leftSum[i]] != b.shape[p.rightSum[i]] {
			panic(fmt.Sprintf("dot of %s and %s over %v, %v", a.typ(), b.typ(), p.leftSum, p.rightSum))
		}
	}
	numbers := ""
	if len(p.leftBatch) > 0 {
		numbers = fmt.Sprintf("lhs_batching_dimensions = [%s], rhs_batching_dimensions = [%s], ", commas(p.leftBatch), commas(p.rightBatch))
	}
	attributes := fmt.Sprintf("dot_dimension_numbers = #stablehlo.dot<%slhs_contracting_dimensions = [%s], rhs_contracting_dimensions = [%s]>, precision_config = %s",
		numbers, commas(p.leftSum), commas(p.rightSum), precisions(exact))
	return e.apply("dot_general", attributes, F32, shape, a, b)
}

// precisions is for two operands.
func precisions(exact bool) string {
	if exact {
		return "[#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]"
	}
	return "[#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]"
}

// A filter is a convolution of images [n, height, width, channels] in two
// dimensions.
type filter struct {
	strides [2]int
	padding [2][2]int // before and after each side
	dilated [2]int    // the images have dilated-1 zeros between pixels
	groups  int
	kernel  string // order of the filter's dimensions: "0, 1, i, o"
	shape   []int  // of the result
	exact   bool
}

// convolve gives a result of the images' type.
func (e *emitter) convolve(images, weights value, f filter) value {
	attributes := fmt.Sprintf("batch_group_count = 1 : i64, dimension_numbers = #stablehlo.conv<[b, 0, 1, f]x[%s]->[b, 0, 1, f]>, "+
		"feature_group_count = %d : i64, lhs_dilation = %s, padding = dense<[[%d, %d], [%d, %d]]> : tensor<2x2xi64>, precision_config = %s, "+
		"rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, false>, window_strides = %s",
		f.kernel, f.groups, list(f.dilated[:]), f.padding[0][0], f.padding[0][1], f.padding[1][0], f.padding[1][1], precisions(f.exact), list(f.strides[:]))
	return e.apply("convolution", attributes, images.element, f.shape, images, weights)
}

// A pooling is a window that moves over images [n, height, width, channels].
type pooling struct {
	size, strides [2]int
	padding       [2][2]int
}

func (p pooling) window() string { return list([]int{1, p.size[0], p.size[1], 1}) }

func (p pooling) movement() string {
	return fmt.Sprintf("padding = dense<[[0, 0], [%d, %d], [%d, %d], [0, 0]]> : tensor<4x2xi64>, window_dimensions = %s, window_strides = %s",
		p.padding[0][0], p.padding[0][1], p.padding[1][0], p.padding[1][1], p.window(), list([]int{1, p.strides[0], p.strides[1], 1}))
}

// pool reduces each window of v.
func (e *emitter) pool(r reduction, v value, p pooling) value {
	start := e.constant(v.element, nil, r.start)
	out := value{e.name(), v.element, slices.Clone(v.shape)}
	for i := range 2 {
		out.shape[1+i] = (v.shape[1+i]+p.padding[i][0]+p.padding[i][1]-p.size[i])/p.strides[i] + 1
	}
	attributes := "base_dilations = array<i64: 1, 1, 1, 1>, " + p.movement() + ", window_dilations = array<i64: 1, 1, 1, 1>"
	e.line("%s = \"stablehlo.reduce_window\"(%s, %s) <{%s}> ({", out.id, v.id, start.id, attributes)
	e.region(r.op, v.element)
	e.line("}) : %s -> %s", inputTypes([]value{v, start}), out.typ())
	return out
}

// scatter adds each element of source to the element of v that is the first
// greatest of its window, and gives the sums.
func (e *emitter) scatter(v, source value, p pooling) value {
	start := e.constant(v.element, nil, 0)
	out := value{e.name(), v.element, v.shape}
	e.line("%s = \"stablehlo.select_and_scatter\"(%s, %s, %s) <{%s}> ({", out.id, v.id, source.id, start.id, p.movement())
	a, b := value{e.name(), v.element, nil}, value{e.name(), v.element, nil}
	e.line("^bb0(%s: %s, %s: %s):", a.id, a.typ(), b.id, b.typ())
	e.depth++
	e.yield(e.compare("GE", a, b))
	e.depth--
	e.line("}, {")
	e.region("add", v.element)
	e.line("}) : %s -> %s", inputTypes([]value{v, source, start}), out.typ())
	return out
}
