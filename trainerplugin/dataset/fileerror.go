package dataset

import (
	"errors"
	"fmt"
)

// ErrMissing marks a data set whose files are not there. See [Fetch].
var ErrMissing = errors.New("data set is not there")

// A FileError says what is wrong with a file and where.
type FileError struct {
	Path   string // of the file; for a member of an archive, ARCHIVE:MEMBER
	Offset int64  // in bytes from the beginning, uncompressed; -1 where there is no one place
	Err    error
}

func (e *FileError) Error() string {
	if e.Offset < 0 {
		return fmt.Sprintf("%s: %v", e.Path, e.Err)
	}
	return fmt.Sprintf("%s: offset %d: %v", e.Path, e.Offset, e.Err)
}

func (e *FileError) Unwrap() error { return e.Err }

// badFile is a FileError whose cause is a message.
func badFile(path string, offset int64, format string, args ...any) error {
	return &FileError{Path: path, Offset: offset, Err: fmt.Errorf(format, args...)}
}
