package dataset

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sweep"
)

// flatPNG is a PNG of one colour.
func flatPNG(t testing.TB, height, width int, c color.Color) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.Set(x, y, c)
		}
	}
	return encodePNG(t, img)
}

func encodePNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func greyPNG(t testing.TB, height, width int, v uint8) []byte {
	img := image.NewGray(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		img.Pix[i] = v
	}
	return encodePNG(t, img)
}

// petFiles are images by class, listed out of order.
func petFiles(t testing.TB) []tarFile {
	return []tarFile{
		{"test/dog/a.png", flatPNG(t, 2, 3, color.RGBA{0, 0, 9, 255})},
		{"train/dog/b.PNG", flatPNG(t, 2, 3, color.RGBA{3, 30, 0, 255})},
		{"train/dog/a.png", flatPNG(t, 2, 3, color.RGBA{2, 20, 0, 255})},
		{"train/cat/z.png", flatPNG(t, 2, 3, color.RGBA{1, 10, 0, 255})},
		{"train/cat/.DS_Store", []byte("hidden")},
		{"train/cat/._z.png", []byte("hidden, and no PNG")},
		{"README.md", []byte("no image")},
	}
}

func unpack(t testing.TB, dir string, files []tarFile) {
	for _, f := range files {
		write(t, filepath.Join(dir, filepath.FromSlash(f.name)), f.data)
	}
}

// A folder and archives of it, with and without a folder at the top, are one
// data set, in the order of class and name.
func TestOpenFolder(t *testing.T) {
	dir := t.TempDir()
	files := petFiles(t)
	unpack(t, filepath.Join(dir, "loose"), files)
	write(t, filepath.Join(dir, "packed.tar"), tarball(t, files...))
	var below []tarFile
	for _, f := range files {
		below = append(below, tarFile{"./pets/" + f.name, f.data})
	}
	write(t, filepath.Join(dir, "sub", "below.tar.gz"), gzipped(t, tarball(t, below...)))

	digests := map[string]bool{}
	for _, name := range []string{"folder:loose", "folder:packed", "folder:sub/below"} {
		s, err := Open(t.Context(), dir, sweep.Data{Name: name})
		if err != nil {
			t.Error(err)
			continue
		}
		digests[s.Digest()] = true
		if !slices.Equal(s.Classes, []string{"cat", "dog"}) || s.Height != 2 || s.Width != 3 || s.Channels != 3 {
			t.Errorf("%s: classes %v, %dx%dx%d", name, s.Classes, s.Height, s.Width, s.Channels)
		}
		if !slices.Equal(s.Train.Labels, []uint16{0, 1, 1}) || !slices.Equal(s.Test.Labels, []uint16{1}) {
			t.Errorf("%s: labels %v and %v", name, s.Train.Labels, s.Test.Labels)
		}
		for i, want := range []uint8{1, 2, 3} {
			if got := s.image(&s.Train, i); !slices.Equal(got, slices.Repeat([]uint8{want, 10 * want, 0}, 6)) {
				t.Errorf("%s: image %d is %v", name, i, got)
			}
		}
	}
	if len(digests) != 1 {
		t.Error("the digest depends on how the images are stored")
	}
}

