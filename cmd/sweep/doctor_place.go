package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"sweep/results"
	"sweep/search"
	"sweep/workflows"
	"sweep/workflows/payload"
)

// checkPermissions looks for what other users could read, and for what this one could
// not write. Sweep makes its files 0600; copies and backups often do not.
func checkPermissions(_ context.Context, p place) finding {
	f := finding{Check: "permissions", Verdict: "ok", Finding: "nothing of the results is open to other users"}
	var open []string
	look := func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // gone meanwhile, or another check's matter
		}
		if info, err := d.Info(); err == nil && info.Mode()&fs.ModeSymlink == 0 && info.Mode().Perm()&0o077 != 0 {
			open = append(open, fmt.Sprintf("%s (mode %#o)", path, info.Mode().Perm()))
		}
		return nil
	}
	files, _ := filepath.Glob(p.db + "*")
	for _, path := range append(files, p.state) {
		_ = filepath.WalkDir(path, look)
	}
	if len(open) > 0 {
		f.Verdict, f.Finding = "bad", open[0]+" is open to others"
		if len(open) > 1 {
			f.Finding = fmt.Sprintf("%s and %d more are open to others", open[0], len(open)-1)
		}
		f.Remedy = fmt.Sprintf("chmod -R go= %s %s*", p.state, p.db)
	}
	for _, path := range append(files, p.state) {
		if err := unix.Access(path, unix.W_OK); err == unix.EACCES || err == unix.EROFS {
			f.Verdict, f.Finding, f.Remedy = "bad", fmt.Sprintf("%s cannot be written: %v", path, err), "make it writable for this user, or name another results file with --db"
			break
		}
	}
	return f
}

// clockSlack is how far apart two clocks may be before somebody wants to know.
const clockSlack = 5 * time.Second

// checkClock compares this machine's clock with those of the folder's file system
// and of the record. No result depends on it, but certificates, API keys and
// what people read do.
func checkClock(ctx context.Context, p place) finding {
	now := time.Now()
	f := finding{Check: "clock", Verdict: "ok", Finding: now.Format(time.RFC3339)}
	doubt := func(format string, args ...any) finding {
		return finding{f.Check, "note", f.Finding + ": " + fmt.Sprintf(format, args...), "set the clock (NTP); no trial is lost or repeated by it, but dates are wrong, and TLS certificates may seem to have expired"}
	}
	if there, err := fileTime(existing(p.state)); err == nil {
		if off := now.Sub(there); off.Abs() > clockSlack {
			return doubt("it is %v away from that of the file system of %s", off.Round(time.Second), existing(p.state))
		}
	}
	r, err := results.OpenReader(ctx, p.db)
	if err != nil {
		return f // there is none, or another check says what is wrong with it
	}
	defer r.Close()
	all, err := r.Sweeps(ctx)
	if err != nil {
		return f
	}
	for _, s := range all {
		if ahead := s.Changed.Sub(now); ahead > clockSlack {
			return doubt("sweep %s changed %v from now, so the clock was ahead then or is behind now", s.ID, ahead.Round(time.Second))
		}
	}
	return f
}

// fileTime is what the file system of dir takes for now.
func fileTime(dir string) (time.Time, error) {
	file, err := os.CreateTemp(dir, ".clock-*")
	if err != nil {
		return time.Time{}, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

// checkKey reads the payload key, and asks whether who serves the results file
// has it too.
func checkKey(ctx context.Context, p place) finding {
	f := finding{Check: "payload key", Verdict: "ok", Finding: "none: Temporal sees hyper-parameters and results"}
	codec := payload.None()
	if p.payloadKey != "" {
		var err error
		if codec, err = payload.Open(p.payloadKey); err != nil {
			return finding{f.Check, "bad", err.Error(), "`sweep payload-key FILE` makes one"}
		}
		f.Finding = keyText(codec.KeyIDs())
	}
	h := &host{place: p, cluster: true, keys: codec.KeyIDs()}
	if err := h.agree(ctx); err != nil {
		f.Verdict, f.Finding, f.Remedy = "bad", err.Error(), "--payload-key FILE, or SWEEP_PAYLOAD_KEY"
	}
	return f
}

// checkFile looks at what a sweep file wants of this machine: its data, and its
// trainer by the digest that it states.
func checkFile(ctx context.Context, p place, file string) []finding {
	parsed := finding{Check: "sweep file", Verdict: "ok", Finding: file}
	text, err := readFile(file)
	var s *search.Sweep
	if err == nil {
		s, err = search.Parse(file, text)
	}
	if err == nil {
		err = preflight(s, p.data, true)
	}
	if err != nil {
		return []finding{{parsed.Check, "bad", err.Error(), hintFor(err)}}
	}
	if s.Trainer == nil {
		return []finding{parsed}
	}
	trainer := finding{Check: "trainer", Verdict: "ok"}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	d, err := describe(ctx, workflows.Trainer{Command: s.Trainer.Command, SHA256: s.Trainer.SHA256})
	if err != nil {
		trainer.Verdict, trainer.Finding = "bad", err.Error()
		trainer.Remedy = "`sha256sum` prints the digest of a program; `sweep trainers -- COMMAND` tries one"
	} else {
		trainer.Finding = fmt.Sprintf("%s %s answers, and has the sha256 that the file states", d.Name, d.Version)
	}
	return []finding{parsed, trainer}
}
