package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// Only what the file still holds may be forgotten: pages of it that were written to
// are nowhere else, though they be read-only by now.
func TestCleanSpans(t *testing.T) {
	const smaps = `00400000-00403000 r--p 00000000 fe:00 12                             /bin/my sweep
Rss:                  12 kB
Anonymous:             0 kB
AnonHugePages:         0 kB
FilePmdMapped:         0 kB
00403000-05578000 r-xp 00003000 fe:00 12                             /bin/my sweep
Anonymous:             0 kB
05578000-05579000 r--p 05178000 fe:00 12                             /bin/my sweep
Anonymous:             4 kB
0b313000-0bc14000 rw-p 0af13000 fe:00 12                             /bin/my sweep
Anonymous:             0 kB
7f00deadb000-7f00deadd000 r--p 00000000 fe:00 99                     /lib/libc.so.6
Anonymous:             0 kB
7f00deade000-7f00deadf000 r--p 00000000 00:00 0
Anonymous:             0 kB
`
	spans, err := cleanSpans(strings.NewReader(smaps), "/bin/my sweep")
	if want := []span{{0x400000, 0x403000}, {0x403000, 0x5578000}}; err != nil || !slices.Equal(spans, want) {
		t.Errorf("spans %x, error %v; want %x", spans, err, want)
	}
}

// A program goes on whose pages were forgotten, and they are found in memory no more.
func TestUnmapProgram(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Skip(err)
	}
	defer maps.Close()
	if spans, err := cleanSpans(maps, program); err != nil || len(spans) == 0 {
		t.Fatalf("spans %x, error %v; want those of %s", spans, err, program)
	}
	if err := unmapProgram(); err != nil {
		t.Fatal(err)
	}
}
