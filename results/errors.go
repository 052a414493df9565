package results

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/mattn/go-sqlite3"
)

var (
	// ErrForeign marks a file that is not a record of sweeps.
	ErrForeign = errors.New("not a record of sweeps")

	// ErrDamaged marks a file whose content SQLite can no longer trust.
	ErrDamaged = errors.New("the file is damaged")

	// ErrNewer marks a record written by a newer version of this program.
	ErrNewer = errors.New("the record was written by a newer version of sweep")

	// ErrReadOnly marks a record that cannot be written.
	ErrReadOnly = errors.New("the record cannot be written")

	// ErrFull says that the disk had no room. Nothing was written.
	ErrFull = errors.New("the disk is full")

	// ErrOffset marks a [sweep.Reading] that does not begin where the last
	// one ended. Ask [Reader.Offset] and read from there.
	ErrOffset = errors.New("reading does not join on to what is recorded")
)

// An AmbiguousError says that a name or the start of an id fits several things.
type AmbiguousError struct {
	Given      string
	Candidates []string // at most ten, the newest first
	More       int      // how many others fit
}

func (e *AmbiguousError) Error() string {
	text := fmt.Sprintf("%q could be any of %s", e.Given, strings.Join(e.Candidates, ", "))
	if e.More > 0 {
		text += fmt.Sprintf(" and %d more", e.More)
	}
	return text
}

// explain puts what SQLite says of the file into words with a remedy.
func explain(err error) error {
	e, ok := errors.AsType[sqlite3.Error](err)
	if !ok {
		return err
	}
	if e.SystemErrno == syscall.ENOSPC || e.SystemErrno == syscall.EDQUOT {
		e.Code = sqlite3.ErrFull // however SQLite puts it
	}
	switch e.Code {
	case sqlite3.ErrNotADB:
		return fmt.Errorf("%w; it is not even a SQLite file (%w)", ErrForeign, err)
	case sqlite3.ErrCorrupt:
		return fmt.Errorf("%w; restore it from a backup, or try sqlite3's .recover on a copy (%w)", ErrDamaged, err)
	case sqlite3.ErrReadonly, sqlite3.ErrPerm:
		return fmt.Errorf("%w; check the modes and owners of file and folder (%w)", ErrReadOnly, err)
	case sqlite3.ErrFull:
		return fmt.Errorf("%w, nothing was written; make room and repeat (%w)", ErrFull, err)
	case sqlite3.ErrBusy:
		return fmt.Errorf("another process has been writing for over %v; find it and stop it, or wait (%w)", busyTimeout, err)
	}
	return err
}
