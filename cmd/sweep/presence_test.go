package main

import (
	"slices"
	"testing"

	"sweep"
)

// The page's links to Temporal's UI are those of the workflows that run, which of
// a sealed sweep are named without hyper-parameters.
func TestTemporalLinks(t *testing.T) {
	p := recordIn(t, t.TempDir())
	link := func() string {
		return temporalURL("http://127.0.0.1:8233/?token=x", "sweep", trialShown(p, "s-1", "η=2", sweep.TrialID("t1")))
	}
	for _, c := range []struct {
		keys []string
		want string
	}{
		{nil, "http://127.0.0.1:8233/namespaces/sweep/workflows/s-1%2Flr=2%2Ft1?token=x"},
		{[]string{"0123456789abcdef"}, "http://127.0.0.1:8233/namespaces/sweep/workflows/s-1%2Ft1?token=x"},
	} {
		release, err := claimRecord(p, c.keys)
		if err != nil {
			t.Fatal(err)
		}
		if keys, served := servedKeys(p); !served || !slices.Equal(keys, c.keys) {
			t.Errorf("served with the keys %q, %t; want %q", keys, served, c.keys)
		}
		if got := link(); got != c.want {
			t.Errorf("with the keys %q the link is %s; want %s", c.keys, got, c.want)
		}
		if err := release(); err != nil {
			t.Fatal(err)
		}
	}
}