func TestGreyAndTransparentImages(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "grey", "train", "a", "1.png"), greyPNG(t, 2, 2, 77))
	var b bytes.Buffer
	if err := jpeg.Encode(&b, &image.Gray{Pix: slices.Repeat([]uint8{128}, 4), Stride: 2, Rect: image.Rect(0, 0, 2, 2)}, nil); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "grey", "train", "a", "2.jpg"), b.Bytes())
	s, err := Open(t.Context(), dir, sweep.Data{Name: "folder:grey"})
	if err != nil {
		t.Fatal(err)
	}
	// The JPEG is flat at 128, which its transform holds exactly.
	if want := []uint8{77, 77, 77, 77, 128, 128, 128, 128}; s.Channels != 1 || !slices.Equal(s.Train.Pixels, want) {
		t.Errorf("%d channels, pixels %v; want 1, %v", s.Channels, s.Train.Pixels, want)
	}

	write(t, filepath.Join(dir, "clear", "train", "a", "1.png"), flatPNG(t, 1, 1, color.NRGBA{200, 100, 50, 0}))
	write(t, filepath.Join(dir, "clear", "train", "a", "2.png"), greyPNG(t, 1, 1, 5))
	s, err = Open(t.Context(), dir, sweep.Data{Name: "folder:clear"})
	if err != nil {
		t.Fatal(err)
	}
	if want := []uint8{0, 0, 0, 5, 5, 5}; !slices.Equal(s.Train.Pixels, want) {
		t.Errorf("pixels %v, want %v", s.Train.Pixels, want)
	}
}

// A wide image of three bands, scaled to a square, keeps its middle: of 12
// columns, the 4 in the middle.
func TestFolderScalesTheMiddle(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 12, 4))
	for y := range 4 {
		for x := range 12 {
			img.Set(x, y, []color.Color{color.Black, color.NRGBA{90, 60, 30, 255}, color.White}[x/4])
		}
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "wide", "train", "a", "1.png"), encodePNG(t, img))
	write(t, filepath.Join(dir, "wide", "train", "a", "2.png"), flatPNG(t, 7, 5, color.NRGBA{9, 8, 7, 255}))
	s, err := Open(t.Context(), dir, sweep.Data{Name: "folder:wide@2x2"})
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Concat(slices.Repeat([]uint8{90, 60, 30}, 4), slices.Repeat([]uint8{9, 8, 7}, 4))
	if !slices.Equal(s.Train.Pixels, want) {
		t.Errorf("pixels %v, want %v", s.Train.Pixels, want)
	}
}

func TestFolderRefuses(t *testing.T) {
	ok := flatPNG(t, 2, 2, color.White)
	giant := slices.Clone(ok)
	copy(giant[16:], []byte{0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff}) // width and height in the header; its checksum goes
	truncated := flatPNG(t, 40, 40, color.White)
	truncated = truncated[:len(truncated)-20]
	for name, c := range map[string]struct {
		files []tarFile
		want  string
	}{
		"two sizes":      {[]tarFile{{"train/a/1.png", ok}, {"train/a/2.png", flatPNG(t, 3, 2, color.White)}}, "2.png"},
		"no images":      {[]tarFile{{"train/a/readme.txt", nil}}, "holds no train/CLASS/NAME.jpg"},
		"only test":      {[]tarFile{{"test/a/1.png", ok}}, "holds no train/CLASS/NAME.jpg"},
		"unknown class":  {[]tarFile{{"train/a/1.png", ok}, {"test/b/1.png", ok}}, `class "b" has no training images`},
		"no class":       {[]tarFile{{"train/1.png", ok}}, "an image must be train/CLASS/NAME"},
		"other format":   {[]tarFile{{"train/a/1.webp", ok}}, ".webp images are not read; convert them"},
		"not an image":   {[]tarFile{{"train/a/1.png", []byte("hello")}}, "unknown format"},
		"empty":          {[]tarFile{{"train/a/1.png", nil}}, "unknown format"},
		"truncated":      {[]tarFile{{"train/a/1.png", truncated}}, "unexpected EOF"},
		"broken header":  {[]tarFile{{"train/a/1.png", giant}}, "invalid format"},
		"oversized":      {[]tarFile{{"train/a/1.png", greyPNG(t, 1, maxSide+1, 0)}}, "1x4097 pixels; a side may be 1 to 4096"},
		"second is over": {[]tarFile{{"train/a/1.png", ok}, {"train/a/2.png", greyPNG(t, maxSide+1, 1, 0)}}, "4097x1 pixels; a side may be"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			unpack(t, filepath.Join(dir, "loose"), c.files)
			write(t, filepath.Join(dir, "packed.tar"), tarball(t, c.files...))
			for _, set := range []string{"folder:loose", "folder:packed"} {
				_, err := Open(t.Context(), dir, sweep.Data{Name: set})
				if fe, ok := errors.AsType[*FileError](err); !ok || !strings.Contains(err.Error(), c.want) ||
					set == "folder:packed" && fe.Offset < 0 && !strings.Contains(c.want, "holds no") {
					t.Errorf("%s: error %v, want a FileError that says %q", set, err, c.want)
				}
			}
		})
	}
}

