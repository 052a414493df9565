package spool

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"sweep"
)

// logTail is how many bytes of an attempt's log go into the record when it fails.
const logTail = 4 << 10

// CreateLog starts the attempt's log. Whoever launches the trainer bounds it.
func (f Folder) CreateLog(ref sweep.AttemptRef) (io.WriteCloser, error) {
	return os.OpenFile(f.Log(ref), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// LogTail is the end of the attempt's log, "" if it has none.
func (f Folder) LogTail(ref sweep.AttemptRef) (string, error) {
	file, err := os.Open(f.Log(ref))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.NewSectionReader(file, max(0, info.Size()-logTail), logTail))
	return string(text), err
}
