package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"

	"sweep"
	"sweep/results"
)

// A display shows how a sweep gets on: a block of lines that is redrawn on a
// terminal, and a line now and then elsewhere. Finished trials scroll past as a
// log in either case.
type display struct {
	w        io.Writer
	reader   *results.Reader
	id       sweep.SweepID
	width    func() int               // columns; 0 where w is no terminal
	drawn    int                      // lines of the block on the screen
	running  map[sweep.TrialID]string // labels of what ran at the last look
	last     time.Time                // a line was printed; not on terminals
	previous string
}

func newDisplay(w io.Writer, r *results.Reader, id sweep.SweepID) *display {
	d := &display{w: w, reader: r, id: id, running: map[sweep.TrialID]string{}, width: func() int { return 0 }}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		d.width = func() int {
			if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
				return width
			}
			return 80
		}
	}
	return d
}

// say prints a line that stays.
func (d *display) say(line string) {
	d.erase()
	fmt.Fprintln(d.w, line)
}

// update looks at the record and shows what has changed.
func (d *display) update(ctx context.Context) error {
	p, err := d.reader.Progress(ctx, d.id)
	if err != nil {
		return err
	}
	if err := d.log(ctx, p); err != nil {
		return err
	}
	if width := d.width(); width > 0 {
		d.draw(block(p, p.Left(), width), width)
		return nil
	}
	if line := summary(p, p.Left()); time.Since(d.last) > 10*time.Second && line != d.previous {
		d.say(line)
		d.last, d.previous = time.Now(), line
	}
	return nil
}

// log prints a line for each trial that no longer runs.
func (d *display) log(ctx context.Context, p results.Progress) error {
	now := map[sweep.TrialID]string{}
	for _, t := range p.Running {
		now[t.ID] = t.Label
	}
	for id, label := range d.running {
		if _, still := now[id]; still {
			continue
		}
		t, err := d.reader.Trial(ctx, string(id))
		if err != nil {
			return err
		}
		d.say(ended(t, label))
	}
	d.running = now
	return nil
}

// ended is the line of a trial that has just ended.
func ended(t results.Trial, label string) string {
	what := string(t.State)
	switch {
	case t.State == sweep.Completed:
		what = fmt.Sprintf("%6.2f %%", 100*t.Outcome.Accuracy)
	case t.State == sweep.Failed:
		what = "failed: " + firstLine(t.Attempts[len(t.Attempts)-1].Reason)
	}
	return fmt.Sprintf("%s  %-36s %s", t.ID, label, what)
}

// summary is the sweep in one line.
func summary(p results.Progress, eta time.Duration) string {
	line := fmt.Sprintf("%d of %d trials completed, %d running", p.Completed, p.Trials, p.Counts.Running)
	if p.Waiting > 0 {
		line += fmt.Sprintf(", %d waiting", p.Waiting)
	}
	if p.Failed > 0 {
		line += fmt.Sprintf(", %d failed", p.Failed)
	}
	if eta > 0 {
		line += ", about " + eta.Round(time.Second).String() + " left"
	}
	return line
}

// block is the sweep on a terminal: a bar, and a line for each running trial.
func block(p results.Progress, eta time.Duration, width int) []string {
	lines := []string{bar(p.Completed+p.Failed, p.Trials, min(30, width/3)) + " " + summary(p, eta)}
	const most = 12
	for i, t := range p.Running {
		if i == most {
			lines = append(lines, fmt.Sprintf("  … and %d more", len(p.Running)-most))
			break
		}
		if t.Selection {
			lines = append(lines, "  "+t.Label+": how far it is would tell how many trials it draws, and is not shown")
			continue
		}
		accuracy := "      –"
		if t.Accuracy != nil {
			accuracy = fmt.Sprintf("%5.2f %%", 100*(*t.Accuracy))
		}
		if t.Waiting {
			lines = append(lines, fmt.Sprintf("  %-*s  %s", 16+2+28, "waiting", t.Label))
			continue
		}
		lines = append(lines, fmt.Sprintf("  %s step %5d/%-5d %s  %s", bar(t.Step, t.Steps, 16), t.Step, t.Steps, accuracy, t.Label))
	}
	return lines
}

// bar draws how much of the whole is done.
func bar(done, whole, width int) string {
	if whole <= 0 || width < 3 {
		return ""
	}
	full := min(width, done*width/whole)
	return "[" + strings.Repeat("█", full) + strings.Repeat("·", width-full) + "]"
}

// draw replaces the block on the screen.
func (d *display) draw(lines []string, width int) {
	var b strings.Builder
	b.WriteString(d.eraser())
	for _, line := range lines {
		b.WriteString(text.Trim(line, width-1) + "\n") // a line that wraps could not be erased
	}
	d.drawn = len(lines)
	io.WriteString(d.w, b.String())
}

func (d *display) erase() {
	io.WriteString(d.w, d.eraser())
	d.drawn = 0
}

func (d *display) eraser() string {
	if d.drawn == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\x1b[J", d.drawn)
}

// close takes the block off the screen.
func (d *display) close() { d.erase() }
