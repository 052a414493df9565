package xla

import (
	"fmt"
	"slices"
)

func (e *emitter) reshape(v value, shape ...int) value {
	if slices.Equal(v.shape, shape) {
		return v
	}
	out := value{shape: shape}
	if out.len() != v.len() {
		panic(fmt.Sprintf("reshape %s to %v", v.typ(), shape))
	}
	return e.apply("reshape", "", v.element, shape, v)
}

// broadcast repeats v: its dimension i becomes dimension dims[i] of shape.
func (e *emitter) broadcast(v value, shape []int, dims ...int) value {
	if len(dims) != v.rank() {
		panic(fmt.Sprintf("broadcast %s along %v", v.typ(), dims))
	}
	for i, d := range dims {
		if v.shape[i] != shape[d] && v.shape[i] != 1 {
			panic(fmt.Sprintf("broadcast %s to %v along %v", v.typ(), shape, dims))
		}
	}
	if slices.Equal(v.shape, shape) {
		return v
	}
	return e.apply("broadcast_in_dim", "broadcast_dimensions = "+list(dims), v.element, shape, v)
}

// along broadcasts v to w's shape.
func (e *emitter) along(v, w value, dims ...int) value { return e.broadcast(v, w.shape, dims...) }

func (e *emitter) transpose(v value, permutation ...int) value {
	shape := make([]int, v.rank())
	identity := true
	for i, p := range permutation {
		shape[i] = v.shape[p]
		identity = identity && i == p
	}
	if identity {
		return v
	}
	return e.apply("transpose", "permutation = "+list(permutation), v.element, shape, v)
}

// A cut is a part of one dimension: from, from + step, … below to.
type cut struct{ from, to, step int }

// slice takes a part of each dimension.
func (e *emitter) slice(v value, cuts ...cut) value {
	var from, to, step, shape []int
	for _, c := range cuts {
		from, to, step = append(from, c.from), append(to, c.to), append(step, c.step)
		shape = append(shape, (c.to-c.from+c.step-1)/c.step)
	}
	for i, c := range cuts {
		if c.from < 0 || c.to > v.shape[i] || c.from >= c.to {
			panic(fmt.Sprintf("slice %s by %v", v.typ(), cuts))
		}
	}
	if slices.Equal(shape, v.shape) {
		return v
	}
	attributes := fmt.Sprintf("limit_indices = %s, start_indices = %s, strides = %s", list(to), list(from), list(step))
	return e.apply("slice", attributes, v.element, shape, v)
}

// part takes elements from … to-1 along one dimension.
func (e *emitter) part(v value, dimension, from, to int) value {
	var cuts []cut
	for i, d := range v.shape {
		c := cut{0, d, 1}
		if i == dimension {
			c = cut{from, to, 1}
		}
		cuts = append(cuts, c)
	}
	return e.slice(v, cuts...)
}

// at takes element i of a vector, as a scalar.
func (e *emitter) at(v value, i int) value { return e.reshape(e.slice(v, cut{i, i + 1, 1})) }

// A margin is what pad adds to one dimension: elements before, after, and
// between any two.
type margin struct{ before, after, between int }

// pad surrounds v with zeros.
func (e *emitter) pad(v value, margins ...margin) value {
	var low, high, interior, shape []int
	changed := false
	for i, m := range margins {
		low, high, interior = append(low, m.before), append(high, m.after), append(interior, m.between)
		shape = append(shape, v.shape[i]+m.before+m.after+max(0, v.shape[i]-1)*m.between)
		changed = changed || m != margin{}
	}
	if !changed {
		return v
	}
	attributes := fmt.Sprintf("edge_padding_high = %s, edge_padding_low = %s, interior_padding = %s", list(high), list(low), list(interior))
	return e.apply("pad", attributes, v.element, shape, v, e.constant(v.element, nil, 0))
}

func (e *emitter) reverse(v value, dimensions ...int) value {
	return e.apply("reverse", "dimensions = "+list(dimensions), v.element, v.shape, v)
}

func (e *emitter) concat(dimension int, vs ...value) value {
	if len(vs) == 1 {
		return vs[0]
	}
	shape := slices.Clone(vs[0].shape)
	for _, v := range vs[1:] {
		shape[dimension] += v.shape[dimension]
	}
	return e.apply("concatenate", fmt.Sprintf("dimension = %d : i64", dimension), vs[0].element, shape, vs...)
}

// stack joins scalars to a vector.
func (e *emitter) stack(scalars ...value) value {
	var vs []value
	for _, s := range scalars {
		vs = append(vs, e.reshape(s, 1))
	}
	return e.concat(0, vs...)
}

// window takes size elements of a vector, from the scalar first on.
func (e *emitter) window(v, first value, size int) value {
	return e.apply("dynamic_slice", "slice_sizes = "+list([]int{size}), v.element, []int{size}, v, first)
}

// put writes part into a vector, from the scalar first on.
func (e *emitter) put(v, part, first value) value {
	return e.apply("dynamic_update_slice", "", v.element, v.shape, v, part, first)
}

// rows takes whole rows of v, at the places that the vector index has.
func (e *emitter) rows(v, index value) value {
	sizes, shape := slices.Clone(v.shape), slices.Clone(v.shape)
	sizes[0], shape[0] = 1, index.shape[0]
	var offset []int
	for i := range v.rank() - 1 {
		offset = append(offset, i+1)
	}
	attributes := fmt.Sprintf("dimension_numbers = #stablehlo.gather<%scollapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = %s",
		offsets(offset), list(sizes))
	return e.apply("gather", attributes, v.element, shape, v, index)
}

// windows takes, from images [n, height, width, channels], for each row of the
// index (image, y, x) the window of the given size that begins there.
func (e *emitter) windows(v, index value, height, width int) value {
	channels := v.shape[3]
	attributes := fmt.Sprintf("dimension_numbers = #stablehlo.gather<offset_dims = [1, 2, 3], collapsed_slice_dims = [0], start_index_map = [0, 1, 2], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = %s",
		list([]int{1, height, width, channels}))
	return e.apply("gather", attributes, v.element, []int{index.shape[0], height, width, channels}, v, index)
}

func offsets(dims []int) string {
	if len(dims) == 0 {
		return ""
	}
	return "offset_dims = [" + commas(dims) + "], "
}
