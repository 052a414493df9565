package faults

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"
)

// tellTime has this very test program print the time whenever it reads a line.
const tellTime = "SWEEP_TEST_TELL_TIME"

func TestMain(m *testing.M) {
	if os.Getenv(tellTime) != "" {
		began := time.Now()
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			fmt.Println(time.Now().Unix(), int(time.Since(began).Seconds())) // the second by the clock that is never set
		}
		return
	}
	os.Exit(m.Run())
}

// A process's time of day moves by what it is told, and the clock by which it
// measures durations does not.
func TestClockOfAProcess(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), tellTime+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	ask := func() (now, ran int64) {
		t.Helper()
		if _, err := io.WriteString(in, "\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fscanln(lines, &now, &ran); err != nil {
			t.Fatal(err)
		}
		return now, ran
	}
	ask() // it runs
	clock := TakeClock(t, Process{PID: cmd.Process.Pid, Args: cmd.Args})
	for _, by := range []time.Duration{0, -time.Hour, 25 * time.Hour, 0} {
		if err := clock.Set(by); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		now, ran := ask()
		took := time.Since(began) + time.Second // both are cut to whole seconds
		if off := time.Duration(now-began.Unix())*time.Second - by; off < -time.Second || off > took {
			t.Errorf("set by %v it says %v, which is off by %v", by, time.Unix(now, 0), off)
		}
		if ran < 0 || ran > 600 {
			t.Errorf("set by %v it has run for %d s", by, ran)
		}
	}
	_ = in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
