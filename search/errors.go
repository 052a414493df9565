package search

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A SyntaxError is one mistake in a sweep file and where it stands.
type SyntaxError struct {
	File         string
	Line, Column int    // from 1; Column counts characters
	Msg          string // "key: what is there; what would be right"

	cause error
}

// Error is "file:line:column: key: what is there; what would be right".
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Msg)
}

// Unwrap returns what made the value a mistake, such as [privacy.ErrInfeasible], or nil.
func (e *SyntaxError) Unwrap() error { return e.cause }

// SyntaxErrors are all mistakes of a file, by position. There is at least one.
type SyntaxErrors []*SyntaxError

// Error has one mistake a line.
func (es SyntaxErrors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the mistakes one by one.
func (es SyntaxErrors) Unwrap() []error {
	errs := make([]error, len(es))
	for i, e := range es {
		errs[i] = e
	}
	return errs
}

// sorted puts es in the file's order and drops repetitions, which aliases make.
func (es SyntaxErrors) sorted() SyntaxErrors {
	slices.SortStableFunc(es, func(a, b *SyntaxError) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	seen := make(map[string]bool)
	return slices.DeleteFunc(es, func(e *SyntaxError) bool {
		line := e.Error()
		again := seen[line]
		seen[line] = true
		return again
	})
}
