package spool

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"sweep"
)

const (
	maxLog  = 16 << 20 // bytes kept of what an attempt prints
	logTail = 4 << 10  // bytes of it that go into the record when the attempt fails
)

// CreateLog starts the attempt's log. What is written beyond a limit is dropped,
// so a trainer that prints without end fills no disk.
func (f Folder) CreateLog(ref sweep.AttemptRef) (io.WriteCloser, error) {
	file, err := os.OpenFile(f.Log(ref), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &cappedFile{file, maxLog}, nil
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

// cappedFile takes any amount and keeps the first left bytes.
type cappedFile struct {
	*os.File
	left int
}

func (c *cappedFile) Write(p []byte) (int, error) {
	keep := p[:min(len(p), c.left)]
	c.left -= len(keep)
	if _, err := c.File.Write(keep); err != nil {
		return 0, err
	}
	if c.left == 0 && len(keep) > 0 {
		_, err := c.File.WriteString("\n… the rest of the log was dropped: it is too long\n")
		return len(p), err
	}
	return len(p), nil
}
