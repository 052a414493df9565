package spool

import (
	"os"
	"testing"
	"time"
)

// A worker whose clock is hours ahead or behind, or one clock that is set back,
// is not taken for one that has fallen silent, nor for one that still speaks.
func TestSilenceKnowsNoClock(t *testing.T) {
	dir := Folder(t.TempDir())
	if s, err := dir.Silence(ref); err != nil || s < 24*time.Hour {
		t.Errorf("silence before any report: %v, %v; want for ever", s, err)
	}
	report, err := dir.Create(ref, "w")
	if err != nil {
		t.Fatal(err)
	}
	defer report.Close()
	if s, err := dir.Silence(ref); err != nil || s > 10*time.Second {
		t.Errorf("silence after a report: %v, %v; want none", s, err)
	}
	for _, c := range []struct {
		name    string
		written time.Duration // from now
		least   time.Duration
	}{
		{"two hours ago", -2 * time.Hour, 2*time.Hour - time.Second},
		{"before the clock was set back by three hours", 3 * time.Hour, 0},
	} {
		at := time.Now().Add(c.written)
		if err := os.Chtimes(dir.report(ref), at, at); err != nil {
			t.Fatal(err)
		}
		if s, err := dir.Silence(ref); err != nil || s < c.least || s > c.least+10*time.Second {
			t.Errorf("written %s: silence %v, %v; want %v", c.name, s, err, c.least)
		}
	}
	// From when the clock was set back the silence counts.
	info, err := os.Stat(dir.report(ref))
	if err != nil || time.Until(info.ModTime()) > time.Second {
		t.Errorf("the report is still of %v, %v", info.ModTime(), err)
	}
	left, err := os.ReadDir(dir.Trial(ref.Trial))
	if err != nil || len(left) != 1 {
		t.Errorf("in the folder are %v, %v; want the report alone", left, err)
	}
}
