package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"sweep/results/resultstest"
)

// tables turns pages and sorts, and one does not undo the other.
func tables(t *testing.T, b *browser, r *record, server string) {
	many := resultstest.Sweep("many")
	if _, err := r.AddSweep(t.Context(), many, resultstest.Grid(60)); err != nil {
		t.Fatal(err)
	}
	const shown = `document.querySelector("[data-live=range]").innerText`
	const column = `[...document.querySelectorAll("table.trials tbody tr")].map(r => Number(r.cells[6].innerText))` // batch sizes
	b.run(t, chromedp.Navigate(server+"/sweep/"+string(many.ID)+"/trials"), chromedp.WaitReady("footer"))
	b.until(t, shown+` === "1 to 50 of 60 trials" && !document.querySelector("[rel=prev]")`)
	b.run(t, chromedp.Click(`//th/a[text()="B"]`))
	b.until(t, `document.querySelector("th[aria-sort=ascending]")?.innerText.startsWith("B")`)
	b.until(t, `(c => c.length === 50 && c[0] < c[49] && c.every((x, i) => !i || c[i-1] <= x))(`+column+`)`)
	b.run(t, chromedp.Click(`//th/a[text()="B"]`))
	b.until(t, `document.querySelector("th[aria-sort=descending]")?.innerText.startsWith("B")`)
	last := b.eval(t, column+`.at(-1)`)
	b.run(t, chromedp.Click("[rel=next]"))
	b.until(t, shown+` === "51 to 60 of 60 trials" && !document.querySelector("[rel=next]")`)
	b.until(t, fmt.Sprintf(`(c => c.length === 10 && c[0] <= %s && c.every((x, i) => !i || c[i-1] >= x))(%s)`, last, column))
	b.run(t, chromedp.Click("[rel=prev]"))
	b.until(t, shown+` === "1 to 50 of 60 trials" && document.querySelector("th[aria-sort=descending]")`)
}

// A stop is where the Tab key came to.
type stop struct {
	What    string // tag and words
	Chart   int    // 1 and up within a chart
	Order   bool   // whether it stands after the last one in the document
	Visible bool   // whether it is on the screen and looks as if it had the focus
}

// whereFocus describes the element in focus and remembers it for the next time.
const whereFocus = `(() => {
	const e = document.activeElement, s = getComputedStyle(e), last = window.lastStop, box = e.getBoundingClientRect();
	window.lastStop = e;
	const chart = e.closest("svg.chart");
	const drawn = e.querySelector("circle, path, rect") ?? e;
	const seen = s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0 || chart && parseFloat(getComputedStyle(drawn).strokeWidth) >= 2;
	return JSON.stringify({
		What: e.tagName + " " + (e.getAttribute("aria-label") ?? e.innerText ?? "").slice(0, 40), Chart: chart ? [...document.querySelectorAll("svg.chart")].indexOf(chart) + 1 : 0,
		Order: !last || Boolean(last.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING), Visible: Boolean(seen) && box.left >= 0 && box.top >= 0 && box.top <= innerHeight,
	});
})()`

