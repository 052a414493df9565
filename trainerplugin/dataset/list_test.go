package dataset

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestList(t *testing.T) {
	dir := t.TempDir()
	for name, data := range mnistFiles() {
		write(t, filepath.Join(dir, "mnist", name), data)
	}
	write(t, filepath.Join(dir, "cifar10", "cifar-10-batches-bin", "data_batch_1.bin"), nil)
	unpack(t, filepath.Join(dir, "pets"), petFiles(t))
	packed := tarball(t, petFiles(t)...)
	write(t, filepath.Join(dir, "packed.tar"), packed)
	write(t, filepath.Join(dir, "README.md"), nil)

	infos := List(dir)
	var names []string
	byName := map[string]Info{}
	for _, i := range infos {
		names = append(names, i.Name)
		byName[i.Name] = i
	}
	if want := append(Names(), "folder:packed", "folder:pets"); !slices.Equal(names, want) {
		t.Errorf("names %v, want %v", names, want)
	}
	if i := byName["glyphs"]; !i.Present || i.Download != 0 {
		t.Errorf("glyphs: %+v", i)
	}
	// Four files: headers of 16 and 8 bytes, 5 images and 5 labels.
	if i := byName["mnist"]; !i.Present || i.Bytes != 2*16+2*8+5*784+5 || i.Path != filepath.Join(dir, "mnist") || i.Problem != "" {
		t.Errorf("mnist: %+v", i)
	}
	if i := byName["cifar10"]; i.Present || !strings.Contains(i.Problem, "data_batch_2.bin") || i.Download != 170_052_171 {
		t.Errorf("cifar10: %+v", i)
	}
	if i := byName["cifar100"]; i.Present || i.Path != filepath.Join(dir, "cifar100") || !strings.Contains(i.Problem, "sweep data fetch cifar100") {
		t.Errorf("cifar100: %+v", i)
	}
	if i := byName["folder:packed"]; !i.Present || i.Bytes != int64(len(packed)) || i.Form != "images by class" {
		t.Errorf("folder:packed: %+v", i)
	}
	if n := len(List(filepath.Join(dir, "nowhere"))); n != len(Names()) {
		t.Errorf("%d data sets in a folder that is not there", n)
	}
}

func TestVerifyGlyphsAndFolder(t *testing.T) {
	r, err := Verify(t.Context(), "", "glyphs")
	if err != nil || r.Train != 1000 || r.Classes != 10 || r.Digest == "" {
		t.Errorf("glyphs: %+v, error %v", r, err)
	}
	dir := t.TempDir()
	unpack(t, filepath.Join(dir, "pets"), petFiles(t))
	r, err = Verify(t.Context(), dir, "folder:pets")
	if err != nil || r.Train != 3 || r.Test != 1 || r.Classes != 2 || r.Height != 2 || r.Width != 3 {
		t.Errorf("folder: %+v, error %v", r, err)
	}
}

// Every damaged file is named, with both digests, and so are wrong counts.
func TestVerifyNamesAllThatIsWrong(t *testing.T) {
	dir := t.TempDir()
	for name, data := range mnistFiles() {
		write(t, filepath.Join(dir, "mnist", name), data)
	}
	_, err := Verify(t.Context(), dir, "mnist")
	if !errors.Is(err, ErrDigest) {
		t.Errorf("error %v, want ErrDigest", err)
	}
	for _, want := range []string{
		"train-images-idx3-ubyte: " + ErrDigest.Error() + ": MD5 ", "published 6bbc9ace898e44ae57da46a324031adb",
		"train-labels-idx1-ubyte: ", "published a25bea736e30d166cdddb491f175f624",
		"t10k-images-idx3-ubyte: ", "t10k-labels-idx1-ubyte: ",
		"3 training and 2 test examples; published are 60000 and 10000",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if _, err := Verify(t.Context(), dir, "fashion-mnist"); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "sweep data fetch fashion-mnist") {
		t.Errorf("error %v, want ErrMissing and the remedy", err)
	}
	if _, err := Verify(t.Context(), dir, "minst"); !errors.Is(err, ErrUnknown) {
		t.Errorf("error %v, want ErrUnknown", err)
	}
}

// The MNIST here may be compressed otherwise than the published files; its
// content is held to their digests all the same.
func TestVerifyRealMNIST(t *testing.T) {
	if testing.Short() {
		t.Skip("reading MNIST three times takes seconds under the race detector")
	}
	r, err := Verify(t.Context(), realDir(), "mnist")
	if errors.Is(err, ErrMissing) {
		t.Skipf("no real data: %v", err)
	}
	if err != nil || r.Train != 60_000 || r.Test != 10_000 || len(r.Checked) != 5 {
		t.Errorf("report %+v, error %v", r, err)
	}
}

func TestDefaultDir(t *testing.T) {
	for _, c := range []struct{ sweep, xdg, want string }{
		{"/s", "/x", "/s"},
		{"", "/x", "/x/sweep/data"},
		{"", "relative", "/h/.local/share/sweep/data"}, // the XDG specification has it ignored
		{"", "", "/h/.local/share/sweep/data"},
	} {
		t.Setenv("SWEEP_DATA_DIR", c.sweep)
		t.Setenv("XDG_DATA_HOME", c.xdg)
		t.Setenv("HOME", "/h")
		if got := DefaultDir(); got != filepath.FromSlash(c.want) {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}
