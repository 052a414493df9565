package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/urfave/cli/v2"

	"sweep"
	"sweep/results"
)

var watchCommand = &cli.Command{
	Name: "watch", Usage: "watch a sweep on the terminal: what runs, what is best, what failed", ArgsUsage: "[SWEEP]",
	Description: `Keys: 1 running, 2 best, 3 failures, 4 frontier (or tab) · ↑ ↓ scroll · q leaves; the sweep goes on.
Where the output is no terminal, or a dumb one, it prints a line now and then and how the sweep ended,
and exits as ` + "`sweep wait`" + ` does.`,
	Flags: connectFlags,
	Action: func(c *cli.Context) error {
		if terminalWidth(c.App.Writer) == 0 || os.Getenv("TERM") == "dumb" {
			return watchLines(c)
		}
		return withReader(c, func(_ place, r *results.Reader) error {
			info, err := findSweep(c, r)
			if err != nil {
				return err
			}
			return watch(c.Context, r, info.ID, os.Stdin, c.App.Writer)
		})
	},
}

// watchLines is watch where nothing can be drawn.
func watchLines(c *cli.Context) error {
	p, info, err := placeAndSweep(c)
	if err != nil {
		return err
	}
	if err := await(c.Context, c.App.Writer, p, info.ID); err != nil {
		return err
	}
	err = withReader(c, func(_ place, r *results.Reader) error {
		if info, err = r.Sweep(c.Context, string(info.ID)); err != nil {
			return err
		}
		progress, err := r.Progress(c.Context, info.ID)
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%s: %s, %s", info.ID, info.State, summary(progress, 0))
		if info.Reason != "" {
			line += ": " + info.Reason
		}
		_, err = fmt.Fprintln(c.App.Writer, line)
		return err
	})
	if err != nil {
		return err
	}
	return verdict(c.Context, p, info.ID)
}

func watch(ctx context.Context, r *results.Reader, id sweep.SweepID, in io.Reader, out io.Writer) error {
	m := &watching{ctx: ctx, reader: r, id: id, width: 80, height: 24}
	_, err := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out)).Run()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(err, m.err)
}

// watching is the screen of `sweep watch`.
type watching struct {
	ctx           context.Context
	reader        *results.Reader
	id            sweep.SweepID
	width, height int
	tab, top      int // which table, and its first line shown
	now           look
	err           error
}

// tabs are the tables to choose from.
var tabs = []string{"running", "best", "failures", "frontier"}

// A look is what the record said.
type look struct {
	info     results.SweepInfo
	progress results.Progress
	curves   map[sweep.TrialID][]float64 // training loss of running trials
	best     []results.RankedPoint
	failures []results.FailureCount
	frontier results.Frontier
	err      error
}

// curveWidth is how many letters a sparkline has.
const curveWidth = 20

// look reads the record.
func (m *watching) look() tea.Msg {
	var l look
	if l.err = m.reader.Moved(); l.err != nil {
		return l
	}
	if l.info, l.err = m.reader.Sweep(m.ctx, string(m.id)); l.err != nil {
		return l
	}
	if l.progress, l.err = m.reader.Progress(m.ctx, m.id); l.err != nil {
		return l
	}
	l.curves = map[sweep.TrialID][]float64{}
	for _, t := range l.progress.Running[:min(64, len(l.progress.Running))] {
		curves, err := m.reader.Curves(m.ctx, t.ID, []string{"loss"}, curveWidth)
		if err != nil {
			l.err = err
			return l
		}
		for _, c := range curves {
			for _, reading := range c.Readings {
				l.curves[t.ID] = append(l.curves[t.ID], reading.Value)
			}
		}
	}
	if l.best, l.err = m.reader.Best(m.ctx, m.id, 0, 50); l.err != nil {
		return l
	}
	if l.failures, l.err = m.reader.Failures(m.ctx, m.id); l.err != nil {
		return l
	}
	l.frontier, l.err = m.reader.Frontier(m.ctx, m.id)
	return l
}

// Init implements [tea.Model].
func (m *watching) Init() tea.Cmd { return m.look }

// Update implements [tea.Model].
func (m *watching) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case look:
		if msg.err != nil {
			m.err = msg.err
			return m, tea.Quit
		}
		m.now = msg
		return m, tea.Tick(time.Second, func(time.Time) tea.Msg { return m.look() })
	case tea.KeyPressMsg:
		return m, m.key(msg.String())
	}
	return m, nil
}

func (m *watching) key(name string) tea.Cmd {
	switch name {
	case "q", "ctrl+c", "esc":
		return tea.Quit
	case "1", "2", "3", "4":
		m.tab, m.top = int(name[0]-'1'), 0
	case "tab", "right", "l":
		m.tab, m.top = (m.tab+1)%len(tabs), 0
	case "shift+tab", "left", "h":
		m.tab, m.top = (m.tab+len(tabs)-1)%len(tabs), 0
	case "down", "j":
		m.top++
	case "up", "k":
		m.top = max(0, m.top-1)
	case "pgdown", "space":
		m.top += m.height / 2
	case "pgup":
		m.top = max(0, m.top-m.height/2)
	}
	return nil
}

var (
	strong = lipgloss.NewStyle().Bold(true)
	faint  = lipgloss.NewStyle().Faint(true)
	chosen = lipgloss.NewStyle().Bold(true).Underline(true)
)

