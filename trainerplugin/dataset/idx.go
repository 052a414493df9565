package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxSide is the largest height or width of an image that is read.
const maxSide = 4096

// maxPixelBytes is how much memory one part's pixels may take.
const maxPixelBytes = 16 << 30

// An idxHeader is the beginning of an IDX file of unsigned bytes
// (Y. LeCun, "The MNIST database of handwritten digits"): two zero bytes, the
// element type, the number of dimensions, and each dimension as a big-endian
// 32-bit number.
type idxHeader struct {
	dims   []int
	offset int64 // where the elements begin
	size   int64 // number of elements, in bytes
}

// readIDXHeader reads the header of a file of want dimensions.
func readIDXHeader(path string, r io.Reader, want int) (idxHeader, error) {
	head := make([]byte, 4+4*want)
	if n, err := io.ReadFull(r, head); err != nil {
		return idxHeader{}, shortRead(path, int64(n), err, "an IDX header of %d bytes", len(head))
	}
	if magic := []byte{0, 0, 8, byte(want)}; !bytes.Equal(head[:4], magic) {
		return idxHeader{}, badFile(path, 0, "magic number %#08x is not %#08x, an IDX file of bytes in %d dimensions",
			head[:4], magic, want)
	}
	h := idxHeader{offset: int64(len(head)), size: 1}
	for i := range want {
		at := 4 + 4*i
		d := binary.BigEndian.Uint32(head[at:])
		if i > 0 && (d < 1 || d > maxSide) {
			return idxHeader{}, badFile(path, int64(at), "image side of %d pixels; may be 1 to %d", d, maxSide)
		}
		if h.size *= int64(d); h.size > maxPixelBytes {
			return idxHeader{}, badFile(path, int64(at), "%d images need more than %d GiB", h.dims[0], maxPixelBytes>>30)
		}
		h.dims = append(h.dims, int(d))
	}
	return h, nil
}

// readIDX reads a whole IDX file of bytes in the given number of dimensions.
func readIDX(path string, r io.Reader, dims int) (idxHeader, []uint8, error) {
	h, err := readIDXHeader(path, r, dims)
	if err != nil {
		return h, nil, err
	}
	data, err := readExactly(r, h.size)
	if err != nil {
		return h, nil, shortRead(path, h.offset+int64(len(data)), err, "%d bytes after the header, as its counts say", h.size)
	}
	if n, err := io.ReadFull(r, make([]byte, 1)); n != 0 {
		return h, nil, badFile(path, h.offset+h.size, "more bytes follow than the header's counts say")
	} else if err != io.EOF {
		return h, nil, &FileError{Path: path, Offset: h.offset + h.size, Err: err}
	}
	return h, data, nil
}

// readExactly reads n bytes from r. It believes n only as far as bytes arrive,
// so a lying header costs no memory.
func readExactly(r io.Reader, n int64) ([]byte, error) {
	const believed = 64 << 20
	buf := bytes.NewBuffer(make([]byte, 0, min(n, believed)))
	got, err := io.CopyN(buf, r, n)
	if err == io.EOF && got < n {
		err = io.ErrUnexpectedEOF
	}
	return buf.Bytes(), err
}

// shortRead is the error for a read that ended before what was wanted.
func shortRead(path string, offset int64, err error, want string, args ...any) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return badFile(path, offset, "the file ends too early; wanted "+want, args...)
	}
	return &FileError{Path: path, Offset: offset, Err: fmt.Errorf("read: %w", err)}
}

// An idxPart is a part of a data set kept as two IDX files.
type idxPart struct {
	height, width int
	Part
}

// readIDXPart reads images and their labels; classes is how many labels there are.
func readIDXPart(imagesPath string, images io.Reader, labelsPath string, labels io.Reader, classes int) (idxPart, error) {
	ih, pixels, err := readIDX(imagesPath, images, 3)
	if err != nil {
		return idxPart{}, err
	}
	lh, raw, err := readIDX(labelsPath, labels, 1)
	if err != nil {
		return idxPart{}, err
	}
	if lh.dims[0] != ih.dims[0] {
		return idxPart{}, badFile(labelsPath, 4, "%d labels for the %d images of %s", lh.dims[0], ih.dims[0], imagesPath)
	}
	p := idxPart{height: ih.dims[1], width: ih.dims[2], Part: Part{Pixels: pixels, Labels: make([]uint16, len(raw))}}
	for i, l := range raw {
		if int(l) >= classes {
			return idxPart{}, badFile(labelsPath, lh.offset+int64(i), "label %d of image %d; may be 0 to %d", l, i, classes-1)
		}
		p.Labels[i] = uint16(l)
	}
	return p, nil
}
