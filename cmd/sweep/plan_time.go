package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"sweep/results"
	"sweep/search"
	"sweep/trainerplugin"
	"sweep/trainerplugin/builtin"
)

// A pace is how fast trials of the sweep are expected to train.
type pace struct {
	perView float64 // seconds; 0 if it is not known
	how     string  // it is known
	gpu     bool    // it was measured on a GPU for certain
}

// printTime tells how long the sweep takes, by what trials of the record took or
// by a rehearsal.
func (p *bill) printTime(c *cli.Context, w io.Writer, at place, s *search.Sweep) error {
	known, err := p.pace(c, at, s)
	if err != nil {
		return err
	}
	if known.how != "" {
		fmt.Fprintln(w, known.how)
	}
	if known.perView == 0 {
		_, err := fmt.Fprintf(w, "time and memory: not known, since no trial of %s on %s is in the record; --rehearse runs a few steps\n", s.Model, s.Data.Name)
		return err
	}
	work := time.Duration(known.perView * p.views * float64(time.Second))
	parallel := s.Run.Parallel
	if parallel == 0 {
		parallel, _ = shares(role{})
	}
	_, err = fmt.Fprintf(w, "time: about %s of training, %s with %d at a time", rough(work), rough(work/time.Duration(parallel)), parallel)
	if g := s.Run.GPUsPerTrial; g > 0 {
		fmt.Fprintf(w, ", %.3g GPU-hours", work.Hours()*g)
		if !known.gpu {
			fmt.Fprint(w, " if a GPU is no faster than that; --rehearse where there is one measures it")
		}
	}
	fmt.Fprintln(w)
	if !c.Bool("rehearse") {
		_, err = fmt.Fprintln(w, "memory: not measured; --rehearse does")
	}
	return err
}

// pace is what the record or a rehearsal says.
func (p *bill) pace(c *cli.Context, at place, s *search.Sweep) (known pace, err error) {
	if c.Bool("rehearse") {
		return p.rehearse(c.Context, at, s)
	}
	r, err := results.OpenReader(c.Context, at.db)
	if errors.Is(err, fs.ErrNotExist) {
		return known, nil
	}
	if err != nil {
		return known, err
	}
	defer r.Close()
	seen, err := r.Pace(c.Context, s.Model, s.Data.Name, p.largest.Trainer)
	if err != nil || seen.Trials == 0 {
		return known, err
	}
	return pace{perView: seen.SecondsPerView, how: fmt.Sprintf("pace: %.0f views/s, mean of %d recorded trials, wherever they ran", 1/seen.SecondsPerView, seen.Trials)}, nil
}

// rehearsed is how many steps a rehearsal makes. The first, in which memory is
// taken and a device's program loaded, is not measured.
const rehearsed = 4

// rehearse runs a few steps of the largest trial in this process, on images drawn
// at random in place of the data's, and throws them away: nothing of the data
// but their sizes has any part in it, so that there is nothing to be charged.
// It runs on a GPU if trials of the sweep do and this machine shows one.
func (p *bill) rehearse(ctx context.Context, at place, s *search.Sweep) (known pace, err error) {
	if s.Trainer != nil {
		return known, usagef("--rehearse runs the built-in trainer, and %s names another", s.Name)
	}
	dir, err := os.MkdirTemp("", "sweep-rehearsal")
	if err != nil {
		return known, err
	}
	defer os.RemoveAll(dir)
	params := p.largest
	params.Steps, params.Warmup = rehearsed, 0
	t := builtin.Rehearsal()
	_, threads := shares(role{atOnce: s.Run.Parallel})
	job := trainerplugin.Job{Trial: params.ID(), Params: params, DataDir: at.data, Dir: dir, Threads: threads}
	where := "the CPU"
	if gpus := visibleGPUs(); s.Run.GPUsPerTrial > 0 && len(gpus) > 0 {
		known.gpu, job.Devices, where = true, gpus[:1], devicesText(gpus[:1])
	}
	need, err := t.Check(ctx, job)
	if err != nil {
		return known, err
	}
	var first, last float64
	_, err = t.Train(ctx, job, func(e trainerplugin.Event) error {
		if e, ok := e.(trainerplugin.Progress); ok {
			if last = e.SecondsElapsed; first == 0 {
				first = last
			}
		}
		return nil
	})
	if err != nil {
		return known, err
	}
	views := (rehearsed - 1) * float64(params.Batch) * float64(max(1, params.AugMult))
	seconds := max(last-first, 1e-9)
	known.perView = seconds / views
	known.how = fmt.Sprintf("rehearsal on %s: %d steps of the largest trial in %.2gs, %.0f views/s; %d MB of memory, %d parameters, microbatches of %d",
		where, rehearsed-1, seconds, views/seconds, need.MemoryBytes>>20, need.Parameters, need.Microbatch)
	return known, nil
}
