package page

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"sweep/results"
)

// TestOtherStatesInABrowser looks at a file without a sweep, a sweep without a
// trial that ran, and one that failed.
func TestOtherStatesInABrowser(t *testing.T) {
	b := openBrowser(t)
	nothing := &record{path: filepath.Join(t.TempDir(), "empty.db")}
	store, err := results.Open(t.Context(), nothing.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	nothing.Store = store
	fresh, failed := newRecord(t), newRecord(t)
	for i := range failed.all {
		if i%3 == 0 {
			failed.complete(t, i, accuracyOf(failed.all[i]))
		} else {
			failed.fail(t, i)
		}
	}
	if err := failed.FinishSweep(t.Context(), failed.id, false); err != nil {
		t.Fatal(err)
	}
	b.visit(t, serve(t, nothing, Options{}).URL(), "No sweep is in this file yet", "empty")
	s := serve(t, fresh, Options{})
	b.visit(t, s.URL(), "look", "fresh-home")
	for page, want := range map[string]string{
		"": "No trial is completed yet", "/trials": "1 to 24 of 24", "/explore": "There is nothing to explain yet", "/curves": "Nothing has been measured yet",
		"/workers": "No attempt has been made yet", "/compare": "Tick two or more", "/privacy": "Nothing has touched the data yet",
	} {
		b.visit(t, s.server.URL+s.sweepPath(fresh, "")+page, want, "fresh"+strings.ReplaceAll(page, "/", "-"))
	}
	s = serve(t, failed, Options{})
	b.visit(t, s.URL(), "failed", "failed-home")
	b.visit(t, s.server.URL+s.sweepPath(failed, ""), "exit status 1: CUDA out of memory", "failed")
	b.visit(t, s.server.URL+s.sweepPath(failed, "workers"), "16 failed", "failed-workers")
	b.visit(t, s.server.URL+"/trial/"+string(failed.all[1].Params.ID()), "crashed: exit status 1: CUDA out of memory", "failed-trial")
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.trouble {
		t.Errorf("the browser complained: %s", text)
	}
}

// visit opens an address and waits for words on it.
func (b *browser) visit(t *testing.T, address, want, shot string) {
	t.Helper()
	b.run(t, chromedp.Navigate(address))
	b.until(t, fmt.Sprintf("document.body.innerText.includes(%q)", want))
	b.shot(t, shot)
}
