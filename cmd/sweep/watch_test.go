package main

import (
	"math"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"sweep"
	"sweep/results"
)

func TestTextPlot(t *testing.T) {
	low, high := 0.7, 0.8
	f := results.Frontier{
		All: []results.Dot{{Epsilon: 1, Accuracy: 0.5}, {Epsilon: 1, Accuracy: 0.6}, {Epsilon: 8, Accuracy: 0.75}, {Epsilon: math.Inf(1), Accuracy: 0.99}},
		Points: []results.Point{{TargetEpsilon: 1, Epsilon: 1, Accuracy: 0.6}, {TargetEpsilon: 8, Epsilon: 8, Accuracy: 0.75, Low: &low, High: &high},
			{TargetEpsilon: 9, Epsilon: 9, Accuracy: 0.7, Dominated: true}, {Epsilon: results.Epsilon(math.Inf(1)), Accuracy: 0.99}},
	}
	plot := textPlot(f, 60, 12)
	lines := strings.Split(strings.TrimRight(plot, "\n"), "\n")
	if len(lines) != 14 || strings.Count(plot, "●") != 2 || strings.Count(plot, "○") != 1 || !strings.Contains(plot, "│") {
		t.Errorf("%d lines, want 14 with two best points, one dominated and an interval:\n%s", len(lines), plot)
	}
	for _, line := range lines {
		if n := len([]rune(line)); n > 60 {
			t.Errorf("a line has %d columns, want at most 60: %s", n, line)
		}
	}
	if last := lines[13]; !strings.Contains(last, "1") || !strings.Contains(last, "ε") {
		t.Errorf("the axis reads %q", last)
	}
	for name, empty := range map[string]results.Frontier{"nothing": {}, "no privacy": {Points: f.Points[3:]}} {
		if got := textPlot(empty, 60, 12); got != "" {
			t.Errorf("%s: %q, want no plot", name, got)
		}
	}
	if got := textPlot(f, 20, 12); got != "" {
		t.Errorf("on 20 columns: %q, want no plot", got)
	}
}

func TestSparkline(t *testing.T) {
	for want, values := range map[string][]float64{"▁▅█": {0, 1, 2}, "▄▄": {3, 3}, "": nil, "▁ █": {1, math.NaN(), 2}} {
		if got := sparkline(values, 8); got != want {
			t.Errorf("%v: %q, want %q", values, got, want)
		}
	}
	if got := sparkline([]float64{9, 9, 1, 2}, 2); got != "▁█" {
		t.Errorf("the last two of four: %q, want ▁█", got)
	}
}

// The screen of watch fits its terminal, however small, and its keys choose what it shows.
func TestWatchScreen(t *testing.T) {
	accuracy := 0.5
	m := &watching{now: look{
		info:     results.SweepInfo{ID: "s-1", Name: "s", State: results.Running},
		progress: results.Progress{Counts: results.Counts{Trials: 4, Completed: 1, Running: 2}},
		curves:   map[sweep.TrialID][]float64{"aaaaaaaaaaaa": {3, 2, 1}},
		best:     []results.RankedPoint{{Label: "ε=8 η=1", Accuracy: 0.75, Accuracies: []float64{0.75}}},
		failures: []results.FailureCount{{Failure: sweep.Crashed, Reason: "out of memory", Times: 2, Trial: "bbbbbbbbbbbb"}},
	}}
	for range 40 {
		m.now.progress.Running = append(m.now.progress.Running, results.RunningTrial{ID: "aaaaaaaaaaaa", Label: "ε=8 η=2 and a label that is long", Step: 3, Steps: 10, Accuracy: &accuracy})
	}
	for _, size := range [][2]int{{80, 24}, {40, 10}, {20, 5}} {
		m.Update(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
		for tab := range tabs {
			m.tab = tab
			lines := strings.Split(m.screen(), "\n")
			if len(lines) > size[1] {
				t.Errorf("%s: %d lines on a terminal of %d", tabs[tab], len(lines), size[1])
			}
			for _, line := range lines {
				if n := lipgloss.Width(line); n > size[0] {
					t.Errorf("%s: a line of %d columns on a terminal of %d: %q", tabs[tab], n, size[0], line)
				}
			}
		}
	}
	m.Update(tea.WindowSizeMsg{Width: 40, Height: 14})
	for tab, whole := range [][]string{{"2 running", "4 frontier", "3/10", "50.00 %", "ε=8 η=2", "q leave"}, {"75.00%", "n=1", "ε=8 η=1"}, {"2 × crashed", "out of memory"}} {
		m.tab = tab
		for _, what := range whole {
			if view := m.screen(); !strings.Contains(view, what) {
				t.Errorf("%s on 40 columns does not show %q:\n%s", tabs[tab], what, view)
			}
		}
	}
	m.Update(tea.WindowSizeMsg{Width: 100, Height: 24})
	press := func(key string) string {
		m.Update(tea.KeyPressMsg{Code: []rune(key)[0], Text: key})
		return m.screen()
	}
	if view := press("1"); !strings.Contains(view, "█▅▁") || !strings.Contains(view, "50.00 %") {
		t.Errorf("what runs is not shown with its curve:\n%s", view)
	}
	if view := press("2"); !strings.Contains(view, "75.00 %") {
		t.Errorf("2 does not show the best:\n%s", view)
	}
	if view := press("3"); !strings.Contains(view, "out of memory") {
		t.Errorf("3 does not show failures:\n%s", view)
	}
	if view := press("4"); !strings.Contains(view, "no trial is completed yet") {
		t.Errorf("4 does not show the frontier:\n%s", view)
	}
	if m.key("q") == nil {
		t.Error("q does not leave")
	}
}
