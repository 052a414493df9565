package dataset

import (
	"archive/tar"
	"bytes"
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
	at := int64(0) // where the next header is
	for n := 0; ; n++ {
		h, err := t.Next()
		if err == io.EOF && counted.zeros < tarBlock {
			// The library takes this for the end; it is where a copy broke off.
			err = io.ErrUnexpectedEOF
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &FileError{Path: archive, Offset: at, Err: wrapTar(err)}
		}
		if n == maxMembers {
			return badFile(archive, at, "more than %d members; unpack larger archives into a folder", maxMembers)
		}
		name := path.Clean(h.Name)
		if path.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../") || strings.ContainsAny(name, "\x00\\") {
			return badFile(archive, at, "member %q leads out of the archive", h.Name)
		}
		m := member{name: name, path: archive + ":" + name, offset: counted.n, size: h.Size, body: t}
		at = (counted.n + h.Size + tarBlock - 1) / tarBlock * tarBlock
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := visit(m); err != nil {
			return err
		}
	}
}

// maxMembers bounds how many members an archive may have, of which empty ones
// cost next to nothing once they are compressed. ImageNet has 1.3 million.
var maxMembers = 5_000_000

// tarBlock is the unit of a tar archive, which ends in two blocks of zeros.
const tarBlock = 512

// wrapTar says what tar's errors mean for an archive.
func wrapTar(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the archive ends too early")
	}
	return err
}

// A countingReader counts what is read through it, and how many of the last
// bytes were zero.
type countingReader struct {
	r        io.Reader
	n, zeros int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	tail := int64(n - len(bytes.TrimRight(p[:n], "\x00")))
	if tail == int64(n) {
		tail += c.zeros
	}
	c.zeros = tail
	return n, err
}
