package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"
)

var logFlags = []cli.Flag{
	&cli.StringFlag{Name: "log-format", Value: "text", EnvVars: []string{"SWEEP_LOG_FORMAT"}, Usage: "`FORMAT` of log lines: text (key=value) or json"},
	&cli.StringFlag{Name: "log-level", EnvVars: []string{"SWEEP_LOG_LEVEL"}, Usage: "least `LEVEL` of log lines: debug, info, warn or error", DefaultText: "info of a server or worker, else warn"},
}

// newLogger returns the command's logger, whose lines go to w.
func newLogger(c *cli.Context, w io.Writer, level slog.Level) (*slog.Logger, error) {
	if text := c.String("log-level"); text != "" {
		if err := level.UnmarshalText([]byte(text)); err != nil {
			return nil, usagef("--log-level %s: the levels are debug, info, warn and error", text)
		}
	}
	o := &slog.HandlerOptions{Level: level}
	switch format := c.String("log-format"); format {
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	case "text", "":
		return slog.New(slog.NewTextHandler(w, o)), nil
	default:
		return nil, usagef("--log-format %s: the formats are text and json", format)
	}
}

// openLog opens the log of a command whose own output is for a person: a file
// in the state folder.
func openLog(c *cli.Context, p place) (*slog.Logger, func() error, error) {
	if err := os.MkdirAll(p.state, 0o700); err != nil {
		return nil, nil, err
	}
	file, err := os.OpenFile(filepath.Join(p.state, "sweep.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	logger, err := newLogger(c, file, slog.LevelWarn)
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return logger, file.Close, nil
}

// A talker tells people what a server or worker does: in sentences or, where
// its lines go to a collector, as one more line of the log.
type talker struct {
	w      io.Writer
	logger *slog.Logger
	json   bool
}

func newTalker(c *cli.Context, logger *slog.Logger) talker {
	return talker{c.App.ErrWriter, logger, c.String("log-format") == "json"}
}

func (t talker) say(format string, args ...any) {
	line := strings.TrimSpace(fmt.Sprintf(format, args...))
	if t.json {
		t.logger.Info(line)
		return
	}
	fmt.Fprintln(t.w, line)
}