func (b *browser) stop(t *testing.T) (s stop) {
	t.Helper()
	if err := json.Unmarshal([]byte(b.eval(t, whereFocus)), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// keys goes through the page without a mouse: everything in the order in which it
// stands, each with a sign of the focus, a chart as one stop whose marks arrows go
// through, and Enter on one leads to its trial.
func keys(t *testing.T, b *browser, base string) {
	b.run(t, chromedp.Navigate(base), chromedp.WaitVisible("svg.chart .c-point"), chromedp.KeyEvent("\t"))
	if first := b.stop(t); first.What != "A Skip to content" || !first.Visible {
		t.Errorf("the first stop is %+v, want the way past the head of the page", first)
	}
	var stops []stop
	for range 30 {
		b.run(t, chromedp.KeyEvent("\t"))
		s := b.stop(t)
		if stops = append(stops, s); !s.Order || !s.Visible {
			t.Errorf("after %+v the stop is %+v", stops[max(0, len(stops)-2)], s)
		}
		if s.Chart > 0 {
			break
		}
	}
	on := stops[len(stops)-1]
	if on.Chart == 0 || !strings.Contains(on.What, "95 % interval") {
		t.Fatalf("the stops are %+v, want the last to be a best point of the chart", stops)
	}
	seen := []string{on.What}
	for range 3 {
		b.run(t, chromedp.KeyEvent(kb.ArrowRight))
		s := b.stop(t)
		if s.Chart != on.Chart || !s.Visible || slices.Contains(seen, s.What) {
			t.Errorf("an arrow leads from %q to %+v", seen, s)
		}
		seen = append(seen, s.What)
	}
	label := b.eval(t, `document.activeElement.getAttribute("aria-label")`)
	b.until(t, fmt.Sprintf(`!document.querySelector(".tip").hidden && document.querySelector(".tip").innerText.replaceAll("\n", ", ") === %q`, label))
	b.run(t, chromedp.KeyEvent("\t"))
	if s := b.stop(t); s.Chart == on.Chart {
		t.Errorf("Tab leads from one mark of the chart to another, %+v", s)
	}
	b.run(t, chromedp.Evaluate[chromedp.Void](`document.querySelector("svg.chart [tabindex='0']").focus()`), chromedp.KeyEvent(kb.Home), chromedp.KeyEvent(kb.Enter))
	b.until(t, `location.pathname.startsWith("/trial/") && document.readyState === "complete"`)
}

// names asks the browser what it tells those who do not see: whatever can be used
// or looked at has a name, and so has each chart and each of its marks.
func names(t *testing.T, b *browser, r *record, server string) {
	named := []string{"link", "button", "checkbox", "textbox", "combobox", "spinbutton", "image", "img", "navigation", "search", "region", "progressbar", "table"}
	for path, charts := range map[string]int{"": 1, "/trials": 0, "/explore": 4, "/workers": 2, "/curves": 1} {
		b.run(t, chromedp.Navigate(server+"/sweep/"+string(r.id)+path), chromedp.WaitReady("footer"))
		tree, err := chromedp.Call(b.Context, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		if err != nil {
			t.Fatal(err)
		}
		drawn, headings := 0, 0
		for _, n := range tree.Nodes {
			if n.Ignored || n.Role == nil {
				continue
			}
			role, name := text(n.Role), ""
			if n.Name != nil {
				name = text(n.Name)
			}
			if slices.Contains(named, role) && strings.TrimSpace(name) == "" {
				t.Errorf("%s: a %s has no name (node %s)", path, role, n.NodeID)
			}
			if slices.Contains([]string{"group", "img", "image"}, role) && strings.Contains(name, ". ") { // what it is, and what it shows
				drawn++
			}
			if role == "heading" {
				headings++
			}
		}
		if drawn < charts || headings < 1 {
			t.Errorf("%s: %d charts say what they show, want %d; %d headings", path, drawn, charts, headings)
		}
	}
}

func text(v *accessibility.Value) string {
	var s string
	if json.Unmarshal(v.Value, &s) != nil {
		return string(v.Value)
	}
	return s
}

// prints wants dark letters on white whatever the screen has, without what only a
// screen can use, and nothing cut off.
func prints(t *testing.T, b *browser, base string) {
	b.run(t, chromedp.Navigate(base), chromedp.WaitVisible("[data-theme-toggle]"), chromedp.Evaluate[chromedp.Void](`document.documentElement.dataset.theme = "dark"`))
	onPaper := func(media string) {
		if _, err := chromedp.Call(b.Context, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: media}); err != nil {
			t.Fatal(err)
		}
	}
	onPaper("print")
	const light = `(c => { const [r, g, b] = c.match(/[\d.]+/g).map(Number); return (r + g + b) / 765 })`
	for what, holds := range map[string]string{
		"the page is white":        light + `(getComputedStyle(document.body).backgroundColor) > 0.99`,
		"letters are dark":         light + `(getComputedStyle(document.querySelector("h1")).color) < 0.3 && ` + light + `(getComputedStyle(document.querySelector("td")).color) < 0.3`,
		"sections are not dark":    `[...document.querySelectorAll("section, pre")].every(e => { const c = getComputedStyle(e).backgroundColor; return c === "rgba(0, 0, 0, 0)" || ` + light + `(c) > 0.9 })`,
		"points are the light's":   `getComputedStyle(document.querySelector(".c-point")).fill.startsWith("rgb(11, 92, 173")`,
		"buttons are gone":         `[...document.querySelectorAll("button, .tabs, header.site, .actions")].every(e => !e.getClientRects().length)`,
		"no table is cut off":      `[...document.querySelectorAll(".scroll")].every(e => getComputedStyle(e).overflowX === "visible")`,
		"the chart fits the paper": `document.querySelector("svg.chart").getBoundingClientRect().width <= document.documentElement.clientWidth`,
	} {
		if b.eval(t, holds) != "true" {
			t.Errorf("in print it is not so that %s", what)
		}
	}
	onPaper("")
	pdf, err := chromedp.Call(b.Context, page.PrintToPDF, page.PrintToPDFParams{PrintBackground: new(true)})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(pdf.Data, []byte("%PDF-")) || len(pdf.Data) < 10_000 {
		t.Errorf("printed: %d bytes that begin with %.10q", len(pdf.Data), pdf.Data)
	}
	if dir := os.Getenv("UI_SHOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "print.pdf"), pdf.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
