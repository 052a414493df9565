package page

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"sweep"
	"sweep/results"
)

// patience is how long a page may take to become what a test waits for; the
// machine may be busy with other tests.
const patience = 60 * time.Second

// A browser is a tab of Chromium and what it complained about.
type browser struct {
	context.Context
	mu       sync.Mutex
	trouble  []string
	requests []string
}

// openBrowser starts Chromium, or skips the test where there is none.
func openBrowser(t testing.TB) *browser {
	t.Helper()
	if testing.Short() {
		t.Skip("a real browser takes seconds; run without -short")
	}
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("NO BROWSER: what people see of the page is not tested; apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 1500), chromedp.WSURLReadTimeout(patience),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("force-device-scale-factor", "1"))
	allocated, cancelAllocation := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancelAllocation)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(cancel)
	b := &browser{Context: ctx}
	_, noNetwork := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	_, noLog := chromedp.Call(ctx, log.Enable, cdp.Empty{})
	_, noRuntime := chromedp.Call(ctx, runtime.Enable, cdp.Empty{})
	if err := errors.Join(noNetwork, noLog, noRuntime, chromedp.Listen(ctx, b.listen)); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return b
}

func (b *browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.trouble = append(b.trouble, e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			b.trouble = append(b.trouble, fmt.Sprint("console: ", e.Args))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			b.trouble = append(b.trouble, e.Entry.Text+" "+e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	}
}

func (b *browser) run(t testing.TB, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.Context, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		where, _ := chromedp.Run(b.Context, chromedp.Location())
		t.Fatalf("at %s: %v", where, err)
	}
}

// until waits for a condition in the page's own language, which may hold on the
// page that a click leads to and not yet on this one. Of a page that is still being
// read nothing holds: what is asked next may not be there yet.
func (b *browser) until(t testing.TB, condition string) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var holds bool
		if holds, err = chromedp.Run(b.Context, chromedp.Evaluate[bool]("document.readyState !== 'loading' && Boolean("+condition+")")); holds {
			return
		}
	}
	t.Fatalf("it never came to %s (%v); the page is\n%s", condition, err, b.eval(t, "document.body.innerText.slice(0, 2000)"))
}

func (b *browser) eval(t testing.TB, expression string) string {
	t.Helper()
	s, err := chromedp.Run(b.Context, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return s
}

// shot saves what is seen, in light, in the dark and on a telephone, for a person
// to look at, where UI_SHOTS says so.
func (b *browser) shot(t testing.TB, name string) {
	t.Helper()
	dir := os.Getenv("UI_SHOTS")
	if dir == "" {
		return
	}
	for _, look := range []struct {
		suffix, scheme string
		width          int64
	}{{"", "light", 1280}, {"-dark", "dark", 1280}, {"-narrow", "light", 390}} {
		prefer := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.scheme}}}
		if _, err := chromedp.Call(b.Context, emulation.SetEmulatedMedia, prefer); err != nil {
			t.Fatal(err)
		}
		b.run(t, chromedp.EmulateViewport(look.width, 1500))
		png, err := chromedp.Run(b.Context, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+look.suffix+".png"), png, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.run(t, chromedp.EmulateViewport(1280, 1500))
	if _, err := chromedp.Call(b.Context, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{}); err != nil {
		t.Fatal(err)
	}
}

// shotName is a file's name for a page's address.
func shotName(path string) string {
	return strings.NewReplacer("/", "-", "?", "-", "&", "-", "%", "").Replace(path)
}

// pointAt moves the mouse to the middle of the first element that fits.
func (b *browser) pointAt(t *testing.T, selector string) {
	t.Helper()
	at, err := chromedp.Run(b.Context, chromedp.Evaluate[[]float64](fmt.Sprintf(
		`(() => { const e = document.querySelector(%q); e.scrollIntoView({block: "center"}); const r = e.getBoundingClientRect(); return [r.x + r.width/2, r.y + r.height/2] })()`, selector)))
	if err != nil {
		t.Fatal(err)
	}
	// Scrolling hides tips, a moment later: the mouse moves again when it is through.
	b.run(t, chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at[0]-1, at[1]), chromedp.Sleep(200*time.Millisecond),
		chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at[0], at[1]))
}

