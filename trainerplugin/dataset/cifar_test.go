package dataset

import (
	"archive/tar"
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tinyCIFAR is CIFAR's format with images of 2x2 pixels and 5 records in all.
var tinyCIFAR = &cifarFormat{
	side: 2, labels: []cifarLabel{{"coarse class", 3}, {"fine class", 5}},
	train:  []cifarFile{{"data_batch_1.bin", 2}, {"data_batch_2.bin", 1}},
	test:   []cifarFile{{"test_batch.bin", 2}},
	folder: "tiny-bin",
}

var tinyListing = &listing{
	name: "tiny", height: 2, width: 2, channels: 3, train: 3, test: 2,
	classes: strings.Fields("a b c d e"), mean: cifarMean, std: cifarStd,
	files: []published{{name: "tiny-binary.tar.gz"}},
}

// tinyRecord is a record whose planes are base + 0 … 11.
func tinyRecord(coarse, fine, base byte) []byte {
	r := []byte{coarse, fine}
	for i := range byte(12) {
		r = append(r, base+i)
	}
	return r
}

func tinyFiles() map[string][]byte {
	return map[string][]byte{
		"data_batch_1.bin": slices.Concat(tinyRecord(0, 4, 0), tinyRecord(1, 3, 20)),
		"data_batch_2.bin": tinyRecord(2, 2, 40),
		"test_batch.bin":   slices.Concat(tinyRecord(0, 1, 60), tinyRecord(1, 0, 80)),
	}
}

// A tarFile is one entry of an archive built by tarball.
type tarFile struct {
	name string
	data []byte
}

func tarball(t testing.TB, files ...tarFile) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o600, Size: int64(len(f.data)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tinyArchive holds the files in an order that is not theirs, as the published one does.
func tinyArchive(t testing.TB, files map[string][]byte) []byte {
	var entries []tarFile
	for _, name := range []string{"data_batch_2.bin", "test_batch.bin", "data_batch_1.bin"} {
		if files[name] != nil {
			entries = append(entries, tarFile{"tiny-bin/" + name, files[name]})
		}
	}
	return tarball(t, append(entries, tarFile{"tiny-bin/readme.html", []byte("<html>")})...)
}

func openTiny(t *testing.T, folder string) (*Set, error) {
	at, err := tinyCIFAR.locate(tinyListing, folder)
	if err != nil {
		return nil, err
	}
	return tinyCIFAR.readSet(t.Context(), tinyListing, at)
}

func TestOpenCIFAR(t *testing.T) {
	folders := map[string]string{"files": t.TempDir(), "unpacked": t.TempDir(), "archive": t.TempDir()}
	for name, data := range tinyFiles() {
		write(t, filepath.Join(folders["files"], name), data)
		write(t, filepath.Join(folders["unpacked"], "tiny-bin", name), data)
	}
	write(t, filepath.Join(folders["archive"], "tiny-binary.tar.gz"), gzipped(t, tinyArchive(t, tinyFiles())))
	digests := map[string]bool{}
	for form, folder := range folders {
		s, err := openTiny(t, folder)
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		digests[s.Digest()] = true
		if !slices.Equal(s.Train.Labels, []uint16{4, 3, 2}) || !slices.Equal(s.Test.Labels, []uint16{1, 0}) {
			t.Errorf("%s: labels %v and %v", form, s.Train.Labels, s.Test.Labels)
		}
		// Planes 20…23, 24…27, 28…31 by pixel.
		if got, want := s.image(&s.Train, 1), []uint8{20, 24, 28, 21, 25, 29, 22, 26, 30, 23, 27, 31}; !slices.Equal(got, want) {
			t.Errorf("%s: pixels %v, want %v", form, got, want)
		}
	}
	if len(digests) != 1 {
		t.Error("the digest depends on how the files are stored")
	}
}

func TestDamagedCIFAR(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(map[string][]byte)
		want   string // "%" stands for a file, ARCHIVE:MEMBER in the archive
	}{
		"truncated":       {func(f map[string][]byte) { f["data_batch_1.bin"] = f["data_batch_1.bin"][:17] }, "data_batch_1.bin: offset 17: 17 bytes; 2 records of 14 bytes are 28"},
		"too many":        {func(f map[string][]byte) { f["test_batch.bin"] = make([]byte, 42) }, "test_batch.bin: offset 28: 42 bytes; 2 records"},
		"odd class":       {func(f map[string][]byte) { f["data_batch_1.bin"][15] = 5 }, "data_batch_1.bin: offset 15: fine class 5 of record 1; may be 0 to 4"},
		"odd superclass":  {func(f map[string][]byte) { f["data_batch_2.bin"][0] = 3 }, "data_batch_2.bin: offset 0: coarse class 3 of record 0; may be 0 to 2"},
		"a file missing":  {func(f map[string][]byte) { delete(f, "data_batch_2.bin") }, "no data_batch_2.bin"},
		"test is missing": {func(f map[string][]byte) { delete(f, "test_batch.bin") }, "no test_batch.bin"},
	} {
		t.Run(name, func(t *testing.T) {
			files := tinyFiles()
			c.damage(files)
			plain, packed := t.TempDir(), t.TempDir()
			for name, data := range files {
				write(t, filepath.Join(plain, name), data)
			}
			write(t, filepath.Join(packed, "tiny-binary.tar.gz"), gzipped(t, tinyArchive(t, files)))
			if _, err := openTiny(t, packed); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("archive: error %v, want one that says %q", err, c.want)
			}
			want := strings.Replace(c.want, "no ", "no "+plain+string(filepath.Separator), 1)
			if _, err := openTiny(t, plain); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("files: error %v, want one that says %q", err, want)
			}
		})
	}
}

