package dpsgd

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
)

// Checkpoints hold weights and averages in the safetensors format
// (https://github.com/huggingface/safetensors): 8 bytes of little-endian header
// length, a JSON header, the numbers. First the averages as float64 under
// "ema/…", then as float32 the weights under "weights/…" and what the optimizer
// keeps under its names, each in the engine's order, so that every tensor lies
// at a multiple of its element's size.

// A safetensor is one entry of the header.
type safetensor struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"` // begin and end in the numbers, in bytes
}

// safetensorsHeader is the length and the JSON header for a layout. There is one
// for each layout, so a reader compares it and need not interpret it.
func safetensorsHeader(id identity) []byte {
	entries, offset := make(map[string]safetensor), 0
	add := func(prefix, dtype string, width int) {
		for _, t := range id.Tensors {
			end := offset + width*t.Size()
			shape := slices.Concat([]int{}, t.Shape) // a scalar's shape is [], never null
			entries[prefix+t.Name] = safetensor{dtype, shape, [2]int{offset, end}}
			offset = end
		}
	}
	add("ema/", "F64", 8)
	add("weights/", "F32", 4)
	for _, name := range id.Moments {
		add(name+"/", "F32", 4)
	}
	text, err := json.Marshal(entries)
	if err != nil {
		panic(fmt.Sprintf("dpsgd: safetensors header: %v", err)) // strings and integers have a JSON form
	}
	text = padTo8(text)
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)
}

// padTo8 appends spaces, which JSON ignores, up to a multiple of 8 bytes.
func padTo8(text []byte) []byte {
	return append(text, bytes.Repeat([]byte(" "), -len(text)&7)...)
}

// safetensorsSize is the length of a whole safetensors part, in bytes.
func safetensorsSize(id identity) int64 {
	size := int64(len(safetensorsHeader(id)))
	for _, t := range id.Tensors {
		size += int64(8+4+4*len(id.Moments)) * int64(t.Size())
	}
	return size
}

func writeSafetensors(w io.Writer, id identity, s *state) error {
	if _, err := w.Write(safetensorsHeader(id)); err != nil {
		return err
	}
	err := writeFloats(w, s.ema, func(b []byte, x float64) []byte {
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	})
	if err != nil {
		return err
	}
	for _, values := range slices.Concat([][]float32{s.weights}, s.moments) {
		if err := writeFloat32s(w, values); err != nil {
			return err
		}
	}
	return nil
}

// writeFloat32s writes values in little-endian order.
func writeFloat32s(w io.Writer, values []float32) error {
	return writeFloats(w, values, func(b []byte, x float32) []byte {
		return binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	})
}

// readSafetensors fills s's numbers, whose lengths the layout gives.
func readSafetensors(r io.Reader, id identity, s *state) error {
	want := safetensorsHeader(id)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil {
		return fmt.Errorf("read tensor header: %w", err)
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("tensor header is not the one of this model's layout")
	}
	err := readFloats(r, s.ema, 8, func(b []byte) float64 {
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	})
	if err != nil {
		return fmt.Errorf("read averaged weights: %w", err)
	}
	for i, values := range slices.Concat([][]float32{s.weights}, s.moments) {
		err = readFloats(r, values, 4, func(b []byte) float32 {
			return math.Float32frombits(binary.LittleEndian.Uint32(b))
		})
		if err != nil {
			return fmt.Errorf("read %s: %w", slices.Concat([]string{"weights"}, id.Moments)[i], err)
		}
	}
	return nil
}

// readFloats fills values from numbers that are width bytes long.
func readFloats[T float32 | float64](r io.Reader, values []T, width int, get func([]byte) T) error {
	buf := make([]byte, 8192*width)
	for part := range slices.Chunk(values, 8192) {
		buf := buf[:len(part)*width]
		if _, err := io.ReadFull(r, buf); err != nil {
			return err
		}
		for i := range part {
			part[i] = get(buf[i*width:])
			if x := float64(part[i]); math.IsNaN(x) || math.IsInf(x, 0) {
				return fmt.Errorf("element is %v", x)
			}
		}
	}
	return nil
}