// TestInABrowser uses the page as a person does, in one tab.
func TestInABrowser(t *testing.T) {
	b := openBrowser(t)
	r := newRecord(t)
	acted := make(chan string, 1)
	s := serve(t, r, Options{
		Act:    func(_ context.Context, id sweep.SweepID, action string, _ int) error { acted <- action; return nil },
		Served: func() bool { return true },
	})
	base := s.server.URL + s.sweepPath(r, "")
	for i := range 8 {
		r.complete(t, i, accuracyOf(r.all[i]))
	}
	r.begin(t, 8)
	if err := r.SetSweepState(t.Context(), r.id, results.Running, ""); err != nil {
		t.Fatal(err)
	}

	t.Run("load", func(t *testing.T) {
		b.run(t, chromedp.Navigate(s.URL()), chromedp.WaitVisible(`//a[text()="look"]`))
		if where := b.eval(t, "location.href"); strings.Contains(where, "token") {
			t.Errorf("the token stays in the address: %s", where)
		}
		b.run(t, chromedp.Click(`//a[text()="look"]`), chromedp.WaitVisible(`svg.chart .c-point`))
		if title := b.eval(t, "document.querySelector('h1').innerText"); !strings.Contains(title, "look") {
			t.Errorf("the page is titled %q", title)
		}
		b.shot(t, "running")
	})
	t.Run("live", func(t *testing.T) {
		b.until(t, `document.querySelector("#progress .counts b").innerText === "8"`)
		before := b.eval(t, `document.querySelectorAll("svg.chart .c-point").length`)
		r.complete(t, 9, accuracyOf(r.all[9]))
		r.complete(t, 16, accuracyOf(r.all[16]))
		b.until(t, `document.querySelector("#progress .counts b").innerText === "10"`)
		b.until(t, fmt.Sprintf(`document.querySelectorAll("svg.chart .c-point").length > %s`, before))
		b.until(t, `/^running: (9|10) of 24 completed$/.test(document.querySelector("[role=status]").textContent)`) // for those who listen
	})
	t.Run("hover", func(t *testing.T) {
		b.pointAt(t, "svg.chart a > .c-point")
		b.until(t, `!document.querySelector(".tip").hidden && document.querySelector(".tip").innerText.includes("best of")`)
		if tip := b.eval(t, `document.querySelector(".tip").innerText`); !strings.Contains(tip, "ε") || !strings.Contains(tip, "η") {
			t.Errorf("the tip says %q, want epsilon and hyper-parameters", tip)
		}
		b.shot(t, "hover")
	})
	t.Run("keyboard", func(t *testing.T) {
		b.run(t, chromedp.Evaluate[chromedp.Void](`document.querySelector("svg.chart a").focus()`))
		b.until(t, `!document.querySelector(".tip").hidden`)
		if label := b.eval(t, `document.activeElement.getAttribute("aria-label")`); !strings.Contains(label, "%") {
			t.Errorf("the mark in focus is called %q, want an accuracy", label)
		}
		b.run(t, chromedp.KeyEvent("\x1b"))
		b.until(t, `document.querySelector(".tip").hidden`)
		b.run(t, chromedp.Evaluate[chromedp.Void](`document.activeElement.blur()`))
	})
	t.Run("click to a trial", func(t *testing.T) {
		b.pointAt(t, "svg.chart a > .c-point")
		b.run(t, chromedp.Click("svg.chart a > .c-point"), chromedp.WaitVisible(`//h2[text()="Parameters"]`))
		if where := b.eval(t, "location.pathname"); !strings.HasPrefix(where, "/trial/") {
			t.Errorf("the click led to %s", where)
		}
		b.shot(t, "trial")
	})
	t.Run("filters", func(t *testing.T) { filters(t, b, base) })
	t.Run("tables", func(t *testing.T) { tables(t, b, r, s.server.URL) })
	t.Run("keys", func(t *testing.T) { keys(t, b, base) })
	t.Run("names", func(t *testing.T) { names(t, b, r, s.server.URL) })
	t.Run("choices", func(t *testing.T) { choices(t, b, base) })
	t.Run("tabs and breaks", func(t *testing.T) { breaks(t, b, s) })
	t.Run("print", func(t *testing.T) { prints(t, b, base) })
	t.Run("dark", func(t *testing.T) { dark(t, b, base) })
	t.Run("action", func(t *testing.T) {
		b.run(t, chromedp.Navigate(base), chromedp.WaitVisible(".actions button"), chromedp.Evaluate[chromedp.Void](`window.before = true`), chromedp.Click(`//button[text()="pause"]`))
		select {
		case action := <-acted:
			if action != "pause" {
				t.Errorf("the button did %s", action)
			}
		case <-time.After(patience):
			t.Error("the button did nothing")
		}
		b.until(t, `!window.before && document.readyState === "complete" && document.querySelector(".actions")`) // it leads back to the page
	})
	t.Run("every page", func(t *testing.T) {
		for _, path := range allPages(r) {
			if !strings.HasSuffix(path, ".html") { // which the browser would save
				b.run(t, chromedp.EmulateViewport(390, 844), chromedp.Navigate(s.server.URL+path), chromedp.WaitReady("footer"))
				if wide := b.eval(t, "document.documentElement.scrollWidth"); wide != "390" {
					t.Errorf("%s is %s pixels wide on a telephone of 390", path, wide)
				}
				b.shot(t, "page"+shotName(strings.Replace(path, string(r.id), "", 1)))
			}
		}
	})
	b.run(t, chromedp.EmulateViewport(1280, 1500))
	b.check(t, s.server.URL)
}

