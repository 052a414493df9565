package page

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// choices wants a choice made by mouse to be carried out at once, and one by keys,
// which pass by others, only when its button is pressed.
func choices(t *testing.T, b *browser, base string) {
	b.run(t, chromedp.Navigate(base+"/explore"), chromedp.WaitReady("select[name=x]"))
	b.until(t, `document.querySelector("footer")`)
	b.run(t, chromedp.Evaluate[chromedp.Void](`document.querySelector("form.filter").submit = () => { window.submitted = true }; document.querySelector("select[name=x]").focus(); window.was = document.activeElement.value`),
		chromedp.KeyEvent(kb.ArrowUp))
	b.until(t, `document.activeElement.value !== window.was`)
	if b.eval(t, "window.submitted") != "undefined" {
		t.Error("an arrow key on a list of choices led to another page")
	}
	b.run(t, chromedp.Evaluate[chromedp.Void](`document.activeElement.dispatchEvent(new PointerEvent("pointerdown", {bubbles: true})); document.activeElement.dispatchEvent(new Event("change", {bubbles: true}))`))
	if b.eval(t, "window.submitted") != "true" {
		t.Error("a choice by mouse was not carried out")
	}
	b.run(t, chromedp.Click(`//form[@aria-label="axes"]/button`))
	b.until(t, `location.search.includes("x=") && document.querySelector("footer")`)
	b.run(t, chromedp.Click("details.axes summary"), chromedp.Click("details.axes input:checked"), chromedp.Click(`//details[@class="axes"]//button`))
	b.until(t, `location.search.includes("axis=") && document.querySelector("details.axes summary")?.innerText.startsWith("2 of 3")`)
}

// breaks wants a tab that nobody looks at to hold no connection, of which a browser
// has six to a server, to follow again when it is looked at, and to say so while the
// server does not answer.
func breaks(t *testing.T, b *browser, s served) {
	b.run(t, chromedp.Navigate(s.server.URL+"/"), chromedp.Click(`//a[text()="look"]`))
	b.until(t, `document.querySelector("[data-news]") && document.querySelector("footer")`)
	look := func(hidden string) chromedp.Action[chromedp.Void] {
		return chromedp.Evaluate[chromedp.Void](`Object.defineProperty(document, "hidden", {value: ` + hidden + `, configurable: true}); document.dispatchEvent(new Event("visibilitychange"))`)
	}
	b.run(t, chromedp.Evaluate[chromedp.Void](`(close => { EventSource.prototype.close = function () { window.letGo = true; return close.call(this) } })(EventSource.prototype.close)`), look("true"))
	if b.eval(t, "window.letGo") != "true" {
		t.Error("a tab that nobody looks at keeps its connection")
	}
	b.run(t, chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-events]").innerHTML = "<p>from before</p>"`), look("false"))
	b.until(t, `document.querySelector("[data-events] [data-news]")`)
	b.run(t, chromedp.Evaluate[chromedp.Void](`(away => new MutationObserver(() => { window.wasAway ||= !away.hidden }).observe(away, {attributes: true}))(document.querySelector("[data-away]"))`))
	s.server.CloseClientConnections()
	b.until(t, `window.wasAway && document.querySelector("[data-away]").hidden`)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trouble = slices.DeleteFunc(b.trouble, func(text string) bool { return strings.Contains(text, "net::ERR_") })
}