func TestTwoSizesAreExplained(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "x", "train", "a", "1.png"), greyPNG(t, 2, 2, 0))
	write(t, filepath.Join(dir, "x", "train", "a", "2.png"), greyPNG(t, 3, 2, 0))
	_, err := Open(t.Context(), dir, sweep.Data{Name: "folder:x"})
	if want := "3x2 pixels, where the first image has 2x2; name the set …@2x2"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one that says %q", err, want)
	}
}

func TestNestedAndDoubleImages(t *testing.T) {
	dir := t.TempDir()
	img := greyPNG(t, 1, 1, 0)
	write(t, filepath.Join(dir, "deep", "train", "a", "images", "1.png"), img)
	if _, err := Open(t.Context(), dir, sweep.Data{Name: "folder:deep"}); err == nil || !strings.Contains(err.Error(), "a folder within a class") {
		t.Errorf("nested folder: error %v", err)
	}
	write(t, filepath.Join(dir, "double.tar"), tarball(t, tarFile{"train/a/1.png", img}, tarFile{"train/a/1.png", img}))
	if _, err := Open(t.Context(), dir, sweep.Data{Name: "folder:double"}); err == nil || !strings.Contains(err.Error(), "is there twice") {
		t.Errorf("double member: error %v", err)
	}
	write(t, filepath.Join(dir, "mixed.tar"), tarball(t, tarFile{"x/train/a/1.png", img}, tarFile{"y/train/a/2.png", img}))
	if _, err := Open(t.Context(), dir, sweep.Data{Name: "folder:mixed"}); err == nil || !strings.Contains(err.Error(), `stands below "y/", others below "x/"`) {
		t.Errorf("two tops: error %v", err)
	}
}

func TestFolderNames(t *testing.T) {
	for name, want := range map[string]string{
		"folder:":          "must name a folder below",
		"folder:.":         "must name a folder below",
		"folder:../x":      "must name a folder below",
		"folder:/etc":      "must name a folder below",
		"folder:a/../../b": "must name a folder below",
		"folder:x@":        "HEIGHTxWIDTH",
		"folder:x@32":      "HEIGHTxWIDTH",
		"folder:x@0x32":    "HEIGHTxWIDTH",
		"folder:x@32x9999": "HEIGHTxWIDTH",
	} {
		if _, err := Open(t.Context(), t.TempDir(), sweep.Data{Name: name}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, want)
		}
		if err := Locate(t.TempDir(), name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("locate %s: error %v, want one that says %q", name, err, want)
		}
	}
	if _, err := Open(t.Context(), t.TempDir(), sweep.Data{Name: "folder:x"}); !errors.Is(err, ErrMissing) {
		t.Errorf("error %v, want ErrMissing", err)
	}
	if _, err := Open(t.Context(), "", sweep.Data{Name: "minst"}); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "mnist") {
		t.Errorf("error %v, want ErrUnknown with the names there are", err)
	}
	for name, want := range map[string]error{"folder:x": ErrMissing, "mnist": ErrMissing, "minst": ErrUnknown, "glyphs": nil} {
		if err := Locate(t.TempDir(), name); !errors.Is(err, want) {
			t.Errorf("locate %s: error %v, want %v", name, err, want)
		}
	}
}