func filters(t *testing.T, b *browser, base string) {
	b.run(t, chromedp.Navigate(base+"/trials"), chromedp.SetValue("input[name=where]", "learning_rate == 2 and target_epsilon <= 3"), chromedp.Submit("form.filter"))
	b.until(t, `location.search.includes("where") && document.querySelectorAll("tbody input[name=trial]").length === 8`)
	b.run(t, chromedp.Click("input[value=completed]"), chromedp.Submit("form.filter"))
	b.until(t, `location.search.includes("state=completed") && document.querySelectorAll("tbody input[name=trial]").length < 8`)
	b.run(t, chromedp.Click(`//th/a[text()="accuracy, %"]`))
	b.until(t, `document.querySelector("th[aria-sort=descending]")?.innerText.startsWith("accuracy")`)
	b.run(t, chromedp.SetValue("input[name=where]", "learning_rate ==="), chromedp.Submit("form.filter"))
	b.until(t, `document.querySelector("main [role=alert]")?.innerText.includes("not a condition")`)
	b.run(t, chromedp.Navigate(base+"/trials?state=completed"), chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("tbody input[name=trial]").forEach((e, i) => { if (i < 2) e.click() })`),
		chromedp.Click(`//button[text()="Compare ticked"]`))
	b.until(t, `location.pathname.endsWith("/compare") && document.querySelectorAll("table.compare thead th").length === 3`)
}

func dark(t *testing.T, b *browser, base string) {
	b.run(t, chromedp.Navigate(base), chromedp.WaitVisible("[data-theme-toggle]"))
	const ground = `getComputedStyle(document.body).backgroundColor`
	light := b.eval(t, ground)
	b.run(t, chromedp.Click("[data-theme-toggle]"))
	b.until(t, fmt.Sprintf("%s !== %q", ground, light))
	b.run(t, chromedp.Reload(), chromedp.WaitVisible("[data-theme-toggle]"))
	if now := b.eval(t, ground); now == light {
		t.Error("after a reload the page is light again")
	}
	b.shot(t, "dark")
	b.run(t, chromedp.Click("[data-theme-toggle]"))
	b.until(t, fmt.Sprintf("%s === %q", ground, light))
}

// check complains of errors and of requests that left the machine.
func (b *browser) check(t *testing.T, server string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.requests) < 10 {
		t.Errorf("%d requests were seen: the test does not watch them", len(b.requests))
	}
	for _, text := range b.trouble {
		t.Errorf("the browser complained: %s", text)
	}
	for _, address := range b.requests {
		if u, err := url.Parse(address); err != nil || u.Scheme != "data" && !strings.HasPrefix(address, server+"/") {
			t.Errorf("a request left the server: %s", address)
		}
	}
}

// TestReportInABrowser opens the one file, which is served by nobody.
func TestReportInABrowser(t *testing.T) {
	b := openBrowser(t)
	r := newRecord(t)
	r.completeAll(t)
	s := serve(t, r, Options{})
	file := filepath.Join(t.TempDir(), "report.html")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.WriteReport(t.Context(), f, string(r.id)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	b.run(t, chromedp.Navigate("file://"+file), chromedp.WaitVisible("svg.chart .c-point"))
	if style := b.eval(t, `getComputedStyle(document.querySelector(".c-point")).fill`); !strings.HasPrefix(style, "rgb(11, 92, 173") {
		t.Errorf("points are painted %s: the report's style does not reach them", style)
	}
	b.pointAt(t, "svg.chart .c-point")
	b.until(t, `!document.querySelector(".tip").hidden`)
	b.shot(t, "report")
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.trouble {
		t.Errorf("the browser complained: %s", text)
	}
	for _, address := range b.requests {
		if address != "file://"+file && !strings.HasPrefix(address, "data:") {
			t.Errorf("the report asked for %s", address)
		}
	}
}
