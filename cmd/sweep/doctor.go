package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"sweep/results"
	"sweep/trainerplugin/dataset"
	"sweep/trainerplugin/kernel"
	"sweep/trainerplugin/xla"
	"sweep/trainerplugin/xla/pjrt"
	"sweep/workflows"
	"sweep/workflows/devserver"
)

// leastFree is the disk space below which a sweep is likely to meet a full disk.
const leastFree = 1 << 30

var doctorCommand = &cli.Command{
	Name: "doctor", Usage: "check what a sweep needs, and say how to mend what is wrong", ArgsUsage: "[FILE]",
	Description: `Exits with 0 if a sweep can run, with 1 if something must be mended first. With a sweep FILE it
also looks for that sweep's data, and starts its trainer if that has the digest which FILE states.`,
	Flags: append([]cli.Flag{outputFlag, checkpointsFlag}, connectFlags...),
	Action: func(c *cli.Context) error {
		if c.NArg() > 1 {
			return usagef("doctor wants at most one sweep file, and was given %d arguments", c.NArg())
		}
		p, err := placeOf(c)
		if err != nil {
			return err
		}
		l := listing{headings: []string{"check", "", "finding", "remedy"}}
		var found []finding
		bad := 0
		for _, check := range []func(context.Context, place) finding{checkCPU, checkMemory, checkDisk, checkPermissions, checkClock, checkRecord, checkStore, checkTrainer, checkGPU, checkServer, checkKey} {
			found = append(found, check(c.Context, p))
		}
		found = append(found, checkData(c.Context, p)...)
		if c.NArg() > 0 {
			found = append(found, checkFile(c.Context, p, c.Args().First())...)
		}
		for _, f := range found {
			if f.Verdict == "bad" {
				bad++
			}
			l.rows = append(l.rows, []any{f.Check, f.Verdict, f.Finding, f.Remedy})
		}
		l.json = map[string]any{"schema": 1, "findings": found}
		if err := l.print(c); err != nil {
			return err
		}
		if bad > 0 {
			return &exitError{exitInternal, fmt.Errorf("%d of %d checks found something to mend", bad, len(found))}
		}
		return nil
	},
}

// A finding is what one check found. Verdict is "ok", "note" or "bad".
type finding struct {
	Check   string `json:"check"`
	Verdict string `json:"verdict"`
	Finding string `json:"finding"`
	Remedy  string `json:"remedy,omitempty"`
}

func checkCPU(context.Context, place) finding {
	return finding{"processor", "ok", fmt.Sprintf("%s/%s, %d cores, kernels: %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), kernel.Path()), ""}
}

func checkMemory(context.Context, place) finding {
	f := finding{Check: "memory", Verdict: "ok"}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return finding{f.Check, "note", "unknown: " + err.Error(), ""}
	}
	gib := float64(info.Totalram) * float64(info.Unit) / (1 << 30)
	f.Finding = fmt.Sprintf("%.1f GiB", gib)
	if gib < 2 {
		f.Verdict, f.Remedy = "note", "the embedded server takes about 0.3 GiB, a trial of a small model 0.1"
	}
	return f
}

func checkDisk(_ context.Context, p place) finding {
	dir := existing(p.state)
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return finding{"disk", "bad", fmt.Sprintf("%s: %v", dir, err), "name another results file with --db"}
	}
	free := st.Bavail * uint64(st.Bsize)
	f := finding{"disk", "ok", fmt.Sprintf("%.1f GiB free at %s", float64(free)/(1<<30), dir), ""}
	if free < leastFree {
		f.Verdict, f.Remedy = "bad", "free some space, or name another results file with --db"
	}
	if err := unix.Access(dir, unix.W_OK); err != nil {
		f.Verdict, f.Finding, f.Remedy = "bad", dir+" cannot be written", "name another results file with --db"
	}
	return f
}

// existing is the nearest folder of path that exists.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}

