package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A visitor is a browser that was let in, as far as a server can tell.
type visitor struct {
	*http.Client
	base string
}

// openPage starts `sweep ui` with more flags, and follows the address it prints.
func openPage(t *testing.T, dir string, flags ...string) visitor {
	t.Helper()
	cmd := sweepIn(dir, append([]string{"ui"}, flags...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(background(t, cmd))
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		t.Fatal(err)
	}
	v := visitor{&http.Client{Jar: jar}, "http://" + u.Host}
	if status, text := v.ask(t, http.MethodGet, strings.TrimPrefix(u.String(), v.base), "", nil); status != http.StatusOK {
		t.Fatalf("the printed address answers %d: %s", status, text)
	}
	return v
}

// ask sends a request, as a form of a page of that origin if it posts.
func (v visitor) ask(t *testing.T, method, path, origin string, form url.Values) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, v.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	w, err := v.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.StatusCode, string(text)
}

// newestState is how dir's newest sweep stands.
func newestState(t *testing.T, dir string) (id, state string, running int, trial string) {
	t.Helper()
	out, err := sweepIn(dir, "status", "-o", "json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Sweep    struct{ ID, State string }
		Progress struct{ Running int }
		Trials   []struct{ ID string }
	}
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if len(s.Trials) > 0 {
		trial = s.Trials[0].ID
	}
	return s.Sweep.ID, s.Sweep.State, len(s.Trials), trial
}

// TestActionsOfThePage steers a real sweep on the embedded server by the forms of
// `sweep ui --allow-actions`. Without the flag, without the token, and from
// another origin nothing happens; a trial's page leads to its workflow.
func TestActionsOfThePage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeGrid(t, dir, guardedFor(strings.Replace(guardedGrid, "run: {parallel: 2", "run: {parallel: 1", 1), 1_000_000))
	stop := background(t, sweepIn(dir, "server"))
	defer stop()
	waitForServer(t, dir)
	if out, err := sweepIn(dir, "start", "--detach", "grid.yaml").CombinedOutput(); err != nil {
		t.Fatalf("start: %v\n%s", err, out)
	}
	var id, trial string
	waitFor(t, "running trial", func() bool {
		var n int
		id, _, n, trial = newestState(t, dir)
		return n == 1
	})
	looking, acting := openPage(t, dir), openPage(t, dir, "--allow-actions")
	pause := "/sweep/" + id + "/pause"
	for name, refused := range map[string]func() int{
		"without --allow-actions": func() int { s, _ := looking.ask(t, "POST", pause, looking.base, nil); return s },
		"without the token": func() int {
			s, _ := visitor{http.DefaultClient, acting.base}.ask(t, "POST", pause, acting.base, nil)
			return s
		},
		"from another origin": func() int { s, _ := acting.ask(t, "POST", pause, "http://evil.example", nil); return s },
		"without an origin":   func() int { s, _ := acting.ask(t, "POST", pause, "", nil); return s },
		"by a link":           func() int { s, _ := acting.ask(t, "GET", pause, acting.base, nil); return s },
		"zero at a time": func() int {
			s, _ := acting.ask(t, "POST", "/sweep/"+id+"/parallel", acting.base, url.Values{"n": {"0"}})
			return s
		},
	} {
		if status := refused(); status < 400 {
			t.Errorf("%s: %d, want a refusal", name, status)
		}
	}
	if _, state, _, _ := newestState(t, dir); state != "running" {
		t.Fatalf("after refused requests the sweep is %s", state)
	}
	post := func(action string, form url.Values) {
		t.Helper()
		if status, text := acting.ask(t, "POST", "/sweep/"+id+"/"+action, acting.base, form); status != http.StatusOK {
			t.Fatalf("%s: %d %s", action, status, text)
		}
	}
	is := func(state string, running int) {
		t.Helper()
		waitFor(t, fmt.Sprintf("%s sweep with %d trials running", state, running), func() bool {
			_, now, n, _ := newestState(t, dir)
			return now == state && n == running
		})
	}
	post("parallel", url.Values{"n": {"2"}})
	is("running", 2)
	post("pause", nil)
	is("paused", 2)
	if _, text := acting.ask(t, "GET", "/sweep/"+id, "", nil); !strings.Contains(text, ">resume<") || strings.Contains(text, ">pause<") {
		t.Error("the page of a paused sweep does not offer to resume it")
	}
	post("resume", nil)
	is("running", 2)
	leadsToTemporal(t, looking, trial)
	post("cancel", nil)
	is("stopped", 0)
}

// leadsToTemporal follows the link of a trial's page as far as the server's UI.
func leadsToTemporal(t *testing.T, v visitor, trial string) {
	t.Helper()
	_, text := v.ask(t, "GET", "/trial/"+trial, "", nil)
	_, rest, found := strings.Cut(text, `<a href="http://127.0.0.1`)
	address, _, _ := strings.Cut(rest, `"`)
	if !found || !strings.Contains(address, "/namespaces/") || !strings.Contains(address, trial[:8]) {
		t.Fatalf("the trial's page has no link to its workflow: %q", address)
	}
	client := http.Client{Timeout: 10 * time.Second}
	w, err := client.Get("http://127.0.0.1" + address)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	if w.StatusCode >= 500 || w.StatusCode == http.StatusNotFound {
		t.Errorf("Temporal's UI answers %d to %s", w.StatusCode, address)
	}
}
