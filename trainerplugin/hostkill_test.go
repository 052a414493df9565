//go:build unix

package trainerplugin_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"sweep/trainerplugin"
	"sweep/trainerplugin/trainertest"
)

// startHost starts a host with its temporary files in tmp, and returns when its
// trainer is at work.
func startHost(t *testing.T, mode, tag, tmp string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	host := exec.CommandContext(ctx, self(t), "host", mode)
	host.Env = append(os.Environ(), tagName+"="+tag, "TMPDIR="+tmp)
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if strings.TrimSpace(line) != "training" {
		t.Fatalf("the host says %q (%v)", line, err)
	}
	return host
}

// shortDir is a temporary folder whose path leaves room for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	tmp, err := os.MkdirTemp("", "host")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(tmp) })
	return tmp
}

// Whatever a trainer started is gone soon after its host was killed, children
// that left its session or lost their parent included.
func TestNothingOutlivesAKilledHost(t *testing.T) {
	for _, mode := range []string{"fake", "fork", "freeze"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			tag, tmp := newTag(), shortDir(t)
			host := startHost(t, mode, tag, tmp)
			// Host, shim and trainer at least; "fork" has two children more.
			want := 3
			if mode == "fork" {
				want = 5
			}
			if n := len(tagged(t, tag)); n < want {
				t.Fatalf("%d processes are running, want at least %d", n, want)
			}
			if err := host.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = host.Wait() // it was killed
			begun := time.Now()
			nothingLeft(t, tag)
			if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
				t.Errorf("left in the temporary folder: %v (%v)", left, err)
			}
			t.Logf("all gone %v after the host", time.Since(begun).Round(time.Millisecond))
		})
	}
}

// With the host unable to act and the shim killed, the trainer still goes.
func TestTrainerDiesWithItsShim(t *testing.T) {
	tag := newTag()
	host := startHost(t, "fake", tag, shortDir(t))
	if err := host.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := signalShim(t, tag, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// The shim itself stays as a zombie, which has no environment any more.
	for limit := time.Now().Add(5 * time.Second); len(tagged(t, tag)) > 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("processes left beside the host: %v", tagged(t, tag))
		}
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait() // it was killed
	nothingLeft(t, tag)
}

// A trainer that is told to end takes with it what it started, though both its
// children and itself ignore SIGTERM and hold its output open.
func TestCloseEndsDescendants(t *testing.T) {
	o := options(t, "fork")
	p := launch(t, o)
	if n := len(tagged(t, tagOf(o))); n < 4 {
		t.Fatalf("%d processes are running, want shim, trainer and two children", n)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	nothingLeft(t, tagOf(o))
}

// signalShim sends sig to the shim among the tag's processes.
func signalShim(t *testing.T, tag string, sig syscall.Signal) error {
	for _, pid := range tagged(t, tag) {
		cmd, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && strings.Contains(string(cmd), "\x00shim\x00") {
			return syscall.Kill(pid, sig)
		}
	}
	return fmt.Errorf("no shim among the processes of %s", tag)
}

// If the shim is killed, the trainer goes with it and the host is told. What
// had left the trainer's group is out of reach, and must not hold the host up
// by keeping the trainer's output open.
func TestKilledShim(t *testing.T) {
	o := options(t, "fork")
	p := launch(t, o)
	j := job(t)
	j.Params.Options = map[string]string{trainertest.StepTimeOption: "1h"}
	j.Trial = j.Params.ID()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err := p.Train(ctx, j, func(trainerplugin.Event) error { return signalShim(t, tagOf(o), syscall.SIGKILL) })
	if err == nil || !strings.Contains(err.Error(), "trainer process ended: signal: killed") {
		t.Errorf("error %v, want one that says that the process was killed", err)
	}
	begun := time.Now()
	if err := p.Close(); err != nil || time.Since(begun) > 4*time.Second {
		t.Errorf("close: %v after %v", err, time.Since(begun))
	}
	for _, pid := range tagged(t, tagOf(o)) {
		if cmd, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); !strings.HasPrefix(string(cmd), "sh") && !strings.HasPrefix(string(cmd), "sleep") {
			t.Errorf("process %d is left: %q", pid, cmd)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Log(err)
		}
	}
}

// A frozen shim is woken, for only it knows all descendants.
func TestCloseWakesAFrozenShim(t *testing.T) {
	o := options(t, "fork")
	p := launch(t, o)
	if err := signalShim(t, tagOf(o), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	nothingLeft(t, tagOf(o))
}
