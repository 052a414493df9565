package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sweep/internal/faults"
)

// TestSoak runs sweeps of short trials while it kills, freezes and damages at
// random, and then checks every trial. SWEEP_FAULTS says how many faults, and
// SWEEP_SOAK_TRIALS how many trials at least; SWEEP_SOAK_SEED repeats a run.
func TestSoak(t *testing.T) {
	wanted := number(t, "SWEEP_FAULTS", 0)
	if wanted == 0 {
		t.Skip("SWEEP_FAULTS is not set; `make soak` and .ci/run set it")
	}
	s := newSoak(t, uint64(number(t, "SWEEP_SOAK_SEED", int(time.Now().UnixNano()))))
	least := number(t, "SWEEP_SOAK_TRIALS", 50)
	sweeps := (least + trialsPerSweep - 1) / trialsPerSweep
	for len(s.sweeps) < sweeps || s.faults < wanted {
		// Each sweep has its share: those of one kind of noise are not enough.
		s.storm(min(wanted, (wanted*(len(s.sweeps)+1)+sweeps-1)/sweeps))
		t.Logf("%d sweeps, %d faults after %v", len(s.sweeps), s.faults, time.Since(s.began).Round(time.Second))
	}
	s.calm()
	for _, kind := range slices.Sorted(maps.Keys(s.counts)) {
		t.Logf("%4d × %s", s.counts[kind], kind)
	}
	s.check()
}

func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	if text := os.Getenv(variable); text != "" {
		if _, err := fmt.Sscan(text, &otherwise); err != nil {
			t.Fatalf("%s=%s: %v", variable, text, err)
		}
	}
	return otherwise
}

// A soak is a results file in stormy weather.
type soak struct {
	t      *testing.T
	dir    string
	began  time.Time
	random *rand.Rand
	sweeps []string // names of those that have been started
	deck   []kind   // faults to come
	faults int
	counts map[string]int // faults by kind

	main   *shell // goes on with the sweep at hand
	others []*shell
}

// A shell is a process of the soak that may be killed at any time.
type shell struct {
	cmd   *exec.Cmd
	out   *bytes.Buffer
	ended chan error
}

func newSoak(t *testing.T, seed uint64) *soak {
	t.Logf("faults drawn with SWEEP_SOAK_SEED=%d", seed)
	s := &soak{t: t, dir: t.TempDir(), began: time.Now(), random: rand.New(rand.NewPCG(seed, 0)), counts: map[string]int{}}
	witness, err := exec.LookPath("witness")
	if err != nil {
		t.Fatal(err)
	}
	s.write("witness.sh", "exec "+witness+"\n")
	t.Cleanup(func() { // after a failure too
		left, _ := faults.Marked(s.mark())
		for _, p := range left {
			_ = p.Signal(syscall.SIGKILL)
		}
	})
	return s
}

func (s *soak) mark() string { return "HOME=" + s.dir }

func (s *soak) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

const (
	trialsPerSweep = 50
	soakSteps      = 40
)

// soakGrid is a sweep of trialsPerSweep trials. Sweeps differ in their learning
// rates, so that each has trials of its own, and in their noise.
func (s *soak) soakGrid(name string) string {
	noise := []string{"seeded", "secure"}[len(s.sweeps)%2]
	rates := make([]string, 5)
	for i := range rates {
		rates[i] = fmt.Sprintf("%g", 0.25+0.25*float64(i)+0.001*float64(len(s.sweeps)))
	}
	script := fmt.Sprintf("%x", sha256.Sum256(s.read("witness.sh")))
	return fmt.Sprintf(`
name: %s
data: {name: glyphs, train: 400, validation: 100}
model: linear
trainer: {command: [/bin/sh, %s/witness.sh], sha256: %s}
privacy: {noise_multiplier: [1], delta: 1e-4, noise: %s}
grid: {batch_size: [40, 80], learning_rate: [%s], steps: [%d]}
repeats: 5
run: {parallel: 8, checkpoint_every: 1s, retries: 100}
`, name, s.dir, script, noise, strings.Join(rates, ", "), soakSteps)
}

func (s *soak) read(name string) []byte {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// start runs a sweep command in the soak's folder.
func (s *soak) start(args ...string) *shell {
	s.t.Helper()
	r := &shell{cmd: sweepIn(s.dir, args...), out: &bytes.Buffer{}, ended: make(chan error, 1)}
	r.cmd.Env = append(r.cmd.Env, lostAfterVariable+"=4s")
	r.cmd.Stdout, r.cmd.Stderr = r.out, r.out
	if err := r.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() { r.ended <- r.cmd.Wait() }()
	return r
}

// storm runs one more sweep to its end, with faults until there have been so many
// in all.
func (s *soak) storm(upTo int) {
	name := fmt.Sprintf("soak%d", len(s.sweeps))
	s.write("grid.yaml", s.soakGrid(name))
	s.sweeps = append(s.sweeps, name)
	for {
		if s.main == nil {
			s.main = s.start(append(goOn(s.dir, name), "--at-once", "6")...)
		}
		select {
		case err := <-s.main.ended:
			done := s.over(err)
			s.main = nil
			if done {
				return
			}
		case <-time.After(100*time.Millisecond + time.Duration(s.random.Int64N(int64(900*time.Millisecond)))):
			if s.faults < upTo && s.ripe() {
				s.fault()
			}
		}
	}
}

// ripe is whether it is time for the next fault: most come while something is
// trained, and some while processes start.
func (s *soak) ripe() bool {
	if _, err := s.find(isTrainer); err == nil {
		return true
	}
	return s.random.IntN(10) == 0
}

// over judges the end of the process that ran the sweep, and reports whether
// the sweep is complete.
func (s *soak) over(err error) bool {
	s.t.Helper()
	state := s.main.cmd.ProcessState
	killed := state.Sys().(syscall.WaitStatus).Signaled()
	switch {
	case err == nil:
		return true
	case killed, state.ExitCode() == exitInterrupted:
		return false
	}
	s.t.Fatalf("%v: %v\n%s", s.main.cmd.Args, err, s.main.out)
	return false
}

// calm waits for everything to end that was started beside the sweeps.
func (s *soak) calm() {
	s.t.Helper()
	for _, r := range s.others {
		_ = r.cmd.Process.Signal(syscall.SIGTERM) // most have ended long ago
	}
	left, err := faults.Gone(s.mark(), 30*time.Second)
	if err != nil || len(left) > 0 {
		s.t.Fatalf("processes are left: %v, error %v", left, err)
	}
}
