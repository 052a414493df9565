package page

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sweep"
	"sweep/results"
	"sweep/results/resultstest"
)

func TestOnlyWhoKnowsTheTokenGetsIn(t *testing.T) {
	s := serve(t, newRecord(t), Options{})
	strip := func(r *http.Request) { r.Header.Del("Cookie") }
	for _, c := range []struct {
		name, path string
		change     func(*http.Request)
		want       int
	}{
		{"with the cookie", "/", func(*http.Request) {}, http.StatusOK},
		{"without", "/", strip, http.StatusUnauthorized},
		{"style without", "/static/page.css", strip, http.StatusUnauthorized},
		{"with another token", "/?token=AAAA", strip, http.StatusUnauthorized},
		{"with an empty token", "/?token=", strip, http.StatusUnauthorized},
		{"under another name", "/", func(r *http.Request) { r.Host = "evil.example" }, http.StatusMisdirectedRequest},
		{"under another name, with the token", "/?token=" + s.gate.token, func(r *http.Request) { strip(r); r.Host = "evil.example:80" }, http.StatusMisdirectedRequest},
	} {
		if w, body := s.get(t, c.path, c.change); w.StatusCode != c.want {
			t.Errorf("%s: status %d, want %d: %s", c.name, w.StatusCode, c.want, body)
		}
	}
}

// A file that was replaced while it is served is not shown as if it were the one
// that is there now.
func TestReplacedFileIsNotServed(t *testing.T) {
	r := newRecord(t)
	s := serve(t, r, Options{})
	if w, body := s.get(t, "/"); w.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", w.StatusCode, body)
	}
	if err := os.Rename(r.path, r.path+".old"); err != nil {
		t.Fatal(err)
	}
	for _, there := range []bool{false, true} {
		if there {
			if err := os.WriteFile(r.path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, path := range []string{"/", "/sweep/" + string(r.id), "/sweep/" + string(r.id) + "/events"} {
			if w, body := s.get(t, path); w.StatusCode != http.StatusGone || !strings.Contains(body, "removed or replaced") {
				t.Errorf("%s, another file there %v: status %d: %s", path, there, w.StatusCode, body)
			}
		}
	}
}

func TestTokenBecomesCookie(t *testing.T) {
	s := serve(t, newRecord(t), Options{})
	w, _ := s.get(t, "//elsewhere.example/x?token="+s.gate.token+"&y=1", func(r *http.Request) { r.Header.Del("Cookie") })
	cookies := w.Cookies()
	if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode || cookies[0].Value != s.gate.token {
		t.Errorf("cookies %v, want one of the token, HttpOnly and SameSite=Strict", cookies)
	}
	if to := w.Header.Get("Refresh"); !strings.HasPrefix(to, "0; url=http://"+s.gate.hosts[0]+"/") || strings.Contains(to, "token") || !strings.Contains(to, "y=1") {
		t.Errorf("refresh to %q, want this server without the token", to)
	}
}

func TestEveryPageHasThePolicy(t *testing.T) {
	r := newRecord(t)
	r.completeAll(t)
	s := serve(t, r, Options{})
	for _, path := range allPages(r) {
		w, body := s.get(t, path)
		csp := w.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} {
			if !strings.Contains(csp, part) || strings.Contains(csp, "unsafe") {
				t.Errorf("%s: policy %q lacks %s", path, csp, part)
			}
		}
		if w.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d: %s", path, w.StatusCode, body)
		}
		if strings.HasSuffix(path, ".html") {
			continue // a file, which carries its own policy
		}
		for _, inline := range []string{" style=\"", "<style", "<script>", " onclick=", "javascript:"} {
			if strings.Contains(body, inline) {
				t.Errorf("%s has %s, which its policy forbids", path, inline)
			}
		}
	}
}

func allPages(r *record) []string {
	base := "/sweep/" + string(r.id)
	trial := string(r.all[0].Params.ID())
	return []string{"/", "/ledger", base, base + "/trials", base + "/trials?where=accuracy+%3E+0.5&sort=-accuracy&state=completed", base + "/explore", base + "/explore?x=learning_rate&y=target_epsilon&by=best",
		base + "/curves", base + "/curves?trial=" + trial, base + "/workers", base + "/compare?trial=" + trial + "&trial=" + string(r.all[5].Params.ID()), base + "/privacy",
		"/trial/" + trial, "/trial/" + trial[:8], base + "/report.html"}
}