// View implements [tea.Model]. Colours are left to the program, which knows NO_COLOR.
func (m *watching) View() tea.View {
	v := tea.NewView(m.screen())
	v.AltScreen = true
	return v
}

// screen is the whole screen, at most height lines of width columns.
func (m *watching) screen() string {
	if m.now.info.ID == "" {
		return "reading the record …"
	}
	head := m.head()
	lines := m.table()
	room := max(1, m.height-len(head)-2)
	m.top = max(0, min(m.top, len(lines)-room))
	shown := lines[m.top:min(len(lines), m.top+room)]
	for len(shown) < room {
		shown = append(shown, "")
	}
	foot := "1-4 table · ↑↓ scroll · q leave"
	if more := len(lines) - m.top - room; more > 0 {
		foot += fmt.Sprintf(" · %d more", more)
	}
	all := append(append(head, shown...), faint.Render(foot))
	for i, line := range all {
		all[i] = text.Trim(line, m.width)
	}
	return strings.Join(all, "\n")
}

// narrow tells whether the wide tables would lose their ends on this terminal.
func (m *watching) narrow() bool { return m.width < 80 }

// head is the sweep's name and state, how far it is, and the menu.
func (m *watching) head() []string {
	p := m.now.progress
	lines := []string{strong.Render(m.now.info.Name) + "  " + string(m.now.info.State) + faint.Render("  "+string(m.id))}
	progress := bar(p.Completed+p.Failed, p.Trials, min(40, max(3, m.width/3))) + " "
	if whole := progress + summary(p, p.Left()); !m.narrow() || m.height < 10 || text.StringWidth(whole) <= m.width {
		lines = append(lines, whole)
	} else {
		lines = append(lines, fmt.Sprintf("%s%d of %d completed", progress, p.Completed, p.Trials), counts(p))
	}
	return append(lines, m.menu())
}

// counts is what else there is to say than how many trials are completed, for a
// line of its own.
func counts(p results.Progress) string {
	line := fmt.Sprintf("%d running", p.Counts.Running)
	if p.Failed > 0 {
		line += fmt.Sprintf(", %d failed", p.Failed)
	}
	if left := p.Left(); left > 0 {
		line += ", " + left.Round(time.Second).String() + " left"
	}
	return line
}

func (m *watching) menu() string {
	gap := "   "
	if m.narrow() {
		gap = " "
	}
	var parts []string
	for i, name := range tabs {
		part := fmt.Sprintf("%d %s", i+1, name)
		if i == m.tab {
			part = chosen.Render(part)
		} else {
			part = faint.Render(part)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, gap)
}

// table is the lines of the table that is chosen.
func (m *watching) table() (lines []string) {
	switch tabs[m.tab] {
	case "running":
		for _, t := range m.now.progress.Running {
			accuracy := "    –  "
			if t.Accuracy != nil {
				accuracy = fmt.Sprintf("%5.2f %%", 100**t.Accuracy)
			}
			if m.narrow() {
				lines = append(lines, fmt.Sprintf("%d/%d %s %s %s", t.Step, t.Steps, sparkline(m.now.curves[t.ID], 4), strings.TrimSpace(accuracy), t.Label))
				continue
			}
			lines = append(lines, fmt.Sprintf("%s %s %6d/%-6d %s  %-*s %s", string(t.ID)[:8], bar(t.Step, t.Steps, 12), t.Step, t.Steps, accuracy,
				curveWidth, sparkline(m.now.curves[t.ID], curveWidth), t.Label))
		}
		if len(lines) == 0 {
			lines = []string{"nothing runs"}
		}
	case "best":
		for i, b := range m.now.best {
			std := ""
			if b.Std != nil {
				std = fmt.Sprintf(" ± %.2f", 100**b.Std)
			}
			if m.narrow() {
				lines = append(lines, fmt.Sprintf("%2d %.2f%%%s n=%d %s", i+1, 100*b.Accuracy, std, len(b.Accuracies), b.Label))
				continue
			}
			lines = append(lines, fmt.Sprintf("%3d  %6.2f %%%-7s n=%d  ε %-8v %s", i+1, 100*b.Accuracy, std, len(b.Accuracies), formatSpent(b.Epsilon), b.Label))
		}
		if len(lines) == 0 {
			lines = []string{"no trial is completed yet"}
		}
	case "failures":
		for _, f := range m.now.failures {
			if m.narrow() {
				lines = append(lines, fmt.Sprintf("%d × %s", f.Times, f.Failure))
				lines = append(lines, strings.Split(text.WrapSoft(firstLine(f.Reason), max(10, m.width)), "\n")...)
				continue
			}
			lines = append(lines, fmt.Sprintf("%4d × %-12s %s  (last %s, %s)", f.Times, f.Failure, firstLine(f.Reason), f.Last.Format("15:04:05"), string(f.Trial)[:8]))
		}
		if len(lines) == 0 {
			lines = []string{"nothing has failed"}
		}
	default:
		plot := textPlot(m.now.frontier, m.width, max(6, m.height-10))
		if plot == "" {
			return []string{"no trial is completed yet"}
		}
		lines = strings.Split(strings.TrimRight(plot, "\n"), "\n")
	}
	return lines
}
