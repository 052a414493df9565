package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/urfave/cli/v2"

	"sweep/privacy"
	"sweep/privacy/audit"
)

var nan = math.NaN()

// lowRates are the false-positive rates at which people compare attacks.
var lowRates = []float64{0.001, 0.01, 0.1}

// An auditReport is what an audit found.
type auditReport struct {
	claim
	significance float64
	runs         int
	finding      audit.Finding
	atLeast      float64 // scores from here upwards were guessed to be trained on
	atMost       float64 // and from here downwards not to be
	gaussian     float64 // lower bound if the trade-off curve is a Gaussian's
	curve        []audit.Point
	allowed      tradeoff  // what the claim allows any attack; empty if nothing is claimed
	repeated     *repeated // nil of one run
}

// repeated is a fixed attack on several runs.
type repeated struct {
	threshold float64
	rates     audit.Rates
	epsilon   float64
}

// judge computes all bounds. Runs are pooled: each canary of each has a coin of its
// own, and to the theorem they are one run with all canaries.
func judge(c claim, runs [][]audit.Canary, significance float64) (auditReport, error) {
	all := slices.Concat(runs...)
	v := auditReport{claim: c, significance: significance, runs: len(runs), curve: audit.Curve(all)}
	var err error
	if v.finding, err = audit.Search(all, c.delta, significance); err != nil {
		return v, err
	}
	v.atLeast, v.atMost = v.finding.Thresholds(all)
	if v.finding.Guesses > 0 {
		if v.gaussian, err = v.finding.GaussianEpsilon(c.delta, significance/float64(v.finding.Tried)); err != nil {
			return v, err
		}
	}
	if v.allowed, err = newTradeoff(c.event, privacy.Budget{Epsilon: c.epsilon, Delta: c.delta}); err != nil {
		return v, err
	}
	if len(runs) < 2 {
		return v, nil
	}
	r := repeated{}
	if r.threshold, r.rates, err = audit.Repeated(runs, c.delta, significance); err != nil {
		return v, err
	}
	r.epsilon, err = r.rates.Epsilon(c.delta, significance)
	v.repeated = &r
	return v, err
}

// broken reports whether the lower bound exceeds what is claimed.
func (v auditReport) broken() bool { return v.finding.Epsilon > v.epsilon }

// alarm is the error of a broken trainer.
func (v auditReport) alarm() error {
	if !v.broken() {
		return nil
	}
	return hinted{
		fmt.Errorf("the lower bound on epsilon, %s, exceeds the upper bound, %s: the training, its noise or its accounting is broken", v.lower(), v.upper()),
		fmt.Sprintf("a correct trainer is accused in at most %s %% of audits; repeat it with other coins to be sure", exact(100*v.significance)),
	}
}

// lower is the lower bound, rounded down.
func (v auditReport) lower() string { return exact(privacy.RoundDown(v.finding.Epsilon, 4)) }

// upper is the claim, rounded up.
func (v auditReport) upper() string {
	if math.IsNaN(v.epsilon) {
		return "none claimed"
	}
	return privacy.FormatEpsilon(v.epsilon, 4)
}

// says is what the audit shows and what it does not.
func (v auditReport) says() string {
	confidence := exact(100 * (1 - v.significance))
	switch {
	case v.broken():
		return fmt.Sprintf("What was trained is not (%s, %s)-private, with %s %% confidence: some of the training, its noise or its accounting is broken.", v.upper(), exact(v.delta), confidence)
	case v.finding.Epsilon > 0:
		return fmt.Sprintf("No (%s, %s)-private training gives itself away so much, with %s %% confidence. The upper bound is not refuted, and not proved either: a stronger attack may find more.", v.lower(), exact(v.delta), confidence)
	}
	return "The attack found nothing, which proves nothing: neither that the training is private nor that it is not."
}

