package dataset

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const folderPrefix = "folder:"

// folderMean and folderStd normalise image folders to -1 … 1, as the paper does
// for ImageNet32. Nothing is measured on the images: they may be private.
const folderMean, folderStd = 0.5, 0.5

// A folderName is "folder:NAME" or "folder:NAME@HxW", taken apart.
type folderName struct {
	folder        string // below the data directory
	height, width int    // to scale images to; 0 takes the size they have
}

// parseFolder takes apart what follows "folder:".
func parseFolder(name string) (f folderName, err error) {
	f.folder = strings.TrimPrefix(name, folderPrefix)
	if at := strings.LastIndexByte(f.folder, '@'); at >= 0 {
		h, w, _ := strings.Cut(f.folder[at+1:], "x")
		f.height, err = strconv.Atoi(h)
		if err == nil {
			f.width, err = strconv.Atoi(w)
		}
		if err != nil || f.height < 1 || f.width < 1 || f.height > maxSide || f.width > maxSide {
			return f, fmt.Errorf("data set %q: what follows @ must be HEIGHTxWIDTH in pixels, 1 to %d each", name, maxSide)
		}
		f.folder = f.folder[:at]
	}
	if !filepath.IsLocal(f.folder) || filepath.Clean(f.folder) == "." {
		return f, fmt.Errorf("data set %q: %q must name a folder below the data directory", name, f.folder)
	}
	return f, nil
}

// find locates the folder or its archive below dir.
func (f folderName) find(dir string) (place, error) {
	base := filepath.Join(dir, f.folder)
	if images := findImages(base, base); images != "" {
		return imagePlace(images, base), nil
	}
	return place{}, fmt.Errorf("%w: no folder %s with train/CLASS/NAME.jpg, and no %s.tar, .tar.gz or .tgz", ErrMissing, base, base)
}

// openFolder reads "folder:NAME" or "folder:NAME@HxW".
//
// Labels are the training part's folders in the order of their names' bytes,
// and images are in that order by class and then by name. Without @HxW all
// images must have one size. With it, each is cut at its centre to the
// proportions of H by W and scaled. A set has one channel if every image is
// stored in shades of grey, else three; transparent pixels become black.
func openFolder(ctx context.Context, dir, name string) (*Set, error) {
	f, err := parseFolder(name)
	if err != nil {
		return nil, err
	}
	at, err := f.find(dir)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	s := &Set{Name: name, Height: f.height, Width: f.width, Source: at.form + " in " + at.path}
	if err := readImages(ctx, s, at.path); err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	for range s.Channels {
		s.Mean, s.Std = append(s.Mean, folderMean), append(s.Std, folderStd)
	}
	return s, nil
}

// openListedImages reads a listed data set kept as images by class.
func openListedImages(ctx context.Context, l *listing, at place) (*Set, error) {
	s := l.newSet(at)
	s.Classes, s.Height, s.Width = nil, 0, 0 // to be seen from the images
	if err := readImages(ctx, s, at.path); err != nil {
		return nil, err
	}
	if !slices.Equal(s.Classes, l.classes) {
		return nil, badFile(at.path, -1, "classes %v; %s has %v", s.Classes, l.name, l.classes)
	}
	if s.Height != l.height || s.Width != l.width || s.Channels != l.channels {
		return nil, badFile(at.path, -1, "images of %dx%dx%d; %s has %dx%dx%d",
			s.Height, s.Width, s.Channels, l.name, l.height, l.width, l.channels)
	}
	return s, nil
}

// readImages reads classes, channels, both parts and, if it is not set, the size
// of s from a folder or archive.
func readImages(ctx context.Context, s *Set, path string) error {
	files, err := listImages(ctx, path)
	if err != nil {
		return err
	}
	trained := len(files)
	if i := slices.IndexFunc(files, func(f imageFile) bool { return f.part == "test" }); i >= 0 {
		trained = i
	}
	if trained == 0 {
		return badFile(path, -1, "holds no train/CLASS/NAME.jpg, .jpeg or .png")
	}
	labels, err := labelImages(s, files)
	if err != nil {
		return err
	}
	pixels, err := decodeImages(ctx, s, files)
	if err != nil {
		return err
	}
	n := trained * s.PixelCount()
	s.Train = Part{Pixels: pixels[:n:n], Labels: labels[:trained:trained]}
	s.Test = Part{Pixels: pixels[n:], Labels: labels[trained:]}
	return nil
}

// labelImages sets s.Classes to the training images' and returns each file's
// place among them.
func labelImages(s *Set, files []imageFile) ([]uint16, error) {
	labels := make([]uint16, len(files))
	for i, f := range files {
		if f.part == "train" && (len(s.Classes) == 0 || s.Classes[len(s.Classes)-1] != f.class) {
			s.Classes = append(s.Classes, f.class)
		}
		label, ok := slices.BinarySearch(s.Classes, f.class)
		if !ok {
			return nil, badFile(f.path, f.offset, "class %q has no training images", f.class)
		}
		if label > math.MaxUint16 {
			return nil, badFile(f.path, f.offset, "more than %d classes", math.MaxUint16+1)
		}
		labels[i] = uint16(label)
	}
	return labels, nil
}

// decodeImages returns the pixels of all files and sets s.Channels, and the size
// if it is not set.
func decodeImages(ctx context.Context, s *Set, files []imageFile) ([]uint8, error) {
	resize := s.Height > 0
	if !resize {
		data, err := files[0].read()
		if err == nil {
			s.Height, s.Width, _, err = imageSize(data)
		}
		if err != nil {
			return nil, &FileError{Path: files[0].path, Offset: files[0].offset, Err: err}
		}
	}
	size := 3 * s.Height * s.Width
	if int64(size)*int64(len(files)) > maxPixelBytes {
		return nil, fmt.Errorf("%d images of %dx%d need more than %d GiB; name the set …@HxW with a smaller size",
			len(files), s.Height, s.Width, maxPixelBytes>>30)
	}
	pixels := make([]uint8, size*len(files))
	grey := make([]bool, len(files))
	err := eachChunk(ctx, len(files), 64, func(from, to int) error {
		for i := from; i < to; i++ {
			data, err := files[i].read()
			if err == nil {
				grey[i], err = decodeInto(pixels[i*size:(i+1)*size], data, s.Height, s.Width, resize)
			}
			if err != nil {
				return &FileError{Path: files[i].path, Offset: files[i].offset, Err: err}
			}
			files[i].data = nil
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.Channels = 3
	if !slices.Contains(grey, false) {
		s.Channels = 1
		pixels = oneOfThree(pixels)
	}
	return pixels, nil
}

// oneOfThree keeps every third value.
func oneOfThree(pixels []uint8) []uint8 {
	kept := make([]uint8, len(pixels)/3)
	for i := range kept {
		kept[i] = pixels[3*i]
	}
	return kept
}
