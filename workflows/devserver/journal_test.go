package devserver

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.temporal.io/server/common/log/tag"
)

// A notebook is a journal with a clock to set, and what came out of it.
type notebook struct {
	*serverLog
	out     bytes.Buffer
	trouble []string
	clock   time.Time
}

func newNotebook(level slog.Level) *notebook {
	n := &notebook{clock: time.Unix(0, 0)}
	o := Options{
		Dir: "/sweeps", LogLevel: level, OnTrouble: func(s string) { n.trouble = append(n.trouble, s) },
		Logger: slog.New(slog.NewTextHandler(&n.out, &slog.HandlerOptions{
			Level: slog.LevelDebug,
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			},
		})),
	}
	n.serverLog = &serverLog{journal: newJournal(o)}
	n.journal.now = func() time.Time { return n.clock }
	return n
}

// A full disk makes a dozen complaints a second, of several kinds; a person
// needs one line, and another now and then.
func TestFullDiskIsOneLine(t *testing.T) {
	n := newNotebook(slog.LevelError)
	for i := range 12 * 45 { // 45 seconds
		n.clock = time.Unix(0, 0).Add(time.Duration(i) * time.Second / 12)
		op := []string{"UpdateShard", "GetTransferTasks", "CompleteTask"}[i%3]
		n.Error("Operation failed with internal error.", tag.Error(fmt.Errorf("%s: database or disk is full (13)", op)))
	}
	lines := strings.Split(strings.TrimSpace(n.out.String()), "\n")
	if len(lines) != 2 || !strings.HasSuffix(lines[1], "repeated=359") { // 30 s of 12, without the first
		t.Errorf("%d lines: %s", len(lines), n.out.String())
	}
	const want = "temporal server in /sweeps: database or disk is full: free some space on its disk, and the server goes on by itself"
	if len(n.trouble) != 2 || n.trouble[0] != want {
		t.Errorf("trouble %q, want twice %q", n.trouble, want)
	}
}

func TestJournalKeepsDifferentLinesApart(t *testing.T) {
	n := newNotebook(slog.LevelInfo)
	for range 2 {
		n.Debug("noise")
		n.Info("up", tag.NewStringTag("service", "history"))
		n.Warn("slow")
		n.Error("one", tag.Error(errors.New("a")))
		n.Error("one", tag.Error(errors.New("b")))
		n.Error("another part of the server", tag.Error(errors.New("b")))
		n.Panic("two")
	}
	const want = `level=INFO msg=up service=history
level=WARN msg=slow
level=ERROR msg=one error=a
level=ERROR msg=one error=b
level=ERROR msg=two
`
	if got := n.out.String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if len(n.trouble) != 0 {
		t.Errorf("trouble %q", n.trouble)
	}
}

func TestJournalExplains(t *testing.T) {
	n := newNotebook(slog.LevelError)
	cause := errors.New("no answer")
	if err := n.journal.explain(cause); err != cause {
		t.Errorf("nothing was logged, yet %v", err)
	}
	for i := range 2 * maxRecent {
		n.Error("line", tag.Error(fmt.Errorf("%d", i)))
		n.Error("line", tag.Error(fmt.Errorf("%d", i)))
	}
	const want = "no answer (the server logged: line: 6; line: 7; line: 8; line: 9; line: 10; line: 11)"
	if err := n.journal.explain(cause); err.Error() != want || !errors.Is(err, cause) {
		t.Errorf("got %v, want %s", err, want)
	}
	n.out.Reset()
	n.journal.mute()
	n.Error("after the end")
	if n.out.Len() > 0 {
		t.Errorf("a muted journal wrote %s", n.out.String())
	}
}

func TestJournalForgets(t *testing.T) {
	n := newNotebook(slog.LevelError)
	for i := range 3 * maxSeen {
		n.Error(fmt.Sprint("line ", i))
	}
	if got := len(n.journal.seen); got > maxSeen {
		t.Errorf("%d lines remembered, want at most %d", got, maxSeen)
	}
}

func TestFatalStopsOnlyTheBuilding(t *testing.T) {
	n := newNotebook(slog.LevelError)
	n.Fatal("later") // must return
	n.building.Store(true)
	defer func() {
		if p := recover(); p != fatalLine("no listener: taken") {
			t.Errorf("recovered %v", p)
		}
	}()
	n.Fatal("no listener", tag.Error(errors.New("taken")))
	t.Error("it went on")
}
