package stablehlotest

import (
	"fmt"
	"slices"
)

// functions are the operations that are no function of each number by itself.
// They fill out, whose type the text gives; a type that does not follow from the
// operands is an error.
var functions map[string]func(o *operation, out *Tensor, in []*Tensor)

func init() {
	functions = map[string]func(o *operation, out *Tensor, in []*Tensor){
		"broadcast_in_dim":     broadcast,
		"compare":              compare,
		"concatenate":          concatenate,
		"constant":             constant,
		"convert":              convert,
		"convolution":          convolution,
		"dot_general":          dot,
		"dynamic_slice":        dynamicSlice,
		"dynamic_update_slice": dynamicUpdateSlice,
		"gather":               gather,
		"iota":                 iota,
		"is_finite":            isFinite,
		"not":                  not,
		"pad":                  pad,
		"reduce":               reduce,
		"reduce_precision":     reducePrecision,
		"reduce_window":        reduceWindow,
		"reshape":              reshape,
		"reverse":              reverse,
		"select":               choose,
		"select_and_scatter":   selectAndScatter,
		"slice":                slice,
		"transpose":            transpose,
	}
}

// shaped says what the result must be.
func (v *Tensor) shaped(element string, shape []int) {
	if v.Element != element || !slices.Equal(v.Shape, shape) {
		panic(fmt.Sprintf("result %v; it follows %v", v.Type, Type{element, shape}))
	}
}

func iota(o *operation, out *Tensor, _ []*Tensor) {
	d := o.integer("iota_dimension")
	eachIndex(out.Shape, func(i int, index []int) {
		if out.floating() {
			out.Floats[i] = out.rounded(float64(index[d]))
		} else {
			out.Ints[i] = out.masked(uint64(index[d]))
		}
	})
}

func reshape(_ *operation, out *Tensor, in []*Tensor) {
	if out.Len() != in[0].Len() || out.Element != in[0].Element {
		panic(fmt.Sprintf("%v to %v", in[0].Type, out.Type))
	}
	copy(out.Floats, in[0].Floats)
	copy(out.Ints, in[0].Ints)
}

func broadcast(o *operation, out *Tensor, in []*Tensor) {
	v, dims := in[0], o.integers("broadcast_dimensions")
	if len(dims) != len(v.Shape) || out.Element != v.Element {
		panic(fmt.Sprintf("%v along %v", v.Type, dims))
	}
	stride := strides(v.Shape)
	for i, d := range dims {
		if v.Shape[i] != 1 && v.Shape[i] != out.Shape[d] {
			panic(fmt.Sprintf("%v along %v to %v", v.Type, dims, out.Type))
		}
		if v.Shape[i] == 1 {
			stride[i] = 0
		}
	}
	eachIndex(out.Shape, func(i int, index []int) {
		at := 0
		for j, d := range dims {
			at += index[d] * stride[j]
		}
		out.move(i, v, at)
	})
}

func transpose(o *operation, out *Tensor, in []*Tensor) {
	v, permutation := in[0], o.integers("permutation")
	var shape []int
	for _, p := range permutation {
		shape = append(shape, v.Shape[p])
	}
	out.shaped(v.Element, shape)
	stride := strides(v.Shape)
	eachIndex(out.Shape, func(i int, index []int) {
		at := 0
		for j, p := range permutation {
			at += index[j] * stride[p]
		}
		out.move(i, v, at)
	})
}

func slice(o *operation, out *Tensor, in []*Tensor) {
	v := in[0]
	from, to, step := o.integers("start_indices"), o.integers("limit_indices"), o.integers("strides")
	var shape []int
	for d := range v.Shape {
		if from[d] < 0 || from[d] > to[d] || to[d] > v.Shape[d] {
			panic(fmt.Sprintf("%v from %v to %v", v.Type, from, to))
		}
		shape = append(shape, (to[d]-from[d]+step[d]-1)/step[d])
	}
	out.shaped(v.Element, shape)
	stride := strides(v.Shape)
	eachIndex(out.Shape, func(i int, index []int) {
		at := 0
		for d := range index {
			at += (from[d] + index[d]*step[d]) * stride[d]
		}
		out.move(i, v, at)
	})
}

