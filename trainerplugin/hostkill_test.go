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

// Whatever a trainer started is gone soon after its host was killed, children
// that left its session or lost their parent included.
func TestNothingOutlivesAKilledHost(t *testing.T) {
	for _, mode := range []string{"fake", "fork", "freeze"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			tag := newTag()
			// Short, for it holds a socket.
			tmp, err := os.MkdirTemp("", "host")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(tmp)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
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
			// Host, shim and trainer at least; "fork" has two children more.
			if n, want := len(tagged(t, tag)), map[string]int{"fork": 5}[mode]; n < max(want, 3) {
				t.Fatalf("%d processes are running, want at least %d", n, max(want, 3))
			}
			if err := host.Process.Signal(syscall.SIGKILL); err != nil {
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
