package trainerplugin

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

const (
	tailLines = 200      // lines that the tail keeps
	tailBytes = 64 << 10 // bytes that the tail shows
	lineBytes = 4 << 10  // bytes kept of one line
)

// A lineLog takes what a trainer prints, from several streams at once. It
// keeps the last lines in memory that does not grow, and copies all lines to a
// writer until its limit is reached.
type lineLog struct {
	mu   sync.Mutex
	ring [tailLines][]byte // reused; ring[next] is the oldest
	next int
	fate string // the last line by which Go begins to say why it crashes; its stacks are often longer than the ring

	full io.Writer // nil if nobody keeps the whole log
	left int64     // bytes that may still go to full
}

// newLineLog copies at most limit bytes to full, if full is not nil.
func newLineLog(full io.Writer, limit int64) *lineLog {
	return &lineLog{full: full, left: limit}
}

// add keeps one line, made harmless.
func (l *lineLog) add(line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	slot := appendHarmless(l.ring[l.next][:0], line)
	l.ring[l.next] = slot
	l.next = (l.next + 1) % tailLines
	if bytes.HasPrefix(slot, []byte("panic: ")) || bytes.HasPrefix(slot, []byte("fatal error: ")) {
		l.fate = string(slot)
	}
	l.copyLine(slot)
}

// copyLine gives the full log its copy. A writer that fails is not tried again:
// a full disk must not end a trial that could still report its outcome.
func (l *lineLog) copyLine(line []byte) {
	if l.full == nil {
		return
	}
	if l.left -= int64(len(line)) + 1; l.left < 0 {
		_, _ = io.WriteString(l.full, "[log cut: it reached its size limit]\n")
		l.full = nil
		return
	}
	if _, err := l.full.Write(append(line, '\n')); err != nil {
		l.full = nil
	}
}

// tail returns the last lines, at most tailBytes of them.
func (l *lineLog) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []string
	for i, room := 1, tailBytes; i <= tailLines; i++ {
		line := l.ring[(l.next-i+tailLines)%tailLines]
		if room -= len(line) + 1; line == nil || room < 0 {
			break
		}
		lines = append(lines, string(line)+"\n")
	}
	var b strings.Builder
	for i := len(lines) - 1; i >= 0; i-- {
		b.WriteString(lines[i])
	}
	return b.String()
}

// lastWords picks the line that says most about the trainer's end: the first of
// a Go panic, or else the last, where Python states its exception.
func (l *lineLog) lastWords() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fate != "" {
		return l.fate
	}
	return string(l.ring[(l.next-1+tailLines)%tailLines])
}

// A lineWriter cuts one stream into lines. Progress bars redraw themselves with
// carriage returns, so those end a line too; empty lines are dropped.
type lineWriter struct {
	log     *lineLog
	partial []byte
	cut     bool // the rest of the current line is dropped
}

func (l *lineLog) stream() *lineWriter { return &lineWriter{log: l} }

func (w *lineWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		end := bytes.IndexAny(rest, "\r\n")
		if end < 0 {
			w.keep(rest)
			break
		}
		w.keep(rest[:end])
		w.flush()
		rest = rest[end+1:]
	}
	return len(p), nil
}

// keep appends b to the current line as far as there is room.
func (w *lineWriter) keep(b []byte) {
	if room := lineBytes - len(w.partial); len(b) > room {
		b, w.cut = b[:room], true
	}
	w.partial = append(w.partial, b...)
}

// flush ends the current line.
func (w *lineWriter) flush() {
	if len(w.partial) > 0 {
		if w.cut {
			w.partial = append(w.partial[:lineBytes-len("…")], "…"...)
		}
		w.log.add(w.partial)
	}
	w.partial, w.cut = w.partial[:0], false
}

// appendHarmless appends line to dst without what could take over a terminal
// or reorder what is read: control characters, escape sequences, directional
// overrides and bytes that are not UTF-8 become U+FFFD. Tabs stay.
func appendHarmless(dst, line []byte) []byte {
	for len(line) > 0 {
		if n := plainASCII(line); n > 0 {
			dst, line = append(dst, line[:n]...), line[n:]
			continue
		}
		r, n := utf8.DecodeRune(line)
		if r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029') {
			r = utf8.RuneError
		}
		dst = utf8.AppendRune(dst, r)
		line = line[n:]
	}
	return dst
}

// plainASCII is how many bytes line begins with that need no second look.
func plainASCII(line []byte) int {
	n := 0
	for n < len(line) && line[n] >= ' ' && line[n] < 0x7f {
		n++
	}
	return n
}
