package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
)

// watchedGrid is two trials of some seconds, by a trainer that prints.
const watchedGrid = `
name: watched
data: {name: glyphs, train: 600, validation: 100}
model: fake
trainer: {command: [/bin/sh, %s], sha256: %x}
privacy: {noise_multiplier: 1, delta: 1e-4}
grid: {batch_size: [60, 120]}
fixed: {learning_rate: 0.4142135, steps: 60, option.step_time: 20ms}
run: {parallel: 2}
`

// collected is a collector of OpenTelemetry's that keeps what attributes spans
// have.
type collected struct {
	collector.UnimplementedTraceServiceServer

	mu    sync.Mutex
	spans []map[string]string
}

func (c *collected) Export(_ context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range r.ResourceSpans {
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				span := map[string]string{"name": s.Name}
				for _, a := range s.Attributes {
					if n := a.Value.GetIntValue(); n != 0 {
						span[a.Key] = fmt.Sprint(n)
					} else {
						span[a.Key] = a.Value.GetStringValue()
					}
				}
				c.spans = append(c.spans, span)
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// collect runs a collector and returns its address.
func collect(t *testing.T) (*collected, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, s := &collected{}, grpc.NewServer()
	collector.RegisterTraceServiceServer(s, c)
	go s.Serve(l)
	t.Cleanup(s.Stop)
	return c, "http://" + l.Addr().String()
}

// TestObservability runs a sweep and looks at it by every means that there is:
// metrics, traces, the log of a trainer as it grows, and the server's own log.
func TestObservability(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fake, err := exec.LookPath("fake-trainer")
	if err != nil {
		t.Fatal(err)
	}
	script := []byte("echo warming up >&2\nexec " + fake + "\n")
	path := filepath.Join(dir, "trainer.sh")
	grid := fmt.Appendf(nil, watchedGrid, path, sha256.Sum256(script))
	for file, text := range map[string][]byte{path: script, filepath.Join(dir, "grid.yaml"): grid} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	traces, at := collect(t)
	var log syncBuffer
	server := sweepIn(dir, "server", "--metrics-addr", ":0", "--log-format", "json")
	server.Env = append(server.Env, "OTEL_EXPORTER_OTLP_ENDPOINT="+at, "OTEL_BSP_SCHEDULE_DELAY=200")
	server.Stderr = &log
	stop := background(t, server)
	waitForServer(t, dir)
	if out, err := sweepIn(dir, "start", "--detach", "grid.yaml").CombinedOutput(); err != nil {
		t.Fatalf("start: %v\n%s", err, out)
	}
	trial := followed(t, dir)
	if out, err := sweepIn(dir, "wait", "--timeout", "2m").CombinedOutput(); err != nil {
		t.Fatalf("wait: %v\n%s", err, out)
	}
	checkMetrics(t, scrape(t, &log))
	stop()
	if !regexp.MustCompile(`"msg":"attempt begins".*"trial":"` + trial + `".*"attempt":1`).MatchString(log.String()) {
		t.Errorf("the server's log has no line of the attempt's beginning:\n%s", log.String())
	}
	traces.check(t, trial)
}

// followed follows the log of a trial that is to be trained, until it has been,
// and returns its id.
func followed(t *testing.T, dir string) string {
	t.Helper()
	trial := firstTrial(t, dir)
	follow := sweepIn(dir, "logs", "-f", trial)
	var talk bytes.Buffer
	follow.Stderr = &talk
	out, err := follow.Output() // which ends with the trial
	if err != nil || !strings.Contains(string(out), "warming up") || !strings.Contains(talk.String(), "attempt 1 of trial "+trial) ||
		!strings.Contains(talk.String(), "trial "+trial+": completed") {
		t.Errorf("logs -f: %v\n%s%s\nwant the trainer's line, and the trial's end", err, out, talk.String())
	}
	return trial
}

// scrape asks for the metrics at the address that the server has printed.
func scrape(t *testing.T, log *syncBuffer) string {
	t.Helper()
	at := regexp.MustCompile(`http://127\.0\.0\.1:\d+/metrics`).FindString(log.String())
	answer, err := http.Get(at)
	if err != nil {
		t.Fatalf("%q: %v\n%s", at, err, log.String())
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// checkMetrics looks for each metric that docs/cluster.md names, and for what no
// metric may say.
func checkMetrics(t *testing.T, text string) {
	t.Helper()
	for _, want := range []string{
		`(?m)^sweep_trials\{state="completed",sweep="watched-[0-9a-f]+"\} 2$`,
		`(?m)^sweep_trials\{state="running",sweep="watched-[0-9a-f]+"\} 0$`,
		`(?m)^sweep_attempts_total\{end="completed"\} 2$`,
		`(?m)^sweep_attempts_running 0$`, `(?m)^sweep_attempts_waiting 0$`,
		`(?m)^sweep_attempt_duration_seconds_count 2$`,
		`(?m)^sweep_steps_total 120$`, `(?m)^sweep_examples_per_second `, `(?m)^sweep_checkpoint_age_seconds `,
		`(?m)^temporal_activity_schedule_to_start_latency_seconds_count\{`,
		`(?m)^go_goroutines `,
	} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("no %s in the metrics:\n%s", want, sweepMetrics(text))
		}
	}
	labels := regexp.MustCompile(`(\w+)="`)
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "sweep_") {
			continue
		}
		for _, m := range labels.FindAllStringSubmatch(line, -1) {
			if !slices.Contains([]string{"sweep", "state", "end", "le"}, m[1]) {
				t.Errorf("label %s: %s", m[1], line)
			}
		}
	}
	for _, secret := range []string{secretRate, "learning_rate", "batch_size", "glyphs", "trainer.sh"} {
		if strings.Contains(text, secret) {
			t.Errorf("the metrics say %q", secret)
		}
	}
}

func sweepMetrics(text string) string {
	return strings.Join(regexp.MustCompile(`(?m)^(sweep|temporal_activity_sch)\w*[{ ].*$`).FindAllString(text, -1), "\n")
}

// check looks for a span of the trial's workflow and of its attempt.
func (c *collected) check(t *testing.T, trial string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	of := func(fits func(map[string]string) bool) bool { return slices.ContainsFunc(c.spans, fits) }
	if !of(func(s map[string]string) bool {
		return strings.Contains(s["name"], "TrialWorkflow") && strings.Contains(s["temporalWorkflowID"], trial)
	}) {
		t.Errorf("no span of the trial's workflow among %v", c.spans)
	}
	if !of(func(s map[string]string) bool {
		return strings.Contains(s["name"], "Train") && s["trial"] == trial && s["attempt"] == "1" && strings.HasPrefix(s["sweep"], "watched-")
	}) {
		t.Errorf("no span of the attempt among %v", c.spans)
	}
	for _, s := range c.spans {
		if text := fmt.Sprint(s); strings.Contains(text, secretRate) || strings.Contains(text, "learning_rate") {
			t.Errorf("a span says %v", s)
		}
	}
}

// A syncBuffer may be read while a process still writes to it.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
