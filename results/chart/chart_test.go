package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sample makes up the frontier of a sweep over five targets and a baseline, with
// 24 points each and one target worse than the one before.
func sample() Frontier {
	random := rand.New(rand.NewPCG(1, 2))
	f := Frontier{
		Title: "glyphs-frontier: accuracy at each ε", XTitle: "ε at δ = 1e−5, upper bound by rdp",
		Notes:      []string{"best of 288 trials: epsilon is each trial's own and does not count the search (disclosure: research).", "noise is seeded: whoever knows the sweep file can subtract it, and against them epsilon promises nothing."},
		References: []Dot{{Epsilon: 8, Accuracy: 81.4, Tip: "81.4 % at ε = 8\nsomebody"}},
	}
	for i, target := range []float64{0.5, 1, 2, 4, 8, math.Inf(1)} {
		top := []float64{61, 72, 80.5, 80, 87, 93}[i]
		for range 24 {
			f.Dots = append(f.Dots, Dot{Epsilon: target * 0.999, Accuracy: top - 35*random.Float64()*random.Float64(), Tip: "a <point>"})
		}
		std := 0.4 + random.Float64()
		f.Best = append(f.Best, FrontierPoint{Dot{target * 0.999, top, fmt.Sprintf("ε %g & more", target), "/trial/x"}, top - std, top + std, target == 4})
		f.Targets = append(f.Targets, target)
	}
	return f
}

// words are all that an XML text says, or why it is none.
func words(text []byte) (string, error) {
	var all strings.Builder
	for d := xml.NewDecoder(bytes.NewReader(text)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all.String(), nil
		}
		if err != nil {
			return "", err
		}
		if data, ok := token.(xml.CharData); ok {
			all.Write(data)
			all.WriteByte(' ')
		}
	}
}

func svgOf(t *testing.T, d Drawing) string {
	t.Helper()
	var out bytes.Buffer
	if err := d.WriteSVG(&out); err != nil {
		t.Fatal(err)
	}
	keep(t, strings.ReplaceAll(strings.ReplaceAll(t.Name(), "/", "-"), " ", "-")+".svg", out.Bytes())
	text, err := words(out.Bytes())
	if err != nil {
		t.Errorf("no SVG: %v\n%s", err, out.String())
	}
	if strings.Contains(out.String(), "NaN") || strings.Contains(out.String(), "Inf\"") {
		t.Error("a mark has no place")
	}
	if _, err := words([]byte(d.Inline())); err != nil {
		t.Errorf("no SVG within a page: %v", err)
	}
	return text
}

// keep saves a drawing for a person to look at, where CHART_DIR says so.
func keep(t *testing.T, name string, data []byte) {
	if dir := os.Getenv("CHART_DIR"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFrontierSaysWhatItShows(t *testing.T) {
	text := svgOf(t, sample().Page())
	for _, part := range []string{
		"glyphs-frontier", "ε at δ = 1e−5", "upper bound by rdp", "not private: 93.00 %", "does not count the search", "noise is seeded", "61.0", "87.0", "0.5",
		"published, on the test set", "95 % interval",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("the picture does not say %q", part)
		}
	}
	if strings.Contains(text, " 80.0 ") {
		t.Error("a dominated point is labelled as if it were on the frontier")
	}
}

func TestFrontierWithinAPage(t *testing.T) {
	page := sample().Draw().Inline()
	for _, part := range []string{`<a href="/trial/x" data-tip="ε 8 &amp; more"`, `aria-label="ε 8 &amp; more"`, `role="group"`, `tabindex="0"`, "a &lt;point&gt;"} {
		if !strings.Contains(page, part) {
			t.Errorf("the page's chart lacks %s", part)
		}
	}
	if strings.Contains(page, "style=") {
		t.Error("the chart has inline styles, which a page's policy forbids")
	}
}

func TestPNG(t *testing.T) {
	var out bytes.Buffer
	if err := sample().Page().WritePNG(&out); err != nil {
		t.Fatal(err)
	}
	keep(t, "sample.png", out.Bytes())
	img, err := png.Decode(&out)
	if err != nil {
		t.Fatal(err)
	}
	want := map[[3]uint32]string{{0x0b, 0x5c, 0xad}: "frontier", {0xb5, 0x53, 0x0c}: "baseline"}
	seen := map[string]bool{}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			r, g, b, _ := img.At(x, y).RGBA()
			if name, ok := want[[3]uint32{r >> 8, g >> 8, b >> 8}]; ok {
				seen[name] = true
			}
		}
	}
	if !seen["frontier"] || !seen["baseline"] || img.Bounds().Dx() != frontierWidth*pngScale {
		t.Errorf("%v, colours seen: %v; want those of frontier and baseline", img.Bounds(), seen)
	}
}