func TestPickledCIFARIsExplained(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "cifar10", "cifar-10-python.tar.gz"), nil)
	_, err := listed("cifar10").openIn(t.Context(), dir)
	if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "Python pickles") {
		t.Errorf("error %v, want one that speaks of Python pickles", err)
	}
}

func TestTarDamage(t *testing.T) {
	whole := tinyArchive(t, tinyFiles())
	for name, c := range map[string]struct {
		archive []byte
		want    string
	}{
		"path out of it":   {tarball(t, tarFile{"../../etc/data_batch_1.bin", []byte("x")}), `t.tar: offset 0: member "../../etc/data_batch_1.bin" leads out of the archive`},
		"absolute path":    {tarball(t, tarFile{"/etc/passwd", nil}), "leads out of the archive"},
		"truncated":        {whole[:1100], "t.tar: offset 1024: the archive ends too early"},
		"cut at a member":  {whole[:1024], "t.tar: offset 1024: the archive ends too early"},
		"a header of junk": {slices.Concat(whole[:1024], bytes.Repeat([]byte{7}, 512)), "t.tar: offset 1024: archive/tar: invalid tar header"},
		"a second file":    {tarball(t, tarFile{"a/data_batch_2.bin", tinyRecord(0, 0, 0)}, tarFile{"b/data_batch_2.bin", tinyRecord(0, 0, 0)}), "t.tar: offset 1536: a second data_batch_2.bin"},
	} {
		err := tinyCIFAR.readArchive(t.Context(), "t.tar", bytes.NewReader(c.archive), tinyCIFAR.slots(&Set{}))
		if _, ok := errors.AsType[*FileError](err); !ok || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want a FileError that says %q", name, err, c.want)
		}
	}
}

func TestTarOfTooManyMembers(t *testing.T) {
	defer func(before int) { maxMembers = before }(maxMembers)
	maxMembers = 3
	var names []string
	visit := func(m member) error {
		names = append(names, m.name)
		return nil
	}
	few := tarball(t, tarFile{"a", nil}, tarFile{"b", nil}, tarFile{"c", nil})
	if err := walkTar("t.tar", bytes.NewReader(few), visit); err != nil || len(names) != 3 {
		t.Errorf("three members: %q, %v", names, err)
	}
	many := tarball(t, tarFile{"a", nil}, tarFile{"b", nil}, tarFile{"c", nil}, tarFile{"d", nil})
	if err := walkTar("t.tar", bytes.NewReader(many), visit); err == nil || !strings.Contains(err.Error(), "t.tar: offset 1536: more than 3 members") {
		t.Errorf("four members: %v, want a refusal at the fourth", err)
	}
}

func FuzzCIFAR(f *testing.F) {
	f.Add(tinyRecord(0, 0, 0), int64(14))
	f.Add(tinyFiles()["data_batch_1.bin"], int64(28))
	f.Add([]byte(nil), int64(28))
	f.Fuzz(func(t *testing.T, data []byte, size int64) {
		s := &Set{}
		p := tinyCIFAR.slots(s)["data_batch_1.bin"]
		if err := tinyCIFAR.read(t.Context(), "batch", bytes.NewReader(data), size, p); err != nil {
			return
		}
		if p.Len() != 2 || len(p.Pixels) != 24 || slices.Max(p.Labels) > 4 {
			t.Errorf("%d labels %v, %d pixels", p.Len(), p.Labels, len(p.Pixels))
		}
	})
}

func FuzzTar(f *testing.F) {
	f.Add(tinyArchive(f, tinyFiles()))
	f.Add(tarball(f, tarFile{"x/train/cat/1.png", []byte("png")}, tarFile{"x/test/cat/2.jpg", []byte("jpg")}))
	f.Add(tarball(f, tarFile{"train/../../x.png", nil}))
	f.Fuzz(func(t *testing.T, data []byte) {
		// Neither may panic, and an image never gets a name of more than one step.
		_ = tinyCIFAR.readArchive(t.Context(), "a.tar", bytes.NewReader(data), tinyCIFAR.slots(&Set{}))
		files, err := readImageArchive(t.Context(), "a.tar", bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, i := range files {
			if strings.Contains(i.class+i.name, "/") || i.class == ".." || i.class == "" || i.part != "train" && i.part != "test" {
				t.Errorf("an image at %q, %q, %q", i.part, i.class, i.name)
			}
		}
	})
}
