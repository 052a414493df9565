package dataset

import (
	"context"
	"io"
	"strings"
)

// readImageArchive takes the encoded images from the tar archive that r holds.
// All may stand below one further folder, as archives of a folder have it.
func readImageArchive(ctx context.Context, archive string, r io.Reader) ([]imageFile, error) {
	var files []imageFile
	var total int64
	top := "" // the folder that all stand below, with a slash
	err := walkTar(archive, r, func(m member) error {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		name, above := withoutTop(m.name)
		f, ok, err := placeImage(name)
		if err != nil {
			return &FileError{Path: m.path, Offset: m.offset, Err: err}
		}
		if !ok {
			return nil
		}
		if len(files) > 0 && above != top {
			return badFile(m.path, m.offset, "stands below %q, others below %q", above, top)
		}
		top = above
		if total += m.size; m.size > maxImageFile || total > maxArchived {
			return badFile(m.path, m.offset, "more than %d MiB in one image or %d GiB in all; unpack larger archives into a folder",
				maxImageFile>>20, maxArchived>>30)
		}
		f.path, f.offset = m.path, m.offset
		if f.data, err = readExactly(m.body, m.size); err != nil {
			return shortRead(m.path, m.offset+int64(len(f.data)), err, "%d bytes", m.size)
		}
		files = append(files, f)
		return nil
	})
	return files, err
}

// withoutTop cuts a leading folder off name if what follows is a part's.
func withoutTop(name string) (rest, top string) {
	first, rest, _ := strings.Cut(name, "/")
	if first != "train" && first != "test" && (strings.HasPrefix(rest, "train/") || strings.HasPrefix(rest, "test/")) {
		return rest, first + "/"
	}
	return name, ""
}
