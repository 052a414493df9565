package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Softmax regression begins at zero, where every class has probability 1/3: the
// gradient of class c's weights is (1/3 - [c is the label]) times the image.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	images := []float32{1, 2, 3, 4, -1, 0.5, 0, 8}
	labels := []byte{2, 0}
	for name, v := range map[string]any{"images": images, "labels": labels} {
		var b bytes.Buffer
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	if err := serve(strings.NewReader(fmt.Sprintf("open linear 2 1 3 1 %s\nbatch 2\nstep\ngradients\n", dir)), &out); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\n"); n != 5 {
		t.Errorf("%d answers:\n%s", n, out.String())
	}
	file, err := os.ReadFile(filepath.Join(dir, "gradients"))
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float32, 2*15)
	if err := binary.Read(bytes.NewReader(file), binary.LittleEndian, got); err != nil || len(file) != 4*len(got) {
		t.Fatalf("%d bytes, error %v", len(file), err)
	}
	for i, label := range labels {
		for c := range 3 {
			off := 1. / 3
			if c == int(label) {
				off--
			}
			for d := range 4 { // weights [image][class], then 3 biases
				if g, want := float64(got[15*i+3*d+c]), off*float64(images[4*i+d]); math.Abs(g-want) > 1e-6 {
					t.Errorf("example %d: gradient of pixel %d, class %d is %v, want %v", i, d, c, g, want)
				}
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "weights.safetensors")); err != nil {
		t.Error(err)
	}
}

func TestServeRefuses(t *testing.T) {
	for _, c := range []string{"go", "open tanh-cn 28 1 10 1 .", "open linear 2 1 three 1 ."} {
		var out strings.Builder
		if err := serve(strings.NewReader(c), &out); err == nil || !strings.HasPrefix(err.Error(), c+": ") {
			t.Errorf("%s: error %v", c, err)
		}
	}
}
