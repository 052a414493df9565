package dataset

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// openFile opens path for reading, through gzip if its name says so. What
// inflates to more than maxInflation times its size is refused as it is read.
func openFile(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = badFile(path, -1, "is not a regular file")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if !strings.HasSuffix(path, ".gz") && !strings.HasSuffix(path, ".tgz") {
		return f, nil
	}
	z, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<16))
	if err != nil {
		return nil, errors.Join(&FileError{Path: path, Offset: 0, Err: err}, f.Close())
	}
	return &gzipFile{file: f, gzip: z, left: info.Size()*maxInflation + 1<<20}, nil
}

// maxInflation is how many bytes one compressed byte may become on average.
// Image data inflate by less than 10; deflate can reach 1032.
const maxInflation = 200

type gzipFile struct {
	file *os.File
	gzip *gzip.Reader
	left int64 // bytes that may still come out
}

func (g *gzipFile) Read(p []byte) (int, error) {
	n, err := g.gzip.Read(p)
	if g.left -= int64(n); g.left < 0 {
		return 0, fmt.Errorf("inflates to more than %d times its size; refused", maxInflation)
	}
	return n, err
}

func (g *gzipFile) Close() error { return errors.Join(g.gzip.Close(), g.file.Close()) }

// firstFile returns the first of paths that exists, or "".
func firstFile(paths ...string) string {
	for _, p := range paths {
		if exists(p) {
			return p
		}
	}
	return ""
}

// exists reports whether there is something at path. What cannot be looked at
// exists, so that opening it says why not.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR)
}
