package dataset

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

const (
	maxImageFile = 64 << 20 // bytes of one encoded image
	// maxArchived is how many bytes of encoded images an archive may hold: they
	// are kept in memory until they can be put in order.
	maxArchived = 8 << 30
)

// An imageFile is one image of a class, not decoded yet.
type imageFile struct {
	part, class, name string // "train" or "test"; folder; file
	path              string // for messages
	offset            int64  // of data in an archive; -1 elsewhere
	data              []byte // encoded, from an archive; nil for a file at path
}

// read returns the encoded image.
func (f imageFile) read() ([]byte, error) {
	if f.data != nil {
		return f.data, nil
	}
	info, err := os.Stat(f.path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxImageFile {
		return nil, fmt.Errorf("is not a regular file of at most %d MiB", maxImageFile>>20)
	}
	return os.ReadFile(f.path)
}

const imagesByClass = "images by class"

// findImages returns where images by class are: base as an archive, or the
// folder that has a train or test folder. It returns "" if there is neither.
func findImages(base, folder string) string {
	if p := firstFile(base+".tar", base+".tar.gz", base+".tgz"); p != "" {
		return p
	}
	if exists(filepath.Join(folder, "train")) || exists(filepath.Join(folder, "test")) {
		return folder
	}
	return ""
}

// imagePlace is the place of images by class at path, which is folder or an
// archive.
func imagePlace(path, folder string) place {
	at := place{form: imagesByClass, path: path}
	if path != folder {
		at.files = []string{path}
	}
	return at
}

// listImages finds all images of a folder or an archive, in the order of part,
// class and name by their bytes, whatever order they are stored in.
func listImages(ctx context.Context, path string) ([]imageFile, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	list := listArchive
	if info.IsDir() {
		list = listFolder
	}
	files, err := list(ctx, path)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(files, func(a, b imageFile) int {
		// Training comes first: "train" sorts after "test".
		if c := strings.Compare(b.part, a.part); c != 0 {
			return c
		}
		if c := strings.Compare(a.class, b.class); c != 0 {
			return c
		}
		return strings.Compare(a.name, b.name)
	})
	for i := 1; i < len(files); i++ {
		if a, b := files[i-1], files[i]; a.part == b.part && a.class == b.class && a.name == b.name {
			return nil, badFile(b.path, b.offset, "is there twice")
		}
	}
	return files, nil
}

// placeImage says where a file belongs by its slash-separated name below the
// root: PART/CLASS/NAME. What is no image, or hidden, has no place.
func placeImage(name string) (f imageFile, ok bool, err error) {
	if strings.HasPrefix(path.Base(name), ".") {
		return f, false, nil
	}
	switch ext := strings.ToLower(path.Ext(name)); ext {
	case ".jpg", ".jpeg", ".png":
	case ".bmp", ".gif", ".tif", ".tiff", ".webp", ".avif", ".heic", ".ppm":
		return f, false, fmt.Errorf("%s images are not read; convert them to PNG or JPEG", ext)
	default:
		return f, false, nil
	}
	parts := strings.Split(name, "/")
	if len(parts) != 3 || parts[0] != "train" && parts[0] != "test" {
		return f, false, fmt.Errorf("an image must be train/CLASS/NAME or test/CLASS/NAME below the top")
	}
	return imageFile{part: parts[0], class: parts[1], name: parts[2]}, true, nil
}

func listFolder(ctx context.Context, root string) (files []imageFile, err error) {
	for _, part := range []string{"train", "test"} {
		// Links to folders are followed at these two levels: large sets are
		// often put together that way.
		classes, err := os.ReadDir(filepath.Join(root, part))
		if err != nil && !exists(filepath.Join(root, part)) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, class := range classes {
			if err := context.Cause(ctx); err != nil {
				return nil, err
			}
			found, err := listClass(root, part, class)
			if err != nil {
				return nil, err
			}
			files = append(files, found...)
		}
	}
	return files, nil
}

func listClass(root, part string, class fs.DirEntry) (files []imageFile, err error) {
	dir := filepath.Join(root, part, class.Name())
	entries, err := []fs.DirEntry{class}, error(nil) // a file where a class should be
	slashed := part
	if info, statErr := os.Stat(dir); statErr == nil && info.IsDir() && !strings.HasPrefix(class.Name(), ".") {
		slashed = path.Join(part, class.Name())
		entries, err = os.ReadDir(dir)
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name := path.Join(slashed, e.Name())
		full := filepath.Join(root, filepath.FromSlash(name))
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			return nil, badFile(full, -1, "a folder within a class; images must be %s/CLASS/NAME", part)
		}
		f, ok, err := placeImage(name)
		if err != nil {
			return nil, &FileError{Path: full, Offset: -1, Err: err}
		}
		if ok {
			f.path, f.offset = full, -1
			files = append(files, f)
		}
	}
	return files, nil
}

func listArchive(ctx context.Context, archive string) ([]imageFile, error) {
	r, err := openFile(archive)
	if err != nil {
		return nil, err
	}
	files, err := readImageArchive(ctx, archive, r)
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	return files, err
}