func TestOddFrontiers(t *testing.T) {
	none := math.NaN()
	for name, best := range map[string][]FrontierPoint{
		"nothing":       nil,
		"one point":     {{Dot{Epsilon: 3, Accuracy: 70}, none, none, false}},
		"only baseline": {{Dot{Epsilon: math.Inf(1), Accuracy: 90}, none, none, false}},
		"unknown cost":  {{Dot{Accuracy: 90}, none, none, false}},
		"equal repeats": {{Dot{Epsilon: 1, Accuracy: 100}, 100, 100, false}, {Dot{Epsilon: 1000, Accuracy: 0}, 0, 0, true}},
		"tiny epsilons": {{Dot{Epsilon: 1e-9, Accuracy: 10}, none, none, false}, {Dot{Epsilon: 2e-9, Accuracy: 20}, none, none, false}},
		"many points":   manyPoints(),
	} {
		t.Run(name, func(t *testing.T) {
			if text := svgOf(t, Frontier{Title: name, Best: best}.Page()); !strings.Contains(text, name) {
				t.Error("the picture has no title")
			}
		})
	}
}

func manyPoints() (all []FrontierPoint) {
	for i := range 200 {
		all = append(all, FrontierPoint{Dot{Epsilon: math.Exp(float64(i) / 20), Accuracy: float64(i) / 2}, math.NaN(), math.NaN(), false})
	}
	return all
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		scale Scale
		want  string
	}{
		{Scale{Low: 0.9, High: 9, Log: true, Marks: []float64{1, 2, 4, 8}}, "1 2 4 8"},
		{Scale{Low: 0.4, High: 30, Log: true}, "0.5 1 2 5 10 20"},
		{Scale{Low: 2.5, High: 4.5, Log: true}, "2.5 3 3.5 4 4.5"},
		{Scale{Low: 0.9, High: 9, Log: true, Marks: []float64{1, 1.001, 8}}, "1 2 5"},
		{Scale{Low: 0.05, High: 9, Log: true, Marks: []float64{0.1}}, "0.05 0.1 0.2 0.5 1 2 5"},
		{Scale{Low: 1e-8, High: 1e8, Log: true}, "1e−8 1e−6 0.0001 0.01 1 100 10000 1000000 1e8"},
		{Scale{Low: 1.2, High: 4.9, Log: true}, "1.5 2 2.5 3 3.5 4 4.5"},
		{Scale{Low: 0, High: 100}, "0 20 40 60 80 100"},
		{Scale{Low: 69, High: 71}, "69 69.5 70 70.5 71"},
		{Scale{Low: 5, High: 5}, "5"},
		{Scale{Names: []string{"sgd", "adam"}}, "sgd adam"},
	} {
		c.scale.A, c.scale.B = 0, 600
		var labels []string
		for _, tick := range c.scale.ticks(9) {
			labels = append(labels, tick.label)
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("from %v to %v by %v: labels %s, want %s", c.scale.Low, c.scale.High, c.scale.Marks, got, c.want)
		}
	}
}

