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

// runHost is a host in a process of its own: it launches a trainer, trains a
// long trial, says when it is under way, and waits to be killed.
func runHost(mode string) int {
	path, err := os.Executable()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	p, err := trainerplugin.Launch(context.Background(), trainerplugin.LaunchOptions{
		Command: []string{path},
		Shim:    []string{path, "shim"},
		Env:     []string{trainertest.Variable + "=" + mode, tagName + "=" + os.Getenv(tagName)},
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer p.Close()
	j := baseJob()
	j.Params.Options = map[string]string{trainertest.StepTimeOption: "1h"}
	j.Trial, j.Dir = j.Params.ID(), os.TempDir()
	_, err = p.Train(context.Background(), j, func(trainerplugin.Event) error {
		fmt.Println("training")
		return nil
	})
	fmt.Println(err)
	return 1
}

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

// If the shim is killed, the trainer goes with it and the host is told.
func TestKilledShim(t *testing.T) {
	o := options(t, "fake")
	p := launch(t, o)
	j := job(t)
	j.Params.Options = map[string]string{trainertest.StepTimeOption: "1h"}
	j.Trial = j.Params.ID()
	_, err := p.Train(t.Context(), j, func(trainerplugin.Event) error {
		for _, pid := range tagged(t, tagOf(o)) {
			cmd, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			if err == nil && strings.Contains(string(cmd), "\x00shim\x00") {
				return syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		return fmt.Errorf("no shim among the processes of %s", tagOf(o))
	})
	if err == nil || !strings.Contains(err.Error(), "trainer process ended: signal: killed") {
		t.Errorf("error %v, want one that says that the process was killed", err)
	}
	nothingLeft(t, tagOf(o))
}
