package devserver

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// TestKilled kills a process that runs server and worker, and takes over.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	child := startChild(t, dir)
	cancelInChild(t, dir)
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	child.Wait() // says that it was killed

	if _, err := os.Stat(filepath.Join(dir, "server.json")); err != nil {
		t.Errorf("the killed server left no server.json (%v), so nothing stale is tested", err)
	}
	if _, err := WaitRunning(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("WaitRunning after the kill: %v, want ErrNotRunning", err)
	}
	s := start(t, Options{Dir: dir})
	c := dial(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // the heartbeat timeout is a minute
	defer cancel()
	if n, err := Reap(ctx, c, namespaceName, DeadHere); n != 2 || err != nil {
		t.Errorf("Reap: %d, %v; want both activities", n, err)
	}
	var out string
	if err := c.GetWorkflow(ctx, "killed", "").Get(ctx, &out); err != nil || out != "attempt 2" {
		t.Errorf("the interrupted workflow gave %q, %v; want a second attempt", out, err)
	}
	var cancelled *temporal.CanceledError
	if err := c.GetWorkflow(ctx, "cancelled", "").Get(ctx, nil); !errors.As(err, &cancelled) {
		t.Errorf("the workflow that was being cancelled gave %v", err)
	}
	if n, err := Reap(ctx, c, namespaceName, DeadHere); n != 0 || err != nil {
		t.Errorf("second Reap: %d, %v", n, err)
	}
}

// startChild runs this test binary as a server, and returns when both of its
// activities have begun.
func startChild(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childFolder+"="+dir)
	child.Stderr = t.Output()
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { child.Process.Kill() })
	lines := bufio.NewScanner(out)
	for range 2 {
		if !lines.Scan() || lines.Text() != "started" {
			t.Fatalf("the child said %q, %v", lines.Text(), lines.Err())
		}
	}
	return child
}

// cancelInChild uses the child's server from this process: it finds it, sees
// that nothing of it can be reaped while it lives, and cancels one workflow.
func cancelInChild(t *testing.T, dir string) {
	t.Helper()
	info, err := WaitRunning(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
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
	if n, err := Reap(t.Context(), c, info.Namespace, DeadHere); n != 0 || err != nil {
		t.Errorf("Reap beside a live worker: %d, %v", n, err)
	}
	if err := c.CancelWorkflow(t.Context(), "cancelled", ""); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		d, err := c.DescribeWorkflowExecution(t.Context(), "cancelled", "")
		if err != nil {
			t.Fatal(err)
		}
		if len(d.PendingActivities) == 1 && d.PendingActivities[0].State == enums.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the cancellation did not reach the activity: %v", d.PendingActivities)
		}
	}
}
