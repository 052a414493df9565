package faults

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestProcessesAreFoundByTheirMark(t *testing.T) {
	mark := "HOME=" + t.TempDir()
	cmd := exec.Command("sh", "-c", "sleep 100 & sleep 100")
	cmd.Env = append(os.Environ(), mark)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var found []Process
	for began := time.Now(); len(found) < 3 && time.Since(began) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
		var err error
		if found, err = Marked(mark); err != nil {
			t.Fatal(err)
		}
	}
	if len(found) != 3 || !found[0].Runs("-c") && !found[1].Runs("-c") && !found[2].Runs("-c") {
		t.Fatalf("found %v; want a shell and its two children", found)
	}
	if other, err := Marked(mark + "0"); err != nil || len(other) != 0 {
		t.Errorf("found %v by another mark, error %v", other, err)
	}
	if err := Freeze(found, 20*time.Millisecond); err != nil {
		t.Error(err)
	}
	for _, p := range found {
		if state, err := os.ReadFile("/proc/" + strings.Fields(p.String())[0] + "/stat"); err != nil || strings.Contains(string(state), ") T ") {
			t.Errorf("%v is still stopped, or gone: %s, %v", p, state, err)
		}
	}
	if left, err := Gone(mark, 0); err != nil || len(left) != 3 {
		t.Errorf("left %v, error %v; want all three", left, err)
	}
	for _, p := range found {
		if err := p.Signal(syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}
	_ = cmd.Wait() // killed
	if left, err := Gone(mark, 10*time.Second); err != nil || len(left) != 0 {
		t.Errorf("left %v, error %v", left, err)
	}
	if err := found[0].Signal(syscall.SIGTERM); err != nil {
		t.Errorf("signal to a process that is gone: %v", err)
	}
}
