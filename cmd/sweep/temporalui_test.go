package main

import (
	"strings"
	"testing"

	"sweep"
	"sweep/workflows"
)

// TestPagesLeadToACluster asks where a trial's page leads when the environment
// names a cluster: nowhere unless its web pages are known, then into the
// configured namespace.
func TestPagesLeadToACluster(t *testing.T) {
	t.Setenv("TEMPORAL_PROFILE", "")
	t.Setenv("TEMPORAL_CONFIG_FILE", "")
	t.Setenv("TEMPORAL_ADDRESS", "temporal.example.org:7233")
	t.Setenv("TEMPORAL_NAMESPACE", "vision.a1b2c")
	trial := sweep.TrialID(strings.Repeat("ab", 32))
	link := func(pages string) string {
		return pageOptions(place{state: t.TempDir(), temporalUI: pages}, nil).Temporal("s1", "B=64", trial)
	}
	if got := link(""); got != "" {
		t.Errorf("without --temporal-ui a page leads to %q", got)
	}
	workflow := workflows.TrialInput{Sweep: "s1", Candidate: sweep.Candidate{Trial: trial, Label: "B=64"}}.WorkflowID()
	for pages, want := range map[string]string{
		"https://cloud.temporal.io":          "https://cloud.temporal.io/namespaces/vision.a1b2c/workflows/",
		"http://proxy.example.org/temporal/": "http://proxy.example.org/temporal/namespaces/vision.a1b2c/workflows/",
	} {
		got := link(pages)
		rest, found := strings.CutPrefix(got, want)
		if !found || rest == "" || strings.ContainsAny(rest, "/ ") {
			t.Errorf("%s: a page leads to %q, want %q and one segment for %q", pages, got, want, workflow)
		}
	}
}