func (v auditReport) print(c *cli.Context) error {
	if err := (listing{headings: []string{"quantity", "value"}, rows: v.rows(), json: v.json()}).print(c); err != nil {
		return err
	}
	if format := c.String("output"); format == "json" || format == "csv" {
		return nil
	}
	_, err := fmt.Fprintf(c.App.Writer, "\n%s\n", v.says())
	return err
}

func (v auditReport) rows() [][]any {
	f := v.finding
	rows := [][]any{
		{"epsilon, lower bound (rounded down)", v.lower()},
		{"epsilon, upper bound (rounded up)", v.upper()},
		{"upper bound by", v.by},
		{"delta", exact(v.delta)},
		{"confidence of the lower bound", exact(100*(1-v.significance)) + " %"},
		{"if the trade-off curve is Gaussian", exact(privacy.RoundDown(v.gaussian, 4)) + ", no bound"},
		{"canaries m", fmt.Sprintf("%d in %d runs", f.Canaries, v.runs)},
		{"guesses r", fmt.Sprintf("%d: %d in, %d out, best of %d attacks", f.Guesses, f.Positive, f.Negative, f.Tried)},
		{"right v", fmt.Sprintf("%d, %.1f %% of guesses", f.Correct, 100*share(f.Correct, f.Guesses))},
		{"guessed in from score", exact(v.atLeast)},
		{"guessed out to score", exact(v.atMost)},
		{"area under the ROC curve", fmt.Sprintf("%.4f", audit.Area(v.curve))},
	}
	for _, fpr := range lowRates {
		found := fmt.Sprintf("%.3g", audit.RateAt(v.curve, fpr))
		if len(v.allowed) > 0 {
			found += fmt.Sprintf(" of at most %.3g", v.allowed.most(fpr))
		}
		rows = append(rows, []any{fmt.Sprintf("true positives at %v false", fpr), found})
	}
	if r := v.repeated; r != nil {
		rows = append(rows, []any{"Clopper-Pearson, runs after the first", fmt.Sprintf("%s: %d of %d in and %d of %d out score %.4g or more; takes canaries of a run for independent",
			exact(privacy.RoundDown(r.epsilon, 4)), r.rates.TruePositives, r.rates.In, r.rates.FalsePositives, r.rates.Out, r.threshold)})
	}
	return rows
}

func share(k, n int) float64 {
	if n == 0 {
		return 0
	}
	return float64(k) / float64(n)
}

// json is the auditReport for programs.
func (v auditReport) json() any {
	out := map[string]any{
		"schema": 1, "lower": privacy.RoundDown(v.finding.Epsilon, 6), "upper": jsonFloat(v.epsilon), "upper_by": v.by, "delta": v.delta,
		"significance": v.significance, "broken": v.broken(), "gaussian": v.gaussian, "runs": v.runs, "attack": v.finding,
		"at_least": jsonScore(v.atLeast), "at_most": jsonScore(v.atMost), "accuracy": share(v.finding.Correct, v.finding.Guesses),
		"auc": jsonFloat(audit.Area(v.curve)), "says": v.says(),
	}
	if v.trial != nil {
		out["trial"] = v.trial.Params.ID()
	}
	var rates []map[string]any
	for _, fpr := range lowRates {
		rate := map[string]any{"fpr": fpr, "tpr": audit.RateAt(v.curve, fpr)}
		if len(v.allowed) > 0 {
			rate["tpr_bound"] = v.allowed.most(fpr)
		}
		rates = append(rates, rate)
	}
	out["rates"] = rates
	if r := v.repeated; r != nil {
		out["clopper_pearson"] = map[string]any{
			"epsilon": r.epsilon, "threshold": jsonScore(r.threshold), "in": r.rates.In, "true_positives": r.rates.TruePositives,
			"out": r.rates.Out, "false_positives": r.rates.FalsePositives,
		}
	}
	return out
}

// jsonScore is a threshold; null if nothing passes it.
func jsonScore(x float64) any {
	if math.IsInf(x, 0) {
		return nil
	}
	return x
}
