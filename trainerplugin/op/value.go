package op

import (
	"fmt"
	"unsafe"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"sweep/trainerplugin/kernel"
)

// A Value is what flows along an edge of the graph: an array of float32 whose
// shape Gorgonia sees, and whose layout only our ops know.
//
// Images of shape [count, channels, height, width] lie as
// [count][channels/Lanes][top+height+bottom][left+width+right][Lanes]. The
// border and the channels beyond the last are always zero, so that kernels
// read across edges. A matrix [count, features] is images of one pixel. Images
// of fewer than kernel.Lanes channels that come from outside have as many
// lanes as channels, and no empty ones.
type Value struct {
	mem   []float32 // nil until the graph first runs
	outer *Outer    // in place of mem, for the gradient of a dense layer
	filterForms

	shape  tensor.Shape
	count  int // images, or examples, or 1 for a parameter
	stride int // floats from one of count to the next
	length int // floats of one of count; ≤ stride

	image
	outside bool // nobody asks for its gradient
}

// filterForms is the weights of filters once more, as other kernels than the
// plain forward one read them.
type filterForms struct {
	turned                   []float32 // for the gradient of the input
	spectrum, turnedSpectrum spectrum  // both, for Winograd's convolution
}

// image is the geometry of one image.
type image struct {
	channels, height, width  int
	lanes                    int
	top, left, bottom, right int
}

func (m *image) blocks() int   { return (m.channels + m.lanes - 1) / m.lanes }
func (m *image) row() int      { return (m.left + m.width + m.right) * m.lanes }
func (m *image) plane() int    { return (m.top + m.height + m.bottom) * m.row() }
func (m *image) size() int     { return m.blocks() * m.plane() }
func (m *image) features() int { return m.channels * m.height * m.width }

// at is the offset of pixel (y, x) of a block of channels. The border has
// negative coordinates, and those from height and width up.
func (m *image) at(block, y, x int) int {
	return block*m.plane() + (m.top+y)*m.row() + (m.left+x)*m.lanes
}

// border widens the zeros around each image; it must be called before the
// graph first runs.
func (v *Value) border(top, left, bottom, right int) {
	v.top, v.left = max(v.top, top), max(v.left, left)
	v.bottom, v.right = max(v.bottom, bottom), max(v.right, right)
	v.stride, v.length = v.size(), v.size()
}

func newImages(count int, m image) *Value {
	v := &Value{shape: tensor.Shape{count, m.channels, m.height, m.width}, count: count, image: m}
	v.stride, v.length = v.size(), v.size()
	return v
}

func newMatrix(count, features int) *Value {
	v := newImages(count, image{channels: features, height: 1, width: 1, lanes: kernel.Lanes})
	v.shape = tensor.Shape{count, features}
	return v
}

// newArray is a value without images: a parameter, or one number per image.
func newArray(shape tensor.Shape, count, length int) *Value {
	return &Value{shape: shape, count: count, stride: length, length: length}
}

// like is a value of v's shape, with no border.
func (v *Value) like() *Value {
	m := v.image
	m.top, m.left, m.bottom, m.right = 0, 0, 0, 0
	w := newImages(v.count, m)
	w.shape = v.shape.Clone()
	return w
}

// Len is the number of floats that v holds or will hold.
func (v *Value) Len() int { return v.count * v.stride }

// Height is the height of v's images, in pixels.
func (v *Value) Height() int { return v.height }

// Alloc gives v its memory, unless it has some. Inputs need it before they are
// filled; no layer may be added to the graph afterwards.
func (v *Value) Alloc() {
	if v.mem == nil {
		v.mem = kernel.Alloc(v.Len())
	}
}

// of is the memory of image or example i.
func (v *Value) of(i int) []float32 { return v.mem[i*v.stride:][:v.length] }

// Place makes v, of one array per example, live in memory that is not its
// own: example i's array begins at data[i*stride].
func (v *Value) Place(data []float32, stride int) { v.mem, v.stride = data, stride }

// Pixels is the memory of one row of v's image i from outside, which has
// width × channels numbers in it, channel by channel within a pixel.
func (v *Value) Pixels(i, y int) []float32 {
	return v.of(i)[v.at(0, y, 0):][:v.width*v.lanes]
}

// Row is the first n numbers of row i of a matrix.
func (v *Value) Row(i, n int) []float32 { return v.of(i)[:n] }

func (v *Value) Shape() tensor.Shape { return v.shape }
func (v *Value) Data() any           { return v.mem }
func (v *Value) Size() int           { return v.shape.TotalSize() }
func (v *Value) Dtype() tensor.Dtype { return tensor.Float32 }
func (v *Value) Type() hm.Type       { return G.TensorType{Dims: len(v.shape), Of: tensor.Float32} }
func (v *Value) MemSize() uintptr    { return uintptr(4 * len(v.mem)) }

// Uintptr is the address of the first float, or 0 before the graph first runs.
func (v *Value) Uintptr() uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(v.mem))) }

// Format prints v's shape, never its numbers: they may be private.
func (v *Value) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "%v", v.shape) }