// What the record holds is words, not markup.
func TestWordsAreEscaped(t *testing.T) {
	r := newRecord(t)
	r.fail(t, 0)
	s := serve(t, r, Options{})
	for _, path := range []string{"", "report.html"} {
		if _, body := s.get(t, s.sweepPath(r, path)); strings.Contains(body, "<script>alert") || !strings.Contains(body, "&lt;script&gt;alert") {
			t.Errorf("%s: the sweep's file is not escaped", path)
		}
	}
	if _, body := s.get(t, "/trial/"+string(r.all[0].Params.ID())); strings.Contains(body, "<b>out of memory") || !strings.Contains(body, "out of memory") {
		t.Error("the log is not shown, or not escaped")
	}
}

func TestLookingOnly(t *testing.T) {
	r := newRecord(t)
	var done []string
	act := func(_ context.Context, id sweep.SweepID, action string, _ int) error {
		done = append(done, string(id)+" "+action)
		if action == "cancel" {
			return fmt.Errorf("nobody is there")
		}
		return nil
	}
	own := func(r *http.Request) { r.Header.Set("Origin", "http://"+r.Host) }
	looking, acting := serve(t, r, Options{}), serve(t, r, Options{Act: act})
	for _, c := range []struct {
		name, action string
		site         served
		change       func(*http.Request)
		want         int
	}{
		{"looking only", "pause", looking, own, http.StatusForbidden},
		{"from elsewhere", "pause", acting, func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, http.StatusForbidden},
		{"without origin", "pause", acting, func(*http.Request) {}, http.StatusForbidden},
		{"without cookie", "pause", acting, func(r *http.Request) { own(r); r.Header.Del("Cookie") }, http.StatusUnauthorized},
		{"unknown action", "destroy", acting, own, http.StatusBadRequest},
		{"own page", "pause", acting, own, http.StatusSeeOther},
		{"that fails", "cancel", acting, own, http.StatusConflict},
	} {
		if w, body := c.site.ask(t, http.MethodPost, c.site.sweepPath(r, c.action), c.change); w.StatusCode != c.want {
			t.Errorf("%s: status %d, want %d: %s", c.name, w.StatusCode, c.want, body)
		}
	}
	if want := fmt.Sprintf("[%[1]s pause %[1]s cancel]", r.id); fmt.Sprint(done) != want {
		t.Errorf("done %v, want %s", done, want)
	}
}

func TestMistakesInAddresses(t *testing.T) {
	r := newRecord(t)
	s := serve(t, r, Options{})
	for path, want := range map[string]int{
		"/sweep/nothing": http.StatusNotFound, "/trial/ffff0000": http.StatusNotFound, "/nowhere": http.StatusNotFound,
		s.sweepPath(r, "trials?sort=magic"): http.StatusBadRequest, s.sweepPath(r, "trials?page=-1"): http.StatusBadRequest,
		s.sweepPath(r, "explore?x=magic"): http.StatusBadRequest, s.sweepPath(r, "explore?target=x"): http.StatusBadRequest,
		s.sweepPath(r, "curves?trial=x%22+or+%221"): http.StatusNotFound, s.sweepPath(r, "frontier/gif"): http.StatusBadRequest,
	} {
		if w, _ := s.get(t, path); w.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, w.StatusCode, want)
		}
	}
	_, body := s.get(t, s.sweepPath(r, "trials?where=lr+%3D%3D+1"))
	if !strings.Contains(body, "unknown name lr") || !strings.Contains(body, `value="lr == 1"`) {
		t.Error("a wrong condition is not explained beside what was typed")
	}
}

