package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"sweep"
	"sweep/privacy"
	"sweep/results"
	"sweep/search"
	"sweep/workflows"
)

// Exit codes, as `sweep help` lists them.
const (
	exitOK          = 0
	exitInternal    = 1
	exitUsage       = 2
	exitInterrupted = 3
	exitFailed      = 4
	exitBudget      = 5
	exitNotFound    = 6
)

// exitError ends the program with a status of its own. Without a message it
// says nothing: the command has said all.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usagef is an error in how the command was called.
func usagef(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// hinted adds to an error what a person can do about it.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// status is the exit status for err.
func status(err error) int {
	if exit, ok := errors.AsType[*exitError](err); ok {
		return exit.status
	}
	if _, ok := errors.AsType[*search.SyntaxError](err); ok {
		return exitUsage
	}
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, sweep.ErrNotFound), errors.Is(err, workflows.ErrNotRunning):
		return exitNotFound
	case errors.Is(err, privacy.ErrInfeasible):
		return exitUsage
	}
	return exitInternal
}

// complain prints err for a person; nothing else does.
func complain(w io.Writer, err error) {
	if err.Error() == "" {
		return
	}
	prefix := "sweep: "
	if _, ok := errors.AsType[*search.SyntaxError](err); ok {
		prefix = "" // a place stands alone, so that editors can jump to it
	}
	fmt.Fprintf(w, "%s%v\n", prefix, err)
	if hint := hintFor(err); hint != "" {
		fmt.Fprintf(w, "sweep: hint: %s\n", hint)
	}
}

func hintFor(err error) string {
	if h, ok := errors.AsType[hinted](err); ok {
		return h.hint
	}
	if _, ok := errors.AsType[*search.SyntaxError](err); ok {
		return "sweeps/README.md describes the format, and `sweep schema` prints it for editors"
	}
	switch {
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return "make it writable for this user, or name another results file with --db"
	case errors.Is(err, results.ErrNewer):
		return "use the version of sweep that wrote the file, or another file with --db"
	case errors.Is(err, results.ErrForeign):
		return "name the results file with --db"
	case errors.Is(err, workflows.ErrNotRunning):
		return "`sweep status` tells where it stands, `sweep resume` lets it go on"
	}
	return ""
}
