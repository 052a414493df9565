package devserver

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
)

// start runs a server until the end of the test. Its errors are the test's.
func start(t *testing.T, o Options) *Server {
	t.Helper()
	o.Namespace = namespaceName
	o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// dial is a client of s until the end of the test, with a worker for the test
// workflows.
func dial(t *testing.T, s *Server) client.Client {
	t.Helper()
	c, err := client.DialContext(t.Context(), quietly(s.ClientOptions()))
	if err != nil {
		t.Fatal(err)
	}
	w := worker.New(c, taskQueue, worker.Options{Identity: Identity("gpu")})
	w.RegisterWorkflow(trial)
	w.RegisterWorkflow(sleeper)
	w.RegisterActivity(train)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.Stop()
		c.Close()
	})
	return c
}

// TestServer is one long test because each start costs a second.
func TestServer(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a folder? 100%41 #1") // characters that mean something in SQLite's URIs
	accuracy := temporal.NewSearchAttributeKeyFloat64("Accuracy")
	options := Options{
		Dir: dir, UI: true,
		SearchAttributes: map[string]enums.IndexedValueType{
			"Accuracy":  enums.INDEXED_VALUE_TYPE_DOUBLE,
			"SweepName": enums.INDEXED_VALUE_TYPE_KEYWORD,
		},
		Extra: map[string]http.Handler{"/sweep/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte("dashboard"))
		})},
	}

	t.Run("first start", func(t *testing.T) {
		s := start(t, options)
		c := dial(t, s)
		run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
			ID: "first", TaskQueue: taskQueue, TypedSearchAttributes: temporal.NewSearchAttributes(accuracy.ValueSet(0.8)),
		}, trial)
		if err != nil {
			t.Fatal(err)
		}
		var out string
		if err := run.Get(t.Context(), &out); err != nil || out != "attempt 1" {
			t.Fatalf("workflow gave %q, %v", out, err)
		}
		wantListed(t, c, `Accuracy > 0.7 AND SweepName IS NULL`, "first")
		t.Run("keeps closed workflows for 30 days", func(t *testing.T) { wantRetention(t, c, 30*24*time.Hour) })
		t.Run("listens on loopback only", func(t *testing.T) { wantLoopbackListeners(t, s) })
		t.Run("keeps files private", func(t *testing.T) { wantPrivate(t, dir) })
		t.Run("shuts the UI to strangers", func(t *testing.T) { wantUIGuarded(t, s) })
		t.Run("takes writes through the UI", func(t *testing.T) { wantTerminated(t, c, s) })
		t.Run("refuses strangers", func(t *testing.T) { wantStrangersRefused(t, s) })
		t.Run("is alone in its folder", func(t *testing.T) { wantAlone(t, s, dir) })
	})

	t.Run("after stop", func(t *testing.T) {
		if _, err := Running(dir); !errors.Is(err, ErrNotRunning) {
			t.Errorf("Running: %v, want ErrNotRunning", err)
		}
		if _, err := os.Stat(filepath.Join(dir, "server.json")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("server.json: %v, want it removed", err)
		}
	})

	t.Run("second start", func(t *testing.T) {
		options.ReadOnlyUI = true
		options.Retention = 48 * time.Hour
		options.SearchAttributes["TrialIndex"] = enums.INDEXED_VALUE_TYPE_INT // as a newer release would
		s := start(t, options)
		c := dial(t, s)
		wantListed(t, c, `Accuracy > 0.7 AND TrialIndex IS NULL`, "first")
		wantRetention(t, c, 48*time.Hour)
		var out string
		if err := c.GetWorkflow(t.Context(), "first", "").Get(t.Context(), &out); err != nil || out != "attempt 1" {
			t.Errorf("the first start's workflow gave %q, %v", out, err)
		}
		run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
			ID: "second", TaskQueue: taskQueue,
			TypedSearchAttributes: temporal.NewSearchAttributes(temporal.NewSearchAttributeKeyInt64("TrialIndex").ValueSet(7)),
		}, trial)
		if err != nil {
			t.Fatal(err)
		}
		if err := run.Get(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		wantListed(t, c, `TrialIndex = 7`, "second")
		visitor := newVisitor(t, s)
		if got := visitor.post("/api/v1/namespaces/" + namespaceName + "/workflows/first/terminate"); got != http.StatusMethodNotAllowed {
			t.Errorf("a write through the read-only UI gave status %d, want 405", got)
		}
	})
}

// wantListed waits for the query to give the one workflow: visibility lags
// behind by milliseconds.
func wantListed(t *testing.T, c client.Client, query, id string) {
	t.Helper()
	var got []string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		list, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: query})
		if err != nil {
			t.Fatalf("list %s: %v", query, err)
		}
		got = nil
		for _, e := range list.Executions {
			got = append(got, e.Execution.WorkflowId)
		}
		if len(got) == 1 && got[0] == id {
			return
		}
	}
	t.Errorf("list %s: %q, want %s", query, got, id)
}

func wantRetention(t *testing.T, c client.Client, want time.Duration) {
	t.Helper()
	ns, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: namespaceName})
	if err != nil {
		t.Fatal(err)
	}
	if got := ns.Config.WorkflowExecutionRetentionTtl.AsDuration(); got != want {
		t.Errorf("retention %v, want %v", got, want)
	}
}

// wantPrivate looks at every file, and expects those that a server makes.
func wantPrivate(t *testing.T, dir string) {
	names := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %#o, want %#o", path, info.Mode().Perm(), want)
		}
		names[d.Name()] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"server.json", "server.lock", "tls-ca.pem", "tls-cert.pem", "tls-key.pem"} {
		if !names[name] {
			t.Errorf("no %s in %v", name, names)
		}
	}
	for _, pattern := range []string{"temporal-????????.db", "temporal-????????.db-wal"} {
		if !anyMatches(names, pattern) {
			t.Errorf("no %s in %v", pattern, names)
		}
	}
}

func anyMatches(names map[string]bool, pattern string) bool {
	for name := range names {
		if ok, _ := filepath.Match(pattern, name); ok {
			return true
		}
	}
	return false
}

// wantAlone tries a second server, and uses the first as another process would.
func wantAlone(t *testing.T, s *Server, dir string) {
	if _, err := Start(t.Context(), Options{Dir: dir, Namespace: "other"}); !errors.Is(err, ErrInUse) {
		t.Errorf("second Start: %v, want ErrInUse", err)
	}
	info, err := Running(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info != s.Info() || info.PID != os.Getpid() || info.Identity != Identity("server") {
		t.Errorf("Running gave %+v, the server says %+v", info, s.Info())
	}
	if waited, err := WaitRunning(t.Context(), dir); err != nil || waited != info {
		t.Errorf("WaitRunning gave %+v, %v", waited, err)
	}
	o, err := info.ClientOptions(dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.DialContext(t.Context(), quietly(o))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	wantListed(t, c, `WorkflowId = "first"`, "first")
	text, err := os.ReadFile(filepath.Join(dir, "server.json"))
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil || fields["address"] != info.Address || fields["ui_url"] != info.UIURL {
		t.Errorf("server.json holds %v, %v", fields, err)
	}
}
