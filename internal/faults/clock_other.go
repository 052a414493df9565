//go:build !linux || !amd64

package faults

import (
	"testing"
	"time"
)

// A Clock is the time of day of one process, which a test can set.
type Clock struct{}

// TakeClock skips the test, and says so.
func TakeClock(t *testing.T, _ Process) *Clock {
	t.Helper()
	t.Skip("NOT TESTED: the clock of a process is set on Linux with amd64 only")
	return nil
}

// Set is never reached.
func (*Clock) Set(time.Duration) error { return nil }
