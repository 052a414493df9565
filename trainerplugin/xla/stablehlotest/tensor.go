package stablehlotest

import (
	"encoding/binary"
	"fmt"
	"math"
)

// widths are the element types, in bits.
var widths = map[string]int{"i1": 1, "ui8": 8, "i32": 32, "ui32": 32, "i64": 64, "ui64": 64, "bf16": 16, "f32": 32, "f64": 64}

// A Tensor is a value. Floats holds numbers of floating-point types, each
// representable in Element; Ints the others, in two's complement of Element's
// width.
type Tensor struct {
	Type
	Floats []float64
	Ints   []uint64
}

func newTensor(t Type) *Tensor {
	v := &Tensor{Type: t}
	if v.floating() {
		v.Floats = make([]float64, t.Len())
	} else {
		v.Ints = make([]uint64, t.Len())
	}
	return v
}

func (t Type) floating() bool { return t.Element == "f32" || t.Element == "f64" || t.Element == "bf16" }

func (t Type) signed() bool { return t.Element == "i32" || t.Element == "i64" }

// rounded is x as t's element type has it, to nearest, ties to even.
func (t Type) rounded(x float64) float64 {
	switch t.Element {
	case "f32":
		return float64(float32(x))
	case "bf16":
		return reduced(float64(float32(x)), 8, 7)
	}
	return x
}

// reduced keeps the given bits of exponent and fraction of a float32; exponents
// of 8 bits are all there is here.
func reduced(x float64, exponent, fraction int) float64 {
	if exponent != 8 {
		panic(fmt.Sprintf("exponent of %d bits", exponent))
	}
	b := math.Float32bits(float32(x))
	if x != x || math.IsInf(x, 0) {
		return x
	}
	drop := 23 - fraction
	half := uint32(1)<<(drop-1) - 1 + b>>drop&1
	return float64(math.Float32frombits((b + half) >> drop << drop))
}

// mask has the bits of t's element type.
func (t Type) mask() uint64 { return ^uint64(0) >> (64 - widths[t.Element]) }

// masked keeps the bits of t's element type.
func (t Type) masked(x uint64) uint64 { return x & t.mask() }

// signedValue is the number that x stands for.
func (t Type) signedValue(x uint64) int64 {
	if t.Element == "i32" {
		return int64(int32(x))
	}
	return int64(x)
}

// integer is element i of indices of any integer type.
func (v *Tensor) integer(i int) int {
	if v.signed() {
		return int(v.signedValue(v.Ints[i]))
	}
	return int(v.Ints[i])
}

// FromBytes makes a tensor of raw little-endian memory, as devices take it.
func FromBytes(t Type, data []byte) (*Tensor, error) {
	v := newTensor(t)
	size := (widths[t.Element] + 7) / 8
	if len(data) != size*t.Len() {
		return nil, fmt.Errorf("%d bytes for %v", len(data), t)
	}
	for i := range t.Len() {
		var word [8]byte
		copy(word[:], data[i*size:][:size])
		x := binary.LittleEndian.Uint64(word[:])
		switch t.Element {
		case "f64":
			v.Floats[i] = math.Float64frombits(x)
		case "f32":
			v.Floats[i] = float64(math.Float32frombits(uint32(x)))
		case "bf16":
			v.Floats[i] = float64(math.Float32frombits(uint32(x) << 16))
		default:
			v.Ints[i] = x
		}
	}
	return v, nil
}

// Bytes is the inverse of [FromBytes].
func (v *Tensor) Bytes() []byte {
	size := (widths[v.Element] + 7) / 8
	var out []byte
	for i := range v.Len() {
		var x uint64
		switch v.Element {
		case "f64":
			x = math.Float64bits(v.Floats[i])
		case "f32":
			x = uint64(math.Float32bits(float32(v.Floats[i])))
		case "bf16":
			x = uint64(math.Float32bits(float32(v.Floats[i])) >> 16)
		default:
			x = v.Ints[i]
		}
		out = append(out, binary.LittleEndian.AppendUint64(nil, x)[:size]...)
	}
	return out
}

// move copies element from of w to element to of v.
func (v *Tensor) move(to int, w *Tensor, from int) {
	if v.Floats != nil {
		v.Floats[to] = w.Floats[from]
	} else {
		v.Ints[to] = w.Ints[from]
	}
}

// strides are how far apart neighbours along each dimension lie.
func strides(shape []int) []int {
	s := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= shape[i]
	}
	return s
}

// eachIndex calls do with every index of shape, in row-major order; i counts.
func eachIndex(shape []int, do func(i int, index []int)) {
	n := Type{Shape: shape}.Len()
	index := make([]int, len(shape))
	for i := range n {
		do(i, index)
		for d := len(shape) - 1; d >= 0; d-- {
			if index[d]++; index[d] < shape[d] {
				break
			}
			index[d] = 0
		}
	}
}

// offset is where index lies; ok is false if it is outside shape.
func offset(shape, stride, index []int) (at int, ok bool) {
	for d, i := range index {
		if i < 0 || i >= shape[d] {
			return 0, false
		}
		at += i * stride[d]
	}
	return at, true
}