func pad(o *operation, out *Tensor, in []*Tensor) {
	v := in[0]
	low, high, interior := o.integers("edge_padding_low"), o.integers("edge_padding_high"), o.integers("interior_padding")
	var shape []int
	for d, n := range v.Shape {
		shape = append(shape, low[d]+n+high[d]+max(0, n-1)*interior[d])
	}
	out.shaped(v.Element, shape)
	for i := range out.Len() {
		out.move(i, in[1], 0)
	}
	stride := strides(out.Shape)
	to := make([]int, len(shape))
	eachIndex(v.Shape, func(i int, index []int) {
		for d := range index {
			to[d] = low[d] + index[d]*(interior[d]+1)
		}
		if at, ok := offset(out.Shape, stride, to); ok {
			out.move(at, v, i)
		}
	})
}

func reverse(o *operation, out *Tensor, in []*Tensor) {
	v, dims := in[0], o.integers("dimensions")
	out.shaped(v.Element, v.Shape)
	stride := strides(v.Shape)
	eachIndex(out.Shape, func(i int, index []int) {
		at := 0
		for d, x := range index {
			if slices.Contains(dims, d) {
				x = v.Shape[d] - 1 - x
			}
			at += x * stride[d]
		}
		out.move(i, v, at)
	})
}

func concatenate(o *operation, out *Tensor, in []*Tensor) {
	d := o.integer("dimension")
	shape := slices.Clone(in[0].Shape)
	for _, v := range in[1:] {
		shape[d] += v.Shape[d]
	}
	out.shaped(in[0].Element, shape)
	stride, first := strides(shape), 0
	for _, v := range in {
		eachIndex(v.Shape, func(i int, index []int) {
			at, _ := offset(shape, stride, index)
			out.move(at+first*stride[d], v, i)
		})
		first += v.Shape[d]
	}
}

// clamped are start indices, moved so that the slice lies inside.
func clamped(v *Tensor, size []int, starts []*Tensor) []int {
	var from []int
	for d, s := range starts {
		from = append(from, min(max(0, s.integer(0)), v.Shape[d]-size[d]))
	}
	return from
}

func dynamicSlice(o *operation, out *Tensor, in []*Tensor) {
	v, size := in[0], o.integers("slice_sizes")
	out.shaped(v.Element, size)
	from, stride := clamped(v, size, in[1:]), strides(v.Shape)
	eachIndex(size, func(i int, index []int) {
		at := 0
		for d := range index {
			at += (from[d] + index[d]) * stride[d]
		}
		out.move(i, v, at)
	})
}

func dynamicUpdateSlice(_ *operation, out *Tensor, in []*Tensor) {
	v, part := in[0], in[1]
	out.shaped(v.Element, v.Shape)
	copy(out.Floats, v.Floats)
	copy(out.Ints, v.Ints)
	from, stride := clamped(v, part.Shape, in[2:]), strides(v.Shape)
	eachIndex(part.Shape, func(i int, index []int) {
		at := 0
		for d := range index {
			at += (from[d] + index[d]) * stride[d]
		}
		out.move(at, part, i)
	})
}

// gather with start indices in rows: the index vector is the last dimension, or
// each index alone where that is one beyond the last.
func gather(o *operation, out *Tensor, in []*Tensor) {
	const numbers = "dimension_numbers"
	v, starts := in[0], in[1]
	size := o.integers("slice_sizes")
	offsets, collapsed, mapped := o.field(numbers, "offset_dims"), o.field(numbers, "collapsed_slice_dims"), o.field(numbers, "start_index_map")
	vectorDim := o.field(numbers, "index_vector_dim")[0]
	if vectorDim != 1 || len(starts.Shape) > 2 || len(starts.Shape) == 1 && len(mapped) != 1 {
		panic("index vectors that are no rows")
	}
	stride := strides(v.Shape)
	from := make([]int, len(v.Shape))
	eachIndex(out.Shape, func(i int, index []int) {
		var batch int
		var window []int
		for d, x := range index {
			if slices.Contains(offsets, d) {
				window = append(window, x)
			} else {
				batch = x
			}
		}
		clear(from)
		for j, d := range mapped {
			from[d] = min(max(0, starts.integer(batch*len(mapped)+j)), v.Shape[d]-size[d])
		}
		at := 0
		for d := range v.Shape {
			x := from[d]
			if !slices.Contains(collapsed, d) {
				x += window[0]
				window = window[1:]
			}
			at += x * stride[d]
		}
		out.move(i, v, at)
	})
}
