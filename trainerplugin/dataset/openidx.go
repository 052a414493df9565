package dataset

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// locateIDX finds the four files of MNIST or a set in its format, each as
// published or with its ".gz" removed. All that are missing are named.
func locateIDX(l *listing, folder string) (place, error) {
	at := place{form: "IDX files", path: folder}
	var missing []string
	for _, f := range l.files {
		compressed := filepath.Join(folder, f.name)
		found := firstFile(compressed, strings.TrimSuffix(compressed, ".gz"))
		if found == "" {
			missing = append(missing, compressed)
		}
		at.files = append(at.files, found)
	}
	if missing != nil {
		return place{}, fmt.Errorf("%w: no %s", ErrMissing, strings.Join(missing, ", "))
	}
	return at, nil
}

func readIDXSet(ctx context.Context, l *listing, at place) (*Set, error) {
	s := l.newSet(at)
	for i, part := range []*Part{&s.Train, &s.Test} {
		images, labels := at.files[2*i], at.files[2*i+1]
		read, err := openIDXPart(images, labels, len(l.classes))
		if err != nil {
			return nil, err
		}
		if read.height != l.height || read.width != l.width {
			return nil, badFile(images, 8, "images of %dx%d pixels; %s has %dx%d", read.height, read.width, l.name, l.height, l.width)
		}
		*part = read.Part
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func openIDXPart(imagesPath, labelsPath string, classes int) (p idxPart, err error) {
	images, err := openFile(imagesPath)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, images.Close()) }()
	labels, err := openFile(labelsPath)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, labels.Close()) }()
	return readIDXPart(imagesPath, images, labelsPath, labels, classes)
}