func TestNumber(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0", 1: "1", 0.5: "0.5", 3.738999: "3.739", -2.5: "−2.5", 1024: "1024", 45000: "45000", 1e-5: "1e−5", 1.5e9: "1.5e9", 0.0001234: "0.0001234", 99.996: "100",
		math.Inf(1): "∞",
	} {
		if got := Number(x); got != want {
			t.Errorf("Number(%v) = %s, want %s", x, got, want)
		}
	}
}

func TestScaleAt(t *testing.T) {
	for _, c := range []struct {
		scale Scale
		v     float64
		want  float64
	}{
		{Scale{Low: 0, High: 10, A: 100, B: 0}, 5, 50},
		{Scale{Low: 1, High: 100, Log: true, A: 0, B: 200}, 10, 100},
		{Scale{Names: []string{"a", "b"}, A: 0, B: 100}, 1, 75},
		{Scale{Low: 3, High: 3, A: 0, B: 100}, 3, 50},
	} {
		if got := c.scale.At(c.v); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%+v: %v stands at %v, want %v", c.scale, c.v, got, c.want)
		}
	}
}

func TestOtherCharts(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, d := range map[string]Drawing{
		"curves": Curves{Title: "loss", YTitle: "nats", Width: 500, Height: 260, Curves: []Curve{
			{Name: "a", Points: []Point{{1, 2}, {2, math.NaN()}, {3, 1}, {4, 0.5}}}, {Name: "b", Colour: 1, Points: []Point{{1, 1}}}}}.Draw(),
		"logarithmic curves": Curves{Title: "norm", Log: true, Width: 500, Height: 260, Curves: []Curve{{Name: "a", Points: []Point{{1, 2}, {2, 0}, {3, -1}, {4, math.Inf(1)}}}}}.Draw(),
		"no curves":          Curves{Title: "nothing", Width: 500, Height: 260}.Draw(),
		"heat map":           Heat{Title: "heat", X: []string{"1", "2"}, Y: []string{"a"}, Cells: []Cell{{0, 0, 10, "tip", ""}, {1, 0, 20, "tip", "/t"}}}.Draw(),
		"empty heat map":     Heat{Title: "heat"}.Draw(),
		"parallel": Parallel{Title: "all", Axes: []ParallelAxis{{"x", Scale{Low: 1, High: 2}}, {"y", Scale{Names: []string{"a", "b"}}}},
			Rows: []ParallelRow{{[]float64{1, 0}, "tip", "/t"}, {[]float64{math.NaN(), 1}, "tip", ""}}}.Draw(),
		"slice":    Slice{Title: "slice", X: Scale{Low: 1, High: 2}, Dots: []SliceDot{{1, 50, "tip", ""}, {2, 60, "tip", ""}}, Means: []Point{{1, 50}, {2, 60}}}.Draw(),
		"bars":     Bars("importance", []Bar{{"x", 0.5, math.NaN(), math.NaN(), "tip"}, {"y", 0.1, 0.05, 0.2, ""}, {"z", -0.01, math.NaN(), math.NaN(), ""}}),
		"timeline": Timeline{Title: "time", From: start, To: start.Add(time.Hour), Lanes: []Lane{{"w", []Span{{start, start.Add(time.Minute), "done", "tip", ""}, {start, start, "failed", "", ""}}}}}.Draw(),
		"progress": Progress("half", []Part{{"done", 1}, {"waiting", 1}}),
		"nothing":  Progress("nothing", nil),
	} {
		t.Run(name, func(t *testing.T) {
			svgOf(t, d)
			var out bytes.Buffer
			if err := d.WritePNG(&out); err != nil {
				t.Error(err)
			}
		})
	}
}

// Attempts that overlap are drawn in rows of their own, and a row is used again when it is free.
func TestStack(t *testing.T) {
	at := func(minutes int) time.Time { return time.Unix(int64(60*minutes), 0) }
	rows, depth := stack([]Span{{From: at(0), To: at(10)}, {From: at(1), To: at(3)}, {From: at(3), To: at(5)}, {From: at(4), To: at(6)}, {From: at(10), To: at(11)}})
	if got := fmt.Sprint(rows, depth); got != "[0 1 1 2 0] 3" {
		t.Errorf("rows and depth %s, want [0 1 1 2 0] 3", got)
	}
}

