package page

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html/template"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sweep"
	"sweep/privacy"
	"sweep/results"
	"sweep/results/chart"
)

// functions are what templates say numbers with.
var functions = template.FuncMap{
	"percent": func(x float64) string { return fmt.Sprintf("%.2f", 100*x) },
	"epsilon": func(e results.Epsilon) string { return epsilon(float64(e)) },
	"number":  chart.Number,
	"short":   func(id any) string { return short(fmt.Sprint(id)) },
	"when":    when,
	"lasted":  lasted,
	"svg":     func(d chart.Drawing) template.HTML { return template.HTML(d.Inline()) }, // which escapes all it is given
	"figure":  figure,
	"chance":  chance,
	"bytes":   bytesOf,
	"apart":   apart,
	"escape":  url.PathEscape,
	"count":   count,
	"lower":   strings.ToLower,
	"deref":   func(x *float64) float64 { return *x },
	"known":   func(x float64) bool { return !math.IsNaN(x) },
}

// figure is a drawing with its table folded below; titles tell a page's charts apart.
func figure(d chart.Drawing) template.HTML {
	sum := sha256.Sum256([]byte(d.Title))
	return template.HTML(d.Figure("data-" + hex.EncodeToString(sum[:4])))
}

// chance is a probability in per cent; "–" if it is not known.
func chance(p *float64) string {
	if p == nil {
		return "–"
	}
	return fmt.Sprintf("%.0f", 100**p)
}

// epsilon is an upper bound for people, rounded up; "–" if it is not known.
func epsilon(e float64) string {
	switch {
	case e == 0:
		return "–"
	case math.IsInf(e, 1):
		return "∞"
	}
	words := privacy.FormatEpsilon(e, 4)
	if up, err := strconv.ParseFloat(words, 64); err == nil && up >= 1e4 && up < 1e9 {
		return count(int(up))
	}
	return words
}

// short is enough of an id to tell it from others.
func short[T ~string](id T) string {
	if len(id) > 8 {
		return string(id[:8])
	}
	return string(id)
}

func when(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

func lasted(d time.Duration) string {
	switch {
	case d <= 0:
		return "–"
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour:
		return strings.TrimSuffix(d.Round(time.Second).String(), "0s")
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}

func bytesOf(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
}

// count is n with a thin space between thousands.
func count(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u2009" + s[i:]
	}
	return s
}

// apart says in what neighbouring data sets differ.
func apart(relation string) string {
	switch privacy.Relation(relation) {
	case privacy.ReplaceOne:
		return "what one unit is"
	case privacy.ZeroOut:
		return "whether one unit contributes anything"
	}
	return "whether one unit is present"
}

// symbols are hyper-parameters as people write them.
var symbols = map[string]string{
	"target_epsilon": "ε target", "noise_multiplier": "σ noise multiplier", "batch_size": "B batch size", "learning_rate": "η learning rate",
	"clip_norm": "C clip norm", "augmult": "K augmult", "steps": "T steps", "ema": "μ ema", "train_examples": "N examples",
}

func axisName(key string) string {
	if s, ok := symbols[key]; ok {
		return s
	}
	return strings.ReplaceAll(strings.TrimPrefix(key, "option."), "_", " ")
}

// A setting is one of a trial's parameters, for people.
type setting struct{ Name, Value string }

// settings are the parameters that decide a trial.
func settings(p sweep.Params) []setting {
	all := []setting{
		{"data", fmt.Sprintf("%s, %d trained on", p.Data.Name, p.Data.Train)}, {"model", p.Model},
		{"B batch size", chart.Number(float64(p.Batch))}, {"q sampling rate", chart.Number(p.SampleRate())},
		{"C clip norm", chart.Number(p.Clip)}, {"σ noise multiplier", fmt.Sprint(p.Noise)}, {"η learning rate", chart.Number(p.LearnRate)},
		{"T steps", chart.Number(float64(p.Steps))}, {"K augmult", chart.Number(float64(p.AugMult))},
	}
	if p.Data.Validation > 0 {
		all[0].Value += fmt.Sprintf(", %d held out", p.Data.Validation)
	}
	add := func(name, value string, unless string) {
		if value != unless {
			all = append(all, setting{name, value})
		}
	}
	add("augment", string(p.Augment), "")
	add("μ ema", fmt.Sprint(p.EMA), "0")
	add("clipping", p.Clipping.String(), "flat")
	add("optimizer", string(p.Optimizer), "")
	add("momentum", chart.Number(p.Momentum), "0")
	add("weight decay", chart.Number(p.WeightDecay), "0")
	add("schedule", string(p.Schedule), "")
	add("warm-up", fmt.Sprint(p.Warmup), "0")
	add("initial weights", p.Init.File, "")
	add("trainer", p.Trainer, "")
	all = append(all, setting{"noise", string(p.NoiseFrom)}, setting{"seed", fmt.Sprint(p.Seed)})
	for name, value := range p.Options {
		add(name, value, "")
	}
	return all
}
