package dpsgd

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// FORMAT.md says what a file of weights holds, and how other programs read and
// write it.

const (
	maxWeightsHeader = 16 << 20 // bytes of JSON; a thousand tensors need 100 kB
	maxTensors       = 100_000
	maxDims          = 16
)

// WriteWeights writes weights, which tensors lay out, as a safetensors file of
// float32. metadata may be nil.
func WriteWeights(w io.Writer, tensors []Tensor, weights []float32, metadata map[string]string) error {
	entries, offset := make(map[string]any), 0
	if len(metadata) > 0 {
		entries[metadataKey] = metadata
	}
	for _, t := range tensors {
		end := offset + 4*t.Size()
		entries[t.Name] = safetensor{"F32", slices.Concat([]int{}, t.Shape), [2]int{offset, end}}
		offset = end
	}
	if offset != 4*len(weights) {
		return fmt.Errorf("write weights: tensors have %d elements and there are %d weights", offset/4, len(weights))
	}
	text, err := json.Marshal(entries)
	if err != nil {
		return fmt.Errorf("write weights: %w", err)
	}
	text = padTo8(text)
	if _, err := w.Write(append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)); err != nil {
		return err
	}
	return writeFloat32s(w, weights)
}

const metadataKey = "__metadata__" // of the format; what it holds is anybody's

// ReadWeights reads a safetensors file of size bytes into weights, which
// tensors lay out. Every tensor has to be in the file, with its shape, and no
// other may be; but those that omit names stay as they are, whatever the file
// has under such names. Numbers are F64, F32, F16 or BF16, and finite as
// float32. An error names every tensor that does not fit.
//
// Beside weights it holds no more than the header, whatever the file says. It
// reads r to the end, so that a digest of all that was read is the file's.
func ReadWeights(r io.Reader, size int64, tensors []Tensor, omit func(name string) bool, weights []float32) error {
	entries, left, err := readWeightsHeader(r, size)
	if err != nil {
		return err
	}
	into, err := match(entries, tensors, omit, weights)
	if err != nil {
		return err
	}
	at := int64(0)
	for _, e := range entries { // in the order of the numbers
		values, wanted := into[e.name]
		if !wanted {
			_, err = io.CopyN(io.Discard, r, e.Offsets[1]-e.Offsets[0])
		} else {
			err = readAs(r, e.DType, values)
		}
		if err != nil {
			return fmt.Errorf("tensor %.80q: %w", e.name, err)
		}
		at = e.Offsets[1]
	}
	if at != left {
		return fmt.Errorf("%d bytes of numbers, and tensors that end at %d", left, at)
	}
	return nil
}

// An entry is one tensor of a file's header.
type entry struct {
	name    string
	DType   string   `json:"dtype"`
	Shape   []int64  `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// readWeightsHeader returns the tensors of a file by place, and how many bytes
// of numbers follow. The tensors cover the numbers without gap or overlap.
func readWeightsHeader(r io.Reader, size int64) ([]entry, int64, error) {
	var length uint64
	if err := binary.Read(r, binary.LittleEndian, &length); err != nil {
		return nil, 0, fmt.Errorf("no safetensors file: read length of header: %w", err)
	}
	if length > maxWeightsHeader || int64(length) > size-8 {
		return nil, 0, fmt.Errorf("no safetensors file: its header would have %d bytes, of %d in the file; at most %d are read", length, size, maxWeightsHeader)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, 0, fmt.Errorf("read header: %w", err)
	}
	entries, err := parseEntries(text)
	if err != nil {
		return nil, 0, fmt.Errorf("no safetensors file: header: %w", err)
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.Offsets[0], b.Offsets[0]), cmp.Compare(a.Offsets[1], b.Offsets[1]))
	})
	at := int64(0)
	for _, e := range entries {
		if e.Offsets[0] != at {
			return nil, 0, fmt.Errorf("tensor %.80q begins at byte %d, and the one before it ends at %d", e.name, e.Offsets[0], at)
		}
		at = e.Offsets[1]
	}
	return entries, size - 8 - int64(length), nil
}

// parseEntries reads the header's JSON. Names stand once, sizes fit shapes.
func parseEntries(text []byte) ([]entry, error) {
	d := json.NewDecoder(strings.NewReader(string(text)))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil, errors.New("it is no JSON object")
	}
	var entries []entry
	seen := make(map[string]bool)
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		name := key.(string) // of an object: d has checked
		if seen[name] {
			return nil, fmt.Errorf("%.80q stands twice", name)
		}
		seen[name] = true
		if name == metadataKey {
			err = d.Decode(new(map[string]string))
		} else {
			e := entry{name: name}
			if err = d.Decode(&e); err == nil {
				err = e.check()
			}
			entries = append(entries, e)
		}
		if err != nil {
			return nil, fmt.Errorf("%.80q: %w", name, err)
		}
		if len(entries) > maxTensors {
			return nil, fmt.Errorf("more than %d tensors", maxTensors)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("something stands after its JSON object")
	}
	return entries, nil
}

// check says whether e's numbers take the bytes that it says.
func (e entry) check() error {
	width, known := widths[e.DType]
	if !known {
		return fmt.Errorf("its numbers are %.20q; F64, F32, F16 and BF16 are read", e.DType)
	}
	if len(e.Shape) > maxDims {
		return fmt.Errorf("it has %d dimensions; at most %d are read", len(e.Shape), maxDims)
	}
	bytes := int64(width)
	for _, d := range e.Shape {
		if d < 0 || d > 0 && bytes > math.MaxInt64/d {
			return fmt.Errorf("its shape is %v", e.Shape)
		}
		bytes *= d
	}
	if e.Offsets[0] < 0 || e.Offsets[1] < e.Offsets[0] || e.Offsets[1]-e.Offsets[0] != bytes {
		return fmt.Errorf("%s of shape %v takes %d bytes, and it has those from %d to %d", e.DType, e.Shape, bytes, e.Offsets[0], e.Offsets[1])
	}
	return nil
}

// match finds the part of weights that each entry is for.
func match(entries []entry, tensors []Tensor, omit func(string) bool, weights []float32) (map[string][]float32, error) {
	var wrong []string
	into, shapes := make(map[string][]float32), make(map[string][]int64)
	for _, e := range entries {
		shapes[e.name] = e.Shape
	}
	for _, t := range tensors {
		part := weights[:t.Size()]
		weights = weights[t.Size():]
		if omit(t.Name) {
			continue
		}
		into[t.Name] = part
		shape, there := shapes[t.Name]
		switch {
		case !there:
			wrong = append(wrong, fmt.Sprintf("%s %v is missing", t.Name, t.Shape))
		case fmt.Sprint(shape) != fmt.Sprint(t.Shape):
			wrong = append(wrong, fmt.Sprintf("%s is %v, and the model's %v", t.Name, shape, t.Shape))
		}
	}
	for _, e := range entries {
		if _, known := into[e.name]; !known && !omit(e.name) {
			wrong = append(wrong, fmt.Sprintf("%.80q %v is not of this model", e.name, e.Shape))
		}
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("tensors do not fit the model: %s", strings.Join(wrong, "; "))
	}
	return into, nil
}
