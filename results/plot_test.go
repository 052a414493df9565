package results

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sample makes up the frontier of a sweep over four targets, a baseline and 24
// points for each, one target worse than the one before.
func sample() Frontier {
	random := rand.New(rand.NewPCG(1, 2))
	f := Frontier{Sweep: "glyphs-0123", Name: "glyphs-frontier", Accountant: "rdp", Delta: 1e-5, Disclosure: "research", Doubts: []string{
		"best of 288 trials: epsilon is each trial's own and does not count the search (disclosure: research)",
		"accuracy is measured on the validation split, which also chose the points: expect a little less on the test split",
		"noise is seeded: whoever knows the sweep file can subtract it, and against them epsilon promises nothing",
	}}
	for i, target := range []float64{0.5, 1, 2, 4, 8, math.Inf(1)} {
		top := []float64{0.61, 0.72, 0.805, 0.80, 0.87, 0.93}[i]
		for range 24 {
			f.All = append(f.All, Dot{target * 0.999, top - 0.35*random.Float64()*random.Float64()})
		}
		std := 0.004 + 0.01*random.Float64()
		f.Points = append(f.Points, Point{TargetEpsilon: Epsilon(target), Epsilon: Epsilon(target * 0.999), Accuracy: top, Std: &std, N: 3, Dominated: target == 4})
	}
	return f
}

func TestPlotSaysWhatItShows(t *testing.T) {
	var svg bytes.Buffer
	if err := WritePlot(&svg, sample(), "svg"); err != nil {
		t.Fatal(err)
	}
	var words strings.Builder
	for d := xml.NewDecoder(&svg); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok {
			words.Write(text)
		}
	}
	for _, part := range []string{
		"glyphs-frontier", "ε at δ = 1e-5", "upper bound by rdp", "not private: 93.0 %", "does not count the search", "noise is seeded", "61.0", "87.0", "0.5",
	} {
		if !strings.Contains(words.String(), part) {
			t.Errorf("the plot does not say %q", part)
		}
	}
	if strings.Contains(words.String(), "80.0") {
		t.Error("a dominated point is labelled as if it were on the frontier")
	}
}

func TestPlotAsPNG(t *testing.T) {
	var out bytes.Buffer
	if err := WritePlot(&out, sample(), "png"); err != nil {
		t.Fatal(err)
	}
	keep(t, "sample.png", out.Bytes())
	img, err := png.Decode(&out)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for y := 0; y < img.Bounds().Dy(); y += 2 { // lines are wider
		for x := 0; x < img.Bounds().Dx(); x += 2 {
			switch r, g, b, _ := img.At(x, y).RGBA(); [3]uint32{r >> 8, g >> 8, b >> 8} {
			case [3]uint32{uint32(frontierColor.R), uint32(frontierColor.G), uint32(frontierColor.B)}:
				seen["frontier"] = true
			case [3]uint32{uint32(baselineColor.R), uint32(baselineColor.G), uint32(baselineColor.B)}:
				seen["baseline"] = true
			}
		}
	}
	if !seen["frontier"] || !seen["baseline"] {
		t.Errorf("colours seen: %v; want those of frontier and baseline", seen)
	}
}

// keep saves a plot for a person to look at, where PLOT_DIR says so.
func keep(t *testing.T, name string, data []byte) {
	if dir := os.Getenv("PLOT_DIR"); dir != "" {
		writeFile(t, filepath.Join(dir, name), data)
	}
}

func TestPlotsOfOddFrontiers(t *testing.T) {
	std := 0.0
	for name, points := range map[string][]Point{
		"nothing":       nil,
		"one point":     {{Epsilon: 3, Accuracy: 0.7, N: 1}},
		"only baseline": {{Epsilon: Epsilon(math.Inf(1)), Accuracy: 0.9}},
		"unknown cost":  {{Accuracy: 0.9}},
		"equal repeats": {{Epsilon: 1, Accuracy: 1, Std: &std, N: 2}, {Epsilon: 1000, Accuracy: 0, Std: &std, N: 2, Dominated: true}},
		"tiny epsilons": {{Epsilon: 1e-9, Accuracy: 0.1}, {Epsilon: 2e-9, Accuracy: 0.2}},
	} {
		f := Frontier{Name: name, Delta: delta, Points: points}
		for _, p := range points {
			f.All = append(f.All, Dot{float64(p.Epsilon), p.Accuracy})
		}
		var out bytes.Buffer
		if err := WritePlot(&out, f, "svg"); err != nil || !strings.Contains(out.String(), name) {
			t.Errorf("%s: %d bytes, error %v", name, out.Len(), err)
		}
		keep(t, strings.ReplaceAll(name, " ", "-")+".svg", out.Bytes())
	}
	if err := WritePlot(io.Discard, sample(), "gif"); err == nil {
		t.Error("a format that there is not was accepted")
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		targets   []float64
		low, high float64
		want      string
	}{
		{[]float64{1, 2, 4, 8}, 0.9, 9, "1 2 4 8"},
		{nil, 0.4, 30, "0.5 1 2 5 10 20"},
		{nil, 2.5, 4.5, "3 4"},
		{[]float64{1, 1.001, 8}, 0.9, 9, "1 2 5"},
	} {
		var labels []string
		for _, tick := range (epsilonTicks{c.targets}).Ticks(c.low, c.high) {
			if tick.Label != "" {
				labels = append(labels, tick.Label)
			}
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("targets %v from %v to %v: labels %s, want %s", c.targets, c.low, c.high, got, c.want)
		}
	}
}

func TestShareTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      string
	}{
		{0, 100, "0 20 40 60 80 100"}, {33, 98, "40 50 60 70 80 90"}, {69, 71, "69 69.5 70 70.5 71"}, {90.2, 93.1, "90.5 91 91.5 92 92.5 93"},
	} {
		var labels []string
		for _, tick := range (shareTicks{}).Ticks(c.low, c.high) {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("from %v to %v: labels %s, want %s", c.low, c.high, got, c.want)
		}
	}
}

func ExampleFrontier() {
	f := Frontier{Points: []Point{{TargetEpsilon: 2, Epsilon: 1.9993, Accuracy: 0.805, N: 3, BestOf: 24}}, Doubts: []string{
		"best of 24 trials: epsilon is each trial's own and does not count the search (disclosure: research)",
	}}
	for _, p := range f.Points {
		fmt.Printf("ε = %v: %.1f %%\n", p.TargetEpsilon, 100*p.Accuracy)
	}
	for _, d := range f.Doubts {
		fmt.Println("but", d)
	}
	// Output:
	// ε = 2: 80.5 %
	// but best of 24 trials: epsilon is each trial's own and does not count the search (disclosure: research)
}
