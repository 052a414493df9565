package page

import (
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"sweep"
	"sweep/results"
	"sweep/results/resultstest"
)

// A record is a results file under test.
type record struct {
	*results.Store
	path string
	id   sweep.SweepID
	all  []results.TrialRecord
}

// newRecord opens a new record with a sweep of three targets, two learning rates
// and two batch sizes, two seeds each; nothing has run.
func newRecord(t testing.TB) *record {
	t.Helper()
	r := &record{path: filepath.Join(t.TempDir(), "results.db")}
	store, err := results.Open(t.Context(), r.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	r.Store = store
	for i, target := range []float64{1, 3, 8} {
		for _, rate := range []float64{0.5, 2} {
			for _, batch := range []int{256, 1024} {
				for repeat := range 2 {
					p := sweep.Params{
						Data: sweep.Data{Name: "cifar10", Train: 45000, Validation: 5000}, Model: "wrn-16-4", Batch: batch, Clip: 1,
						Noise: []float64{4, 2, 1}[i], LearnRate: rate, Steps: 40, EMA: 0.99, NoiseFrom: sweep.Secure,
					}.WithRepeat(repeat)
					r.all = append(r.all, results.TrialRecord{Params: p, Index: len(r.all), Repeat: repeat,
						Label: fmt.Sprintf("ε=%g η=%g B=%d #%d", target, rate, batch, repeat), TargetEpsilon: target, Delta: resultstest.Delta})
				}
			}
		}
	}
	s := resultstest.Sweep("look")
	s.Text = "name: look\nmodel: <script>alert(1)</script>\n"
	r.id = s.ID
	if _, err := r.AddSweep(t.Context(), s, seq(r.all)); err != nil {
		t.Fatal(err)
	}
	return r
}

func seq(trials []results.TrialRecord) iter.Seq2[results.TrialRecord, error] {
	return func(yield func(results.TrialRecord, error) bool) {
		for _, t := range trials {
			if !yield(t, nil) {
				return
			}
		}
	}
}

// begin starts the i-th trial and reports its first half.
func (r *record) begin(t testing.TB, i int) sweep.AttemptRef {
	t.Helper()
	trial := r.all[i].Params.ID()
	c, err := r.Begin(t.Context(), r.id, trial)
	if err != nil {
		t.Fatal(err)
	}
	ref := sweep.AttemptRef{Sweep: r.id, Trial: trial, Number: c.Attempt}
	reading := sweep.Reading{Offset: 1, Started: true, NoiseID: fmt.Sprintf("noise-%d-%d", i, c.Attempt), Worker: fmt.Sprintf("gpu%d@node:1:2", i%2), Step: 20}
	for step := 1; step <= 20; step++ {
		x := float64(step)
		reading.Metrics = append(reading.Metrics, sweep.Metric{Name: "loss", Step: step, Value: 2.3 / x}, sweep.Metric{Name: "clipped_share", Step: step, Value: 1 - x/40},
			sweep.Metric{Name: "grad_norm_mean", Step: step, Value: 10 / x}, sweep.Metric{Name: "signal_to_noise", Step: step, Value: 0.1 + 0.01*x},
			sweep.Metric{Name: "validation/accuracy", Step: step, Value: 0.1 + 0.02*x})
	}
	if err := r.Collect(t.Context(), ref, reading); err != nil {
		t.Fatal(err)
	}
	return ref
}

// complete runs the i-th trial to its end.
func (r *record) complete(t testing.TB, i int, accuracy float64) {
	t.Helper()
	ref := r.begin(t, i)
	tested := sweep.Reading{From: 1, Offset: 2, Step: 40, Metrics: []sweep.Metric{{Name: "test/accuracy", Step: 40, Value: accuracy - 0.015}}}
	if err := r.Collect(t.Context(), ref, tested); err != nil {
		t.Fatal(err)
	}
	o := sweep.Outcome{
		Accuracy: accuracy, LastAccuracy: accuracy - 0.01, Loss: 1 - accuracy, Split: sweep.Validation, Examples: 5000, Steps: 40,
		DataDigest: "sha256:d", WeightsDigest: fmt.Sprint("sha256:w", i), Trainer: "made up 1", Seconds: 3,
	}
	if err := r.Record(t.Context(), ref, o); err != nil {
		t.Fatal(err)
	}
}

// fail has the i-th trial crash for good.
func (r *record) fail(t testing.TB, i int) {
	t.Helper()
	ref := r.begin(t, i)
	ending := sweep.Ending{Failure: sweep.Crashed, Reason: "exit status 1: CUDA out of memory", LogTail: "loading\nRuntimeError: <b>out of memory</b>\n", Next: sweep.Failed}
	if err := r.EndAttempt(t.Context(), ref, ending); err != nil {
		t.Fatal(err)
	}
}

// completeAll runs every trial; accuracy rises with epsilon, and a learning rate of 2 is better.
func (r *record) completeAll(t testing.TB) {
	t.Helper()
	for i := range r.all {
		r.complete(t, i, accuracyOf(r.all[i]))
	}
	if err := r.FinishSweep(t.Context(), r.id, false); err != nil {
		t.Fatal(err)
	}
}

func accuracyOf(t results.TrialRecord) float64 {
	return 0.8 - 0.08*t.Params.Noise + 0.05*t.Params.LearnRate + 0.00001*float64(t.Params.Batch) + 0.005*float64(t.Repeat)
}

// A served site and its address.
type served struct {
	*Site
	server *httptest.Server
}

func serve(t testing.TB, r *record, o Options) served {
	t.Helper()
	return serveReader(t, r.Reader, r.path, o)
}

func serveReader(t testing.TB, r *results.Reader, path string, o Options) served {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	o.Reader, o.Path, o.Version = r, path, "test"
	site, err := New(t.Context(), o, server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = site
	server.Start()
	t.Cleanup(func() {
		site.LetGo()
		server.Close()
		site.Close()
	})
	return served{site, server}
}

// get asks for a page as a browser that has been let in.
func (s served) get(t testing.TB, path string, change ...func(*http.Request)) (*http.Response, string) {
	t.Helper()
	return s.ask(t, http.MethodGet, path, change...)
}

func (s served) ask(t testing.TB, method, path string, change ...func(*http.Request)) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	r.Host = s.gate.hosts[0]
	r.AddCookie(&http.Cookie{Name: s.gate.cookie, Value: s.gate.token})
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result(), w.Body.String()
}

func (s served) sweepPath(r *record, page string) string {
	return strings.TrimSuffix("/sweep/"+string(r.id)+"/"+page, "/")
}

// reopen opens a record that somebody else has made.
func reopen(t testing.TB, path string, id sweep.SweepID) *record {
	t.Helper()
	store, err := results.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return &record{Store: store, path: path, id: id}
}
