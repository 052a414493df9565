package dataset

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sweep"
)

// idx builds an IDX file by hand: magic, dimensions, elements.
func idx(data []byte, dims ...int) []byte {
	out := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		out = binary.BigEndian.AppendUint32(out, uint32(d))
	}
	return append(out, data...)
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// ramp is n bytes that count up.
func ramp(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(i)
	}
	return out
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// mnistFiles are a whole tiny MNIST: 3 training images and 2 test images.
func mnistFiles() map[string][]byte {
	return map[string][]byte{
		"train-images-idx3-ubyte": idx(ramp(3*784), 3, 28, 28),
		"train-labels-idx1-ubyte": idx([]byte{7, 0, 9}, 3),
		"t10k-images-idx3-ubyte":  idx(ramp(2*784), 2, 28, 28),
		"t10k-labels-idx1-ubyte":  idx([]byte{1, 2}, 2),
	}
}

func TestOpenIDX(t *testing.T) {
	for _, form := range []string{"plain", "gzip", "torchvision's folder"} {
		dir := t.TempDir()
		for name, data := range mnistFiles() {
			folder := "mnist"
			if form == "torchvision's folder" {
				folder = filepath.Join("MNIST", "raw")
			}
			if form == "gzip" {
				name, data = name+".gz", gzipped(t, data)
			}
			write(t, filepath.Join(dir, folder, name), data)
		}
		s, err := Open(t.Context(), dir, sweep.Data{Name: "mnist"})
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		if !slices.Equal(s.Train.Labels, []uint16{7, 0, 9}) || !slices.Equal(s.Test.Labels, []uint16{1, 2}) {
			t.Errorf("%s: labels %v and %v", form, s.Train.Labels, s.Test.Labels)
		}
		if !bytes.Equal(s.Train.Pixels, ramp(3*784)) || !bytes.Equal(s.Test.Pixels, ramp(2*784)) {
			t.Errorf("%s: other pixels than were written", form)
		}
	}
}

// Each kind of damage is reported with the file, and where there is one, the
// offset in it.
func TestDamagedIDX(t *testing.T) {
	const images, labels = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
	for name, c := range map[string]struct {
		file   string
		damage func([]byte) []byte
		want   string
	}{
		"wrong magic":      {images, func(b []byte) []byte { b[2] = 0x0d; return b }, images + ": offset 0: magic number 0x00000d03 is not 0x00000803"},
		"labels as images": {images, func([]byte) []byte { return idx(make([]byte, 20), 20) }, images + ": offset 0: magic number 0x00000801"},
		"no header":        {images, func(b []byte) []byte { return b[:9] }, images + ": offset 9: the file ends too early; wanted an IDX header of 16 bytes"},
		"empty":            {images, func([]byte) []byte { return nil }, images + ": offset 0: the file ends too early"},
		"truncated":        {images, func(b []byte) []byte { return b[:1000] }, images + ": offset 1000: the file ends too early; wanted 2352 bytes"},
		"too long":         {images, func(b []byte) []byte { return append(b, 0) }, images + ": offset 2368: more bytes follow"},
		"giant image":      {images, func(b []byte) []byte { b[8] = 1; return b }, images + ": offset 8: image side of 16777244 pixels"},
		"no width":         {images, func(b []byte) []byte { b[15] = 0; return b }, images + ": offset 12: image side of 0 pixels"},
		"giant count":      {images, func(b []byte) []byte { b[4] = 255; return b }, images + ": offset 8: 4278190083 images need more than 16 GiB"},
		"count of a bomb":  {images, func(b []byte) []byte { b[5] = 255; return b }, images + ": offset 2368: the file ends too early"},
		"other size":       {images, func([]byte) []byte { return idx(ramp(3*49), 3, 7, 7) }, images + ": offset 8: images of 7x7 pixels; mnist has 28x28"},
		"fewer labels":     {labels, func([]byte) []byte { return idx([]byte{1, 2}, 2) }, labels + ": offset 4: 2 labels for the 3 images of "},
		"odd label":        {labels, func(b []byte) []byte { b[9] = 10; return b }, labels + ": offset 9: label 10 of image 1; may be 0 to 9"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for f, data := range mnistFiles() {
				if f == c.file {
					data = c.damage(data)
				}
				write(t, filepath.Join(dir, "mnist", f), data)
			}
			_, err := Open(t.Context(), dir, sweep.Data{Name: "mnist"})
			if _, ok := errors.AsType[*FileError](err); !ok || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want a FileError that says %q", err, c.want)
			}
		})
	}
}

func TestMissingIDXFilesAreAllNamed(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "mnist", "train-images-idx3-ubyte"), nil)
	_, err := Open(t.Context(), dir, sweep.Data{Name: "mnist"})
	if !errors.Is(err, ErrMissing) {
		t.Errorf("error %v, want ErrMissing", err)
	}
	for _, want := range []string{"train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", "sweep data fetch mnist"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
}

func TestGzipBombIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bomb.gz")
	write(t, path, gzipped(t, make([]byte, 16<<20)))
	r, err := openFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, _, err := readIDX(path, r, 3); err == nil {
		t.Error("no magic number, no error")
	}
	if _, err := readExactly(r, 16<<20); err == nil || !strings.Contains(err.Error(), "inflates to more than 200 times") {
		t.Errorf("error %v, want a refusal to inflate", err)
	}
}

func FuzzIDX(f *testing.F) {
	f.Add(idx(ramp(8), 2, 2, 2), idx([]byte{1, 9}, 2))
	f.Add(idx(nil, 1<<30, 4096, 4096), idx(nil, 0))
	f.Add([]byte{0, 0, 8}, []byte(nil))
	f.Fuzz(func(t *testing.T, images, labels []byte) {
		p, err := readIDXPart("images", bytes.NewReader(images), "labels", bytes.NewReader(labels), 10)
		if err != nil {
			if _, ok := errors.AsType[*FileError](err); !ok {
				t.Errorf("%v is no FileError", err)
			}
			return
		}
		s := &Set{Classes: digitNames, Height: p.height, Width: p.width, Channels: 1, Mean: []float64{0}, Std: []float64{1}, Train: p.Part}
		if err := s.check(); err != nil {
			t.Error(err)
		}
		// What was read is what stands there, byte for byte.
		if !bytes.Equal(idx(p.Pixels, p.Len(), p.height, p.width), images) {
			t.Error("writing it again gives other bytes")
		}
	})
}
