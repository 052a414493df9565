package devserver

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// quiet is for how long a line that was passed on is only counted: on a
	// full disk the server complains a dozen times a second for hours.
	quiet = 30 * time.Second

	maxRecent = 6   // errors kept to explain a start that did not work
	maxSeen   = 500 // different lines whose repetitions are known
)

// A journal passes the server's lines to the options' logger, each kind at most
// once per quiet period, and keeps the last errors. Errors are of one kind if
// the error itself is the same: with one cause, each part of the server that
// meets it has its own message.
type journal struct {
	logger    *slog.Logger
	level     slog.Leveler
	onTrouble func(string)
	dir       string
	now       func() time.Time

	mu     sync.Mutex
	muted  bool
	recent []string // different errors, the latest last
	seen   map[string]*repetition
}

// A repetition is one kind of line.
type repetition struct {
	passed  time.Time // when last passed on
	dropped int       // how often met since
}

func newJournal(o Options) *journal {
	return &journal{
		logger: o.Logger, level: o.LogLevel, onTrouble: o.OnTrouble, dir: o.Dir,
		now: time.Now, seen: map[string]*repetition{},
	}
}

// add takes one line; cause is its error's text, or "".
func (j *journal) add(level slog.Level, msg, cause string, attrs []slog.Attr) {
	text, kind, trouble := msg, msg, ""
	if cause != "" {
		text = msg + ": " + cause
	}
	if level >= slog.LevelError {
		kind = cmp.Or(cause, msg)
		if known, advice := troubleIn(text); known != "" {
			kind, trouble = known, fmt.Sprintf("temporal server in %s: %s: %s", j.dir, known, advice)
		}
	}
	dropped, pass := j.count(level, kind, text)
	if !pass {
		return
	}
	if dropped > 0 {
		attrs = append(attrs, slog.Int("repeated", dropped))
	}
	if level >= j.level.Level() {
		j.logger.LogAttrs(context.Background(), level, msg, attrs...)
	}
	if trouble != "" && j.onTrouble != nil {
		j.onTrouble(trouble)
	}
}

// count notes a line, and tells whether it is to be passed on and how many like
// it were not since the last that was.
func (j *journal) count(level slog.Level, kind, text string) (dropped int, pass bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.muted {
		return 0, false
	}
	if level >= slog.LevelError && !slices.Contains(j.recent, text) {
		j.recent = append(j.recent, text)
		j.recent = j.recent[max(0, len(j.recent)-maxRecent):]
	}
	now := j.now()
	r, known := j.seen[kind]
	if known && now.Sub(r.passed) < quiet {
		r.dropped++
		return 0, false
	}
	if !known {
		if len(j.seen) == maxSeen {
			clear(j.seen)
		}
		r = &repetition{}
		j.seen[kind] = r
	}
	dropped, r.dropped, r.passed = r.dropped, 0, now
	return dropped, true
}

// mute ends the journal: a server that is being stopped logs errors of calls
// that its own end cut short.
func (j *journal) mute() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.muted = true
}

// explain adds the last errors to err.
func (j *journal) explain(err error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.recent) == 0 {
		return err
	}
	return fmt.Errorf("%w (the server logged: %s)", err, strings.Join(j.recent, "; "))
}

// troubles are what a person must mend, as SQLite and the kernel word them.
var troubles = []struct{ cause, advice string }{
	{"database or disk is full", "free some space on its disk, and the server goes on by itself"},
	{"no space left on device", "free some space on its disk, and the server goes on by itself"},
	{"disk quota exceeded", "free some of your quota, and the server goes on by itself"},
	{"disk I/O error", "check the disk; the server tries again"},
	{"database disk image is malformed", "stop, move the database away, and start again; it holds execution state only"},
	{"file is not a database", "stop, move the database away, and start again; it holds execution state only"},
	{"attempt to write a readonly database", "make the folder and its files writable"},
	{"too many open files", "raise the limit on open files (ulimit -n)"},
}

func troubleIn(text string) (cause, advice string) {
	for _, t := range troubles {
		if strings.Contains(text, t.cause) {
			return t.cause, t.advice
		}
	}
	return "", ""
}
