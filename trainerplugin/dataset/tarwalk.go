package dataset

import (
	"archive/tar"
	"errors"
	"io"
	"path"
	"strings"
)

// A member is a regular file in a tar archive.
type member struct {
	name   string // cleaned: no leading "./"
	path   string // ARCHIVE:NAME, for messages
	offset int64  // where its content begins, in the uncompressed archive
	size   int64
	body   io.Reader
}

// walkTar calls visit for each regular file of the archive that r holds, in its
// order. A name that leads out of the archive is an error; links and the like
// are passed over.
func walkTar(archive string, r io.Reader, visit func(member) error) error {
	counted := &countingReader{r: r}
	t := tar.NewReader(counted)
	for {
		at := counted.n
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &FileError{Path: archive, Offset: at, Err: wrapTar(err)}
		}
		name := path.Clean(h.Name)
		if path.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../") || strings.ContainsAny(name, "\x00\\") {
			return badFile(archive, at, "member %q leads out of the archive", h.Name)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		m := member{name: name, path: archive + ":" + name, offset: counted.n, size: h.Size, body: t}
		if err := visit(m); err != nil {
			return err
		}
	}
}

// wrapTar says what tar's errors mean for an archive.
func wrapTar(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the archive ends too early")
	}
	return err
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
