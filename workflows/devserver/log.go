package devserver

import (
	"fmt"
	"log/slog"
	"sync/atomic"

	"go.temporal.io/server/common/log/tag"
)

// serverLog is the logger the server is given. Nothing it is told ends the
// process: a library has no right to. While the server is being built a fatal
// line panics with a fatalLine, since the code after it relies on not running.
type serverLog struct {
	journal  *journal
	building atomic.Bool
}

type fatalLine string

func (l *serverLog) Debug(msg string, tags ...tag.Tag)  { l.log(slog.LevelDebug, msg, tags) }
func (l *serverLog) Info(msg string, tags ...tag.Tag)   { l.log(slog.LevelInfo, msg, tags) }
func (l *serverLog) Warn(msg string, tags ...tag.Tag)   { l.log(slog.LevelWarn, msg, tags) }
func (l *serverLog) Error(msg string, tags ...tag.Tag)  { l.log(slog.LevelError, msg, tags) }
func (l *serverLog) DPanic(msg string, tags ...tag.Tag) { l.log(slog.LevelError, msg, tags) }
func (l *serverLog) Panic(msg string, tags ...tag.Tag)  { l.log(slog.LevelError, msg, tags) }

func (l *serverLog) Fatal(msg string, tags ...tag.Tag) {
	l.log(slog.LevelError, msg, tags)
	if l.building.Load() {
		panic(fatalLine(msg + ": " + causeIn(tags)))
	}
}

func (l *serverLog) log(level slog.Level, msg string, tags []tag.Tag) {
	if level < slog.LevelError && level < l.journal.level.Level() {
		return
	}
	attrs := make([]slog.Attr, len(tags))
	for i, t := range tags {
		attrs[i] = slog.Any(t.Key(), t.Value())
	}
	l.journal.add(level, msg, causeIn(tags), attrs)
}

// causeIn is the error that a line reports, "" if none.
func causeIn(tags []tag.Tag) string {
	for _, t := range tags {
		if t.Key() == "error" {
			return fmt.Sprint(t.Value())
		}
	}
	return ""
}
