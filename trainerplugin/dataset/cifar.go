package dataset

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A cifarFormat is the binary form of CIFAR-10 or CIFAR-100 (A. Krizhevsky, "The
// CIFAR-10 dataset"): records of label bytes and then the red, green and blue
// planes of an image, row by row.
type cifarFormat struct {
	side   int // height and width, in pixels
	labels []cifarLabel
	train  []cifarFile // in the order of their examples
	test   []cifarFile
	folder string // that the published archive unpacks into
}

// A cifarFile is one binary file and how many records it has.
type cifarFile struct {
	name    string
	records int
}

// A cifarLabel is one of a record's label bytes. The last one is the class.
type cifarLabel struct {
	name    string
	classes int
}

const binaryFiles = "binary files"

var cifar10Format = &cifarFormat{
	side: 32, labels: []cifarLabel{{"class", 10}},
	train: []cifarFile{{"data_batch_1.bin", 10_000}, {"data_batch_2.bin", 10_000}, {"data_batch_3.bin", 10_000},
		{"data_batch_4.bin", 10_000}, {"data_batch_5.bin", 10_000}},
	test:   []cifarFile{{"test_batch.bin", 10_000}},
	folder: "cifar-10-batches-bin",
}

var cifar100Format = &cifarFormat{
	side: 32, labels: []cifarLabel{{"coarse class", 20}, {"fine class", 100}},
	train:  []cifarFile{{"train.bin", 50_000}},
	test:   []cifarFile{{"test.bin", 10_000}},
	folder: "cifar-100-binary",
}

// recordSize is the length of a record in bytes.
func (f *cifarFormat) recordSize() int { return len(f.labels) + 3*f.side*f.side }

// locate finds, of what folder holds, the first of: binary files, a folder of
// them as the published archive unpacks it, that archive, images by class.
func (f *cifarFormat) locate(l *listing, folder string) (place, error) {
	for _, dir := range []string{folder, filepath.Join(folder, f.folder)} {
		if !exists(filepath.Join(dir, f.train[0].name)) {
			continue
		}
		return f.locateFiles(dir)
	}
	binary := filepath.Join(folder, l.files[0].name)
	if exists(binary) {
		return place{form: binaryFiles, path: binary, files: []string{binary}}, nil
	}
	if images := findImages(filepath.Join(folder, l.name+"-jpeg"), folder); images != "" {
		return imagePlace(images, folder), nil
	}
	if pickles := strings.Replace(binary, "-binary.", "-python.", 1); exists(pickles) {
		return place{}, fmt.Errorf("%w: %s holds Python pickles, which are not read", ErrMissing, pickles)
	}
	return place{}, fmt.Errorf("%w: no %s, %s or %s-jpeg.tar.gz in %s", ErrMissing, f.train[0].name, l.files[0].name, l.name, folder)
}

// locateFiles finds all of the binary files in dir; all that are missing are named.
func (f *cifarFormat) locateFiles(dir string) (place, error) {
	at := place{form: binaryFiles, path: dir}
	var missing []string
	for _, file := range slices.Concat(f.train, f.test) {
		path := filepath.Join(dir, file.name)
		if at.files = append(at.files, path); !exists(path) {
			missing = append(missing, path)
		}
	}
	if missing != nil {
		return place{}, fmt.Errorf("%w: no %s", ErrMissing, strings.Join(missing, ", "))
	}
	return at, nil
}

// readSet reads what locate found.
func (f *cifarFormat) readSet(ctx context.Context, l *listing, at place) (*Set, error) {
	if at.form == imagesByClass {
		return openListedImages(ctx, l, at)
	}
	s := l.newSet(at)
	slots := f.slots(s)
	if len(at.files) == 1 {
		return s, f.openArchive(ctx, at.path, slots)
	}
	for _, path := range at.files {
		if err := f.openFile(ctx, path, slots[filepath.Base(path)]); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (f *cifarFormat) openFile(ctx context.Context, path string, p *Part) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil {
		err = f.read(ctx, path, bufio.NewReaderSize(file, 1<<18), info.Size(), p)
	}
	return errors.Join(err, file.Close())
}

// openArchive fills slots from the published archive, where the files stand in
// an order of their own.
func (f *cifarFormat) openArchive(ctx context.Context, archive string, slots map[string]*Part) error {
	r, err := openFile(archive)
	if err != nil {
		return err
	}
	return errors.Join(f.readArchive(ctx, archive, r, slots), r.Close())
}

// readArchive fills slots from the archive that r holds.
func (f *cifarFormat) readArchive(ctx context.Context, archive string, r io.Reader, slots map[string]*Part) error {
	err := walkTar(archive, r, func(m member) error {
		p := slots[path.Base(m.name)]
		if p == nil {
			return nil
		}
		if p.Len() > 0 {
			return badFile(archive, m.offset, "a second %s", path.Base(m.name))
		}
		return f.read(ctx, m.path, m.body, m.size, p)
	})
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(slots)) {
		if slots[name].Len() == 0 {
			return badFile(archive, -1, "holds no %s", name)
		}
	}
	return nil
}

// slots makes room in s for all records and returns, for each file, an empty
// part whose capacity is that file's place in it.
func (f *cifarFormat) slots(s *Set) map[string]*Part {
	slots := map[string]*Part{}
	lay := func(files []cifarFile) (p Part) {
		total := 0
		for _, file := range files {
			total += file.records
		}
		size := 3 * f.side * f.side
		p = Part{Pixels: make([]uint8, total*size), Labels: make([]uint16, total)}
		from := 0
		for _, file := range files {
			to := from + file.records
			slots[file.name] = &Part{Pixels: p.Pixels[from*size : from*size : to*size], Labels: p.Labels[from:from:to]}
			from = to
		}
		return p
	}
	s.Train = lay(f.train)
	s.Test = lay(f.test)
	return slots
}

// read fills p's capacity with the records of a file of the given size.
func (f *cifarFormat) read(ctx context.Context, path string, r io.Reader, size int64, p *Part) error {
	record, records := f.recordSize(), cap(p.Labels)
	if want := int64(records) * int64(record); size != want {
		return badFile(path, min(size, want), "%d bytes; %d records of %d bytes are %d", size, records, record, want)
	}
	buf := make([]byte, record)
	in := &countingReader{r: r}
	for i := range records {
		if i%1000 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, err := io.ReadFull(in, buf); err != nil {
			return shortRead(path, in.n, err, "%d records of %d bytes", records, record)
		}
		for j, l := range f.labels {
			if int(buf[j]) >= l.classes {
				return badFile(path, int64(i)*int64(record)+int64(j), "%s %d of record %d; may be 0 to %d", l.name, buf[j], i, l.classes-1)
			}
		}
		p.Labels = append(p.Labels, uint16(buf[len(f.labels)-1]))
		p.Pixels = appendInterleaved(p.Pixels, buf[len(f.labels):])
	}
	return nil
}

// appendInterleaved appends three planes pixel by pixel.
func appendInterleaved(dst []uint8, planes []byte) []uint8 {
	n := len(planes) / 3
	red, green, blue := planes[:n], planes[n:2*n], planes[2*n:]
	for i := range red {
		dst = append(dst, red[i], green[i], blue[i])
	}
	return dst
}