// What failed is told from what did not without colours.
func TestFailedSpansAreTaller(t *testing.T) {
	from := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	l := Lane{Name: "gpu", Spans: []Span{{From: from, To: from.Add(time.Minute), Class: "done"}, {From: from.Add(2 * time.Minute), To: from.Add(3 * time.Minute), Class: "failed"}}}
	heights := map[string]float64{}
	for _, m := range (Timeline{From: from, To: from.Add(3 * time.Minute), Lanes: []Lane{l}}).Draw().Marks {
		if m.Shape == Rect {
			heights[m.Class] = m.Points[1].Y - m.Points[0].Y
		}
	}
	if heights["done"] <= 0 || heights["failed"] < 1.4*heights["done"] {
		t.Errorf("heights %v, want what failed to be taller by half", heights)
	}
}

// Words on a heat map's cells can be read: the contrast of WCAG 2.1 is at least that of small words.
func TestHeatInk(t *testing.T) {
	for i := range 101 {
		fill, ink := heatColour(float64(i) / 100)
		a, b := luminance(fill), luminance(palette[map[string]string{"dark": "black", "pale": "white"}[ink]][0])
		if contrast := (max(a, b) + 0.05) / (min(a, b) + 0.05); contrast < 4.5 {
			t.Errorf("%s on %s: contrast %.2f", ink, fill, contrast)
		}
	}
}

// Text and lines stand out against their ground, light and dark.
func TestPaletteContrast(t *testing.T) {
	for i := range 2 {
		ground := luminance(palette["surface"][i])
		for name, least := range map[string]float64{"ink": 7, "quiet": 4.5, "accent": 4.5, "warm": 4.5, "good": 4.5, "bad": 4.5, "s0": 3, "s1": 3, "s2": 3, "s3": 3, "s4": 3, "s5": 3, "s6": 3, "s7": 3} {
			l := luminance(palette[name][i])
			if contrast := (max(l, ground) + 0.05) / (min(l, ground) + 0.05); contrast < least {
				t.Errorf("%s (%s): contrast %.2f, want %.1f", name, palette[name][i], contrast, least)
			}
		}
	}
}

// A point's value stands where it covers neither a published figure nor the line,
// whichever side that is.
func TestValuesKeepClear(t *testing.T) {
	for _, near := range []Dot{{Epsilon: 3.6, Accuracy: 73}, {Epsilon: 4, Accuracy: 74}, {Epsilon: 4.4, Accuracy: 68}} {
		f := Frontier{References: []Dot{near}}
		for i, accuracy := range []float64{50, 60, 70, 90} {
			f.Best = append(f.Best, FrontierPoint{Dot: Dot{Epsilon: math.Pow(2, float64(i)), Accuracy: accuracy}, Low: math.NaN(), High: math.NaN()})
		}
		d, values := f.Draw(), 0
		p := f.frame()
		for _, m := range d.Marks {
			if m.Class != "value" {
				continue
			}
			values++
			half := textWidth(m.Words, 12) / 2
			covers := func(q Point) bool {
				return math.Abs(q.X-m.Points[0].X) < half+3 && q.Y < m.Points[0].Y+3 && q.Y > m.Points[0].Y-13
			}
			if covers(p.at(near.Epsilon, near.Accuracy)) {
				t.Errorf("with a reference at %+v the value %s covers it", near, m.Words)
			}
			for i, b := range f.Best[1:] {
				from, to := p.at(f.Best[i].Epsilon, f.Best[i].Accuracy), p.at(b.Epsilon, b.Accuracy)
				for share := 0.0; share <= 1; share += 0.01 {
					if q := (Point{from.X + share*(to.X-from.X), from.Y + share*(to.Y-from.Y)}); covers(q) {
						t.Fatalf("with a reference at %+v the value %s covers the line", near, m.Words)
					}
				}
			}
		}
		if values != 4 {
			t.Errorf("%d values, want 4", values)
		}
	}
}
