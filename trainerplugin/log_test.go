package trainerplugin

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestTail(t *testing.T) {
	many := strings.Repeat("x\n", 300)
	for _, tt := range []struct{ name, in, want string }{
		{"lines", "one\ntwo\n", "one\ntwo\n"},
		{"no newline at the end", "one\ntwo", "one\ntwo\n"},
		{"progress bar", " 10%\r 20%\r\n\n\ndone\n", " 10%\n 20%\ndone\n"},
		{"terminal control", "\x1b[2J\x07\u009bred\u202e\tx\n", "\uFFFD[2J\uFFFD\uFFFDred\uFFFD\tx\n"},
		{"not UTF-8", "\xff\xfeok\n", "\uFFFD\uFFFDok\n"},
		{"long line", strings.Repeat("y", 5000) + "\nz\n", strings.Repeat("y", 4093) + "…\nz\n"},
		{"many lines", many, many[:400]},
		{"many bytes", strings.Repeat(strings.Repeat("w", 1023)+"\n", 100), strings.Repeat(strings.Repeat("w", 1023)+"\n", 64)},
		{"nothing", "", ""},
	} {
		for _, chunk := range []int{1, 7, 1 << 20} { // a pipe cuts anywhere
			l := newLineLog(nil, 0)
			w := l.stream()
			for rest := []byte(tt.in); len(rest) > 0; {
				n := min(chunk, len(rest))
				if wrote, err := w.Write(rest[:n]); wrote != n || err != nil {
					t.Fatal(wrote, err)
				}
				rest = rest[n:]
			}
			w.flush()
			if got := l.tail(); got != tt.want {
				t.Errorf("%s, by %d bytes: %.80q, want %.80q", tt.name, chunk, got, tt.want)
			}
		}
	}
}

// A gigabyte would take the same memory as these 64 MiB: none that grows.
func TestFloodTakesNoMemory(t *testing.T) {
	l := newLineLog(nil, 0)
	w := l.stream()
	block := bytes.Repeat([]byte(strings.Repeat("flood ", 20)+"\n"), 1000)
	write := func(total int) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for n := 0; n < total; n += len(block) {
			_, _ = w.Write(block)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	write(1 << 20) // the ring grows to its size
	if grown := write(64 << 20); grown > 1<<20 {
		t.Errorf("64 MiB of log allocated %d bytes", grown)
	}
}

type brokenDisk struct{ writes int }

func (d *brokenDisk) Write([]byte) (int, error) {
	d.writes++
	return 0, errors.New("disk full")
}

func TestFullDiskLeavesTheTail(t *testing.T) {
	var disk brokenDisk
	l := newLineLog(&disk, 1000)
	_, _ = l.stream().Write([]byte("one\ntwo\n"))
	if l.tail() != "one\ntwo\n" || disk.writes != 1 {
		t.Errorf("tail %q after %d writes", l.tail(), disk.writes)
	}
}

func FuzzTail(f *testing.F) {
	f.Add([]byte("a\x1b]0;title\x07\nb\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		l := newLineLog(nil, 0)
		w := l.stream()
		_, _ = w.Write(text)
		w.flush()
		tail := l.tail()
		if !utf8.ValidString(tail) || len(tail) > tailBytes {
			t.Fatalf("a tail of %d bytes, valid UTF-8: %v", len(tail), utf8.ValidString(tail))
		}
		for _, r := range tail {
			if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
				t.Fatalf("%U in the tail", r)
			}
		}
	})
}
