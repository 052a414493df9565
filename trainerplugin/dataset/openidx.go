package dataset

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// openIDX reads the four files of MNIST or a set in its format, each as published
// or with its ".gz" removed.
func openIDX(ctx context.Context, l *listing, folder string) (*Set, error) {
	paths, err := l.idxFiles(folder)
	if err != nil {
		return nil, err
	}
	s := l.newSet("IDX files in " + folder)
	for i, part := range []*Part{&s.Train, &s.Test} {
		read, err := openIDXPart(paths[2*i], paths[2*i+1], len(l.classes))
		if err != nil {
			return nil, err
		}
		if read.height != l.height || read.width != l.width {
			return nil, badFile(paths[2*i], 8, "images of %dx%d pixels; %s has %dx%d", read.height, read.width, l.name, l.height, l.width)
		}
		*part = read.Part
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// idxFiles finds each of l's files in folder; all that are missing are named.
func (l *listing) idxFiles(folder string) ([]string, error) {
	paths := make([]string, len(l.files))
	var missing []string
	for i, f := range l.files {
		compressed := filepath.Join(folder, f.name)
		plain := strings.TrimSuffix(compressed, ".gz")
		if paths[i] = firstFile(compressed, plain); paths[i] == "" {
			missing = append(missing, compressed)
		}
	}
	if missing != nil {
		return nil, fmt.Errorf("%w: no %s", ErrMissing, strings.Join(missing, ", "))
	}
	return paths, nil
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