func TestFrontierPage(t *testing.T) {
	r := newRecord(t)
	r.completeAll(t)
	s := serve(t, r, Options{})
	_, body := s.get(t, s.sweepPath(r, ""))
	for _, want := range []string{
		"upper bound by rdp", "does not count the search", "95 % interval", "De et al. 2022", `class="c-ref"`, `class="c-band"`,
		fmt.Sprintf("%.2f", 100*(accuracyOf(r.all[23])+accuracyOf(r.all[22]))/2), // ε = 8, η = 2, B = 1024
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if n := strings.Count(body, `class="c-point"`); n < 3 {
		t.Errorf("%d points on the frontier, want 3", n)
	}
}

func TestTrialsArePaged(t *testing.T) {
	path := t.TempDir() + "/large.db"
	id, err := resultstest.Large(t.Context(), path, 400, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := reopen(t, path, id)
	s := serve(t, r, Options{})
	_, body := s.get(t, s.sweepPath(r, "trials?page=2&state=completed"))
	if !strings.Contains(body, "51 to 100 of 360 trials") || strings.Count(body, `name="trial"`) != perPage {
		t.Errorf("page 2 has %d trials, want %d of 360", strings.Count(body, `name="trial"`), perPage)
	}
	first := regexp.MustCompile(`<td class="n">([0-9.]+)</td>`)
	_, body = s.get(t, s.sweepPath(r, "trials?sort=-accuracy"))
	best, err := r.Best(t.Context(), id, 0, 1)
	if m := first.FindStringSubmatch(body); err != nil || m == nil || m[1] < fmt.Sprintf("%.2f", 100*best[0].Accuracy) {
		t.Errorf("the first by falling accuracy is %v, and a mean over repeats is %.2f (%v)", m, 100*best[0].Accuracy, err)
	}
}

// The report is one file that refers to nothing else and allows nothing else.
func TestReportStandsAlone(t *testing.T) {
	r := newRecord(t)
	r.completeAll(t)
	s := serve(t, r, Options{})
	var out bytes.Buffer
	if err := s.WriteReport(t.Context(), &out, string(r.id)); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if refs := regexp.MustCompile(`(?:src|href)="[^#"][^"]*"|url\(|@import|https?://`).FindAllString(text, -1); len(refs) > 0 {
		t.Errorf("the report refers to %q", refs)
	}
	for _, want := range []string{"How to read it", "does not count the search", "heat map", "parallel coordinates", "explains", "attempts by worker", "sha256-"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not have %q", want)
		}
	}
	_, style, _ := strings.Cut(text, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	_, script, _ := strings.Cut(text, "<script>")
	script, _, _ = strings.Cut(script, "</script>")
	policy := html.UnescapeString(text)
	if !strings.Contains(policy, "'sha256-"+digest(style)+"'") || !strings.Contains(policy, "'sha256-"+digest(script)+"'") {
		t.Error("the report's policy does not allow its own style and script")
	}
}

func TestEvents(t *testing.T) {
	r := newRecord(t)
	s := serve(t, r, Options{})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, s.server.URL+s.sweepPath(r, "events"), nil)
	if err != nil {
		t.Fatal(err)
	}
	q.AddCookie(&http.Cookie{Name: s.gate.cookie, Value: s.gate.token})
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var seen strings.Builder
	buffer := make([]byte, 1<<16)
	for step, want := range []string{"<b>0</b> of 24 completed", "<b>1</b> of 24 completed", "event: changed"} {
		if step == 1 {
			r.complete(t, 0, 0.5)
		}
		for !strings.Contains(seen.String(), want) {
			n, err := answer.Body.Read(buffer)
			if err != nil {
				t.Fatalf("the stream ended (%v) before it said %q: %s", err, want, seen.String())
			}
			seen.Write(buffer[:n])
		}
	}
}

func TestLedgerPage(t *testing.T) {
	r := newRecord(t)
	if err := r.SetBudget(t.Context(), "cifar10", results.Budget{Epsilon: 20, Delta: resultstest.Delta, Note: "the whole year"}); err != nil {
		t.Fatal(err)
	}
	r.complete(t, 0, 0.5)
	r.begin(t, 1)
	s := serve(t, r, Options{})
	for _, path := range []string{"/ledger", s.sweepPath(r, "privacy")} {
		_, body := s.get(t, path)
		for _, want := range []string{"cifar10", "the whole year", "<dt>budget</dt><dd>20</dd>", "<dt>trials begun</dt><dd>2</dd>", "steps reserved", `class="c-done"`} {
			if !strings.Contains(body, want) {
				t.Errorf("%s does not say %q", path, want)
			}
		}
	}
}

func TestNamesAreOrderedAsPeopleDo(t *testing.T) {
	got := []string{"gpu10", "gpu9", "gpu2@a", "gpu02", "gpu2", "cpu", "gpu"}
	slices.SortStableFunc(got, compareNames)
	if want := []string{"cpu", "gpu", "gpu02", "gpu2", "gpu2@a", "gpu9", "gpu10"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
