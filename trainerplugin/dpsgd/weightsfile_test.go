package dpsgd

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"sweep"
)

func nothing(string) bool { return false }

// testdata/python.safetensors was written by the safetensors package of PyPI,
// version 0.8.0: element i of each of its tensors is (i - 5) / 8.
func TestReadsWhatPythonWrites(t *testing.T) {
	tensors := []Tensor{{"single", []int{7}}, {"z/double", []int{2, 3}}, {"a/half", []int{3, 1, 2}}, {"none", []int{0, 3}}, {"scalar", nil}, {"classifier/w", []int{5}}}
	file, err := os.ReadFile("testdata/python.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	weights := make([]float32, 7+6+6+1+5)
	for i := range weights {
		weights[i] = 99
	}
	if err := ReadWeights(bytes.NewReader(file), int64(len(file)), tensors, omitted(sweep.ResetClassifier), weights); err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, size := range []int{7, 6, 6, 1} {
		for i := range size {
			if want := float32(i-5) / 8; weights[at+i] != want {
				t.Errorf("weight %d is %v, want %v", at+i, weights[at+i], want)
			}
		}
		at += size
	}
	if !slices.Equal(weights[at:], []float32{99, 99, 99, 99, 99}) {
		t.Errorf("the classifier is to be left alone, and is %v", weights[at:])
	}
}

// The values are IEEE 754's: the smallest and largest of each kind, and others
// whose bits are known from its definition.
func TestHalfPrecision(t *testing.T) {
	for bits, want := range map[uint16]float64{
		0x0000: 0, 0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 0x0400: 0x1p-14, 0x0001: 0x1p-24, 0x03ff: 1023 * 0x1p-24, 0x3555: 0.333251953125, 0xfc00: math.Inf(-1),
	} {
		if got := float64(fromHalf(bits)); got != want {
			t.Errorf("%04x is %v, want %v", bits, got, want)
		}
	}
	if x := fromHalf(0x7e00); x == x {
		t.Errorf("7e00 is %v, want NaN", x)
	}
	var w [2]float32
	if err := readAs(bytes.NewReader([]byte{0x80, 0x3f, 0x49, 0xc0}), "BF16", w[:]); err != nil || w != [2]float32{1, -3.140625} {
		t.Errorf("%v, error %v", w, err)
	}
}

func written(t testing.TB, tensors []Tensor, weights []float32) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteWeights(&b, tensors, weights, map[string]string{"made": "here"}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWeightsRoundTrip(t *testing.T) {
	want := small.Init(3)
	file := written(t, small.Tensors(), want)
	got := make([]float32, len(want))
	if err := ReadWeights(bytes.NewReader(file), int64(len(file)), small.Tensors(), nothing, got); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, error %v; want %v", got, err, want)
	}
}

// withHeader is a file of the given header and n bytes of zeros.
func withHeader(header string, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, n)...)
}

func TestWeightsThatDoNotFit(t *testing.T) {
	tensors := []Tensor{{"a", []int{2}}, {"b", []int{3, 1}}}
	const good = `"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[3,1],"data_offsets":[8,20]}`
	nan := withHeader("{"+good+"}", 20)
	copy(nan[len(nan)-4:], []byte{0, 0, 0xc0, 0x7f})
	for want, file := range map[string][]byte{
		"":                               withHeader("{"+good+"}", 20),
		"read length of header":          {1, 2, 3},
		"its header would have":          withHeader(`{}`, 0)[:9],
		"it is no JSON object":           withHeader(`[]`, 0),
		"a [2] is missing; b [3 1] is m": withHeader(`{"__metadata__":{"x":"y"}}`, 0),
		"b is [1 3], and the model's [3 1]; \"c\" [1] is not of this model": withHeader(
			`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"c":{"dtype":"F32","shape":[1],"data_offsets":[20,24]},"b":{"dtype":"F32","shape":[1,3],"data_offsets":[8,20]}}`, 24),
		`"a" stands twice`:               withHeader("{"+good+`,"a":{}}`, 20),
		`its numbers are "I8"`:           withHeader(`{"a":{"dtype":"I8","shape":[2],"data_offsets":[0,2]}}`, 2),
		"takes 8 bytes, and it has":      withHeader(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,12]}}`, 12),
		"its shape is":                   withHeader(`{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,12]}}`, 12),
		"it has 17 dimensions":           withHeader(`{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}`, 4),
		"begins at byte 4, and the one":  withHeader(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[3,1],"data_offsets":[4,16]}}`, 16),
		"24 bytes of numbers, and tenso": withHeader("{"+good+"}", 24),
		`tensor "b": unexpected EOF`:     withHeader("{"+good+"}", 16),
		`tensor "b": element is NaN`:     nan,
		"after its JSON object":          withHeader("{"+good+"} {}", 20),
	} {
		err := ReadWeights(bytes.NewReader(file), int64(len(file)), tensors, nothing, make([]float32, 5))
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("error %v, want one line with %q", err, want)
		}
	}
}

// Whatever is read is finite, and writes and reads again to the same numbers.
func FuzzReadWeights(f *testing.F) {
	tensors := []Tensor{{"a", []int{2}}, {"b", []int{3, 1}}}
	f.Add(written(f, tensors, []float32{1, 2, 3, 4, 5}))
	for _, dtype := range []string{"F64", "F16", "BF16"} {
		n := widths[dtype]
		f.Add(withHeader(fmt.Sprintf(`{"a":{"dtype":%q,"shape":[2],"data_offsets":[0,%d]},"b":{"dtype":%q,"shape":[3,1],"data_offsets":[%d,%d]}}`, dtype, 2*n, dtype, 2*n, 5*n), 5*n))
	}
	f.Add(withHeader(`{"a":{"shape":null}}`, 3))
	f.Fuzz(func(t *testing.T, file []byte) {
		weights := make([]float32, 5)
		if ReadWeights(bytes.NewReader(file), int64(len(file)), tensors, nothing, weights) != nil {
			return
		}
		for _, w := range weights {
			if !isFinite(w) {
				t.Fatalf("read %v", weights)
			}
		}
		again, text := make([]float32, 5), written(t, tensors, weights)
		if err := ReadWeights(bytes.NewReader(text), int64(len(text)), tensors, nothing, again); err != nil || !slices.Equal(again, weights) {
			t.Errorf("read %v, wrote it and read %v, error %v", weights, again, err)
		}
	})
}
