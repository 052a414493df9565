package dataset

import (
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"sweep"
)

// ErrDigest marks a file that is not the published one.
var ErrDigest = errors.New("content is not the published file's")

// A Report is what [Verify] saw.
type Report struct {
	Name    string
	Source  string   // format and path
	Checked []string // what was found right, a line each

	Height, Width, Channels, Classes int
	Train, Test                      int    // examples
	Digest                           string // "sha256:…" of the content; see [Set.Digest]
}

// Verify reads all of the data set below dir and checks it: published files
// against their digests, then every file's structure, every image and label, and
// the number of examples. Of "glyphs" it renders a thousand images of each part.
//
// The error joins everything that is wrong: [ErrUnknown], [ErrMissing], or a
// [FileError] for each damaged file, which wraps [ErrDigest] and states both
// digests if the file is whole but not the published one.
func Verify(ctx context.Context, dir, name string) (Report, error) {
	r := Report{Name: name}
	var wrong []error
	if l := listed(name); l != nil {
		at, err := l.find(dir)
		if err != nil {
			return r, fmt.Errorf("verify %s: %w", name, err)
		}
		r.Source = at.form + " in " + at.path
		wrong = r.checkFiles(ctx, l, at)
	}
	s, err := openAll(ctx, dir, name)
	if err != nil {
		wrong = append(wrong, err)
		return r, fmt.Errorf("verify %s: %w", name, errors.Join(wrong...))
	}
	wrong = append(wrong, r.checkCounts(s)...)
	if len(wrong) > 0 {
		return r, fmt.Errorf("verify %s: %w", name, errors.Join(wrong...))
	}
	return r, nil
}

// openAll opens name, or some of it if it has no end.
func openAll(ctx context.Context, dir, name string) (*Set, error) {
	if name == "glyphs" {
		return Glyphs(ctx, 1000, 1000)
	}
	return Open(ctx, dir, sweep.Data{Name: name})
}

// checkFiles compares the files at a place with the published ones.
func (r *Report) checkFiles(ctx context.Context, l *listing, at place) (wrong []error) {
	for _, path := range at.files {
		f := l.publishedAs(filepath.Base(path))
		if f == nil {
			r.Checked = append(r.Checked, path+": not a published file; checked by its content only")
			continue
		}
		how, err := f.check(ctx, path)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		r.Checked = append(r.Checked, path+": "+how)
	}
	return wrong
}

// checkCounts compares what was read with what was published.
func (r *Report) checkCounts(s *Set) (wrong []error) {
	r.Source, r.Digest = s.Source, s.Digest()
	r.Height, r.Width, r.Channels, r.Classes = s.Height, s.Width, s.Channels, len(s.Classes)
	r.Train, r.Test = s.Train.Len(), s.Test.Len()
	if l := listed(s.Name); l != nil && (r.Train != l.train || r.Test != l.test) {
		wrong = append(wrong, fmt.Errorf("%s: %d training and %d test examples; published are %d and %d",
			s.Source, r.Train, r.Test, l.train, l.test))
	}
	r.Checked = append(r.Checked, fmt.Sprintf("%d training and %d test examples, all images and labels read", r.Train, r.Test))
	return wrong
}

// publishedAs returns the published file that is called name, or is called so
// once it is unpacked.
func (l *listing) publishedAs(name string) *published {
	for i, f := range l.files {
		if f.name == name || f.raw != "" && strings.TrimSuffix(f.name, ".gz") == name {
			return &l.files[i]
		}
	}
	return nil
}

// check says in which way the file at path is the published one. If it is not,
// the error wraps ErrDigest.
func (f *published) check(ctx context.Context, path string) (how string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	got, size, err := md5Of(ctx, file)
	if err != nil {
		return "", &FileError{Path: path, Offset: size, Err: err}
	}
	want := f.md5
	switch {
	case filepath.Base(path) != f.name: // unpacked
		if want = f.raw; got == want {
			return "unpacked, MD5 as published", nil
		}
	case got == want:
		return "MD5 as published", nil
	case f.raw != "" && f.sameContent(ctx, file):
		return "content as published, compressed otherwise", nil
	}
	problem := fmt.Errorf("%w: MD5 %s, published %s", ErrDigest, got, want)
	if filepath.Base(path) == f.name && size != f.size {
		problem = fmt.Errorf("%w; %d bytes, published %d", problem, size, f.size)
	}
	return "", &FileError{Path: path, Offset: -1, Err: problem}
}

// sameContent reports whether what is compressed in file is what was published.
func (f *published) sameContent(ctx context.Context, file *os.File) bool {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return false
	}
	z, err := gzip.NewReader(file)
	if err != nil {
		return false
	}
	got, _, err := md5Of(ctx, io.LimitReader(z, maxInflation*f.size))
	return err == nil && got == f.raw
}

// md5Of returns the MD5 of all that r holds and how much that is. MD5 is what
// the data sets' makers publish. It guards against accidents, not against
// someone who would forge a data set.
func md5Of(ctx context.Context, r io.Reader) (digest string, size int64, err error) {
	h := md5.New()
	size, err = io.Copy(h, &contextReader{ctx, r})
	return hex.EncodeToString(h.Sum(nil)), size, err
}

// A contextReader reads until its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