func checkRecord(ctx context.Context, p place) finding {
	r, err := results.OpenReader(ctx, p.db)
	if errors.Is(err, fs.ErrNotExist) {
		return finding{"results file", "ok", p.db + " is not there yet", ""}
	}
	if err != nil {
		return finding{"results file", "bad", err.Error(), hintFor(err)}
	}
	defer r.Close()
	all, err := r.Sweeps(ctx)
	if err != nil {
		return finding{"results file", "bad", err.Error(), ""}
	}
	return finding{"results file", "ok", fmt.Sprintf("%s, %d sweeps", p.db, len(all)), ""}
}

// checkStore tries the store of checkpoints as a trial would.
func checkStore(ctx context.Context, p place) finding {
	f := finding{Check: "checkpoints", Verdict: "ok", Finding: "in the trials' own folders, which all workers must share"}
	if p.checkpoints == "" {
		return f
	}
	f.Finding = p.checkpoints + " takes, lists and gives back what is written"
	if err := tryCheckpoints(ctx, p.checkpoints); err != nil {
		f.Verdict, f.Finding, f.Remedy = "bad", err.Error(), hintFor(err)
	}
	return f
}

func checkTrainer(ctx context.Context, _ place) finding {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	began := time.Now()
	d, err := describe(ctx, workflows.Trainer{})
	if err != nil {
		return finding{"built-in trainer", "bad", err.Error(), "is this binary complete, and may it start processes?"}
	}
	return finding{"built-in trainer", "ok", fmt.Sprintf("%s %s answers after %s", d.Name, d.Version, time.Since(began).Round(time.Millisecond)), ""}
}

// checkGPU says which PJRT plugin trials on a GPU would use. It loads it, which
// touches no device: whether there is one is said by what the system has.
func checkGPU(ctx context.Context, _ place) finding {
	f := finding{Check: "gpu plugin", Verdict: "ok"}
	p, problems, err := xla.OpenPlugin(ctx, "")
	switch {
	case errors.Is(err, pjrt.ErrNoPlugin) && len(visibleGPUs()) == 0 && os.Getenv(pjrt.PluginVariable) == "":
		f.Finding = "none, and no GPU: trials are trained on the CPU"
	case errors.Is(err, pjrt.ErrNoPlugin):
		f.Verdict, f.Finding, f.Remedy = "note", err.Error(), `pip install "jax[cuda13]" or "jax[cuda12]", or name its library in `+pjrt.PluginVariable
	case err != nil:
		f.Verdict, f.Finding, f.Remedy = "bad", err.Error(), "reinstall the package that it is from, or name another in "+pjrt.PluginVariable
	default:
		f.Finding = fmt.Sprintf("%s, %s", p.Path, xla.Version(p))
		for _, problem := range problems {
			f.Verdict, f.Finding = "note", f.Finding+"; "+problem.Error()
		}
	}
	return f
}

func checkServer(ctx context.Context, p place) finding {
	if configured() {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		h, err := openCluster(ctx, p, role{logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			return finding{"temporal", "bad", err.Error(), hintFor(err)}
		}
		defer h.close()
		return finding{"temporal", "ok", "the cluster answers, namespace " + h.namespace, ""}
	}
	info, err := devserver.Running(p.state)
	switch {
	case err == nil:
		return finding{"temporal", "ok", fmt.Sprintf("embedded, process %d, at %s", info.PID, info.Address), ""}
	case errors.Is(err, devserver.ErrNotRunning):
		return finding{"temporal", "ok", "embedded, not running now; `sweep start` runs it", ""}
	}
	return finding{"temporal", "note", err.Error(), ""}
}

func checkData(ctx context.Context, p place) (all []finding) {
	for _, i := range dataset.List(p.data) {
		f := finding{Check: "data: " + i.Name, Verdict: "ok", Finding: strings.TrimSpace(i.Form + " " + i.Path)}
		if !i.Present {
			f.Verdict, f.Finding, f.Remedy = "note", "not in "+p.data, fmt.Sprintf("`sweep data fetch %s`, or --data-dir", i.Name)
			if i.Problem != "" {
				f.Finding = i.Problem
			}
		} else if i.Name != "glyphs" {
			if _, err := dataset.Verify(ctx, p.data, i.Name); err != nil {
				f.Verdict, f.Finding, f.Remedy = "bad", err.Error(), dataRemedy(i.Name, p.data)
			}
		}
		all = append(all, f)
	}
	return all
}
