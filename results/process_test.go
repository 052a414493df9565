package results

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sweep"
)

// In a child process the test binary does a job instead of running tests.
func TestMain(m *testing.M) {
	if job := os.Getenv("RESULTS_TEST_JOB"); job != "" {
		if err := jobs[job](context.Background(), os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// jobs are what child processes do with a record.
var jobs = map[string]func(ctx context.Context, args []string) error{
	"complete": completeAll,
	"add":      addForever,
	"open":     openOnly,
}

// child prepares a child process that does a job.
func child(t testing.TB, job string, args ...string) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = append(os.Environ(), "RESULTS_TEST_JOB="+job)
	cmd.Stderr = os.Stderr
	return cmd
}

// completeAll runs every trial of sweep args[1] in record args[0], in the order
// of the grid, and prints each trial's id once it is recorded.
func completeAll(ctx context.Context, args []string) error {
	s, err := Open(ctx, args[0])
	if err != nil {
		return err
	}
	defer s.Close()
	id := sweep.SweepID(args[1])
	for {
		next, err := s.Next(ctx, id, 1, nil)
		if err != nil || len(next) == 0 {
			return err
		}
		if err := completeOne(ctx, s, id, next[0].Trial); err != nil {
			return err
		}
		fmt.Println(next[0].Trial)
	}
}

func completeOne(ctx context.Context, s *Store, id sweep.SweepID, trial sweep.TrialID) error {
	c, err := s.Begin(ctx, id, trial)
	if err != nil || c.State != sweep.Running {
		return fmt.Errorf("claim %+v: %w", c, err)
	}
	ref := sweep.AttemptRef{Sweep: id, Trial: trial, Number: c.Attempt}
	reading := sweep.Reading{Offset: 10, Started: true, NoiseID: fmt.Sprint(trial, c.Attempt), Worker: "w", Step: c.Params.Steps}
	for step := range c.Params.Steps {
		reading.Metrics = append(reading.Metrics, sweep.Metric{Step: step + 1, Name: "loss", Value: 1 / float64(step+1)})
	}
	if err := s.Collect(ctx, ref, reading); err != nil {
		return err
	}
	return s.Record(ctx, ref, outcomeOf(c.Params, 0.5))
}

// addForever enters a sweep whose trials never end.
func addForever(ctx context.Context, args []string) error {
	s, err := Open(ctx, args[0])
	if err != nil {
		return err
	}
	_, err = s.AddSweep(ctx, file("endless"), func(yield func(TrialRecord, error) bool) {
		for i := 0; yield(TrialRecord{Params: params(1, 1).WithRepeat(i), Index: i, Repeat: i, Delta: delta}, nil); i++ {
			if i%1000 == 999 {
				fmt.Println(i)
			}
		}
	})
	return err
}

// openOnly opens the record as a Store or, if args[1] says so, as a Reader, and
// prints its sweeps.
func openOnly(ctx context.Context, args []string) error {
	var (
		r      *Reader
		closer io.Closer
		err    error
	)
	if args[1] == "write" {
		var s *Store
		if s, err = Open(ctx, args[0]); err == nil {
			r, closer = s.Reader, s
		}
	} else {
		r, err = OpenReader(ctx, args[0])
		closer = r
	}
	if err != nil {
		fmt.Println(err)
		return nil
	}
	all, err := r.Sweeps(ctx)
	fmt.Println(len(all), "sweeps", err)
	return closer.Close()
}

// checkWhole opens a record that a killed process left, and checks what must
// hold of any record.
func checkWhole(t *testing.T, path string) *Store {
	t.Helper()
	s := openAt(t, path)
	if verdict := scalar[string](t, s, `PRAGMA integrity_check`); verdict != "ok" {
		t.Fatalf("integrity check: %s", verdict)
	}
	for what, query := range map[string]string{
		"completed trials without their outcome, event or price": `
			SELECT count(*) FROM trials t LEFT JOIN outcomes o ON o.trial = t.key LEFT JOIN costs c ON c.trial = t.key
			WHERE t.state = 'completed' AND (o.trial IS NULL OR c.trial IS NULL)`,
		"outcomes of trials that are not completed": `SELECT count(*) FROM outcomes o JOIN trials t ON t.key = o.trial WHERE t.state <> 'completed'`,
		"open attempts that are not the newest":     `SELECT count(*) FROM attempts a JOIN trials t ON t.key = a.trial WHERE a.ended IS NULL AND a.number <> t.attempt`,
		"running trials without an open attempt":    `SELECT count(*) FROM trials t LEFT JOIN attempts a ON a.trial = t.key AND a.ended IS NULL WHERE t.state = 'running' AND a.trial IS NULL`,
		"states that differ from their copy":        `SELECT count(*) FROM sweep_trials st JOIN trials t ON t.key = st.trial WHERE t.state <> st.state`,
		"rows that refer to nothing":                `SELECT count(*) FROM pragma_foreign_key_check`,
	} {
		if n := scalar[int](t, s, query); n != 0 {
			t.Errorf("%d %s", n, what)
		}
	}
	return s
}

// A writer is killed at random moments until all trials are done: whatever it
// had acknowledged is there, and nothing is half there.
func TestKilledWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	trials := grid(10)
	add(t, s, file("a"), trials)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	acknowledged := map[string]bool{}
	random := rand.New(rand.NewPCG(1, 2))
	kills := 0
	for done := false; !done; {
		ids, finished := life(t, path, random, kills)
		for _, id := range ids {
			if acknowledged[id] {
				t.Errorf("trial %s was run again after it was recorded", id)
			}
			acknowledged[id] = true
		}
		if done = finished; !done {
			kills++
		}
		s := checkWhole(t, path)
		if n := scalar[int](t, s, `SELECT count(*) FROM outcomes`); n < len(acknowledged) || n > len(acknowledged)+kills {
			t.Fatalf("%d outcomes, %d were acknowledged before %d kills", n, len(acknowledged), kills)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if kills == 0 {
		t.Error("the writer was never killed")
	}
	if n := scalar[int](t, openAt(t, path), `SELECT count(*) FROM outcomes`); n != len(trials) {
		t.Errorf("%d outcomes, want %d", n, len(trials))
	}
}

// life runs a writer and kills it: every fourth one at any moment, also while
// it opens the file, the others soon after they have acknowledged something, so
// that the work gets done however slow the machine is. It returns what was
// acknowledged, and whether the writer came to the end of its work.
func life(t *testing.T, path string, random *rand.Rand, nth int) (acknowledged []string, finished bool) {
	t.Helper()
	cmd := child(t, "complete", path, string(file("a").ID))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() { _ = cmd.Process.Kill() } // it may have ended
	if nth%4 == 3 {
		defer time.AfterFunc(time.Duration(random.IntN(60))*time.Millisecond, kill).Stop()
	}
	after := 1 + random.IntN(6)
	delay := time.Duration(random.IntN(4000)) * time.Microsecond
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return acknowledged, cmd.Wait() == nil // the last line may be cut
		}
		acknowledged = append(acknowledged, strings.TrimSpace(line))
		if len(acknowledged) == after {
			time.AfterFunc(delay, kill)
		}
	}
}

func TestKilledInTheMiddleOfATransaction(t *testing.T) {
	path := recorded(t)
	cmd := child(t, "add", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "9999" { // many pages are changed
	}
	// A reader sees what was before, and is not kept waiting.
	r, err := OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := r.Sweeps(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("%d sweeps, error %v; want the one that is whole", len(all), err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	s := checkWhole(t, path)
	if n := scalar[int](t, s, `SELECT count(*) FROM trials`); n != 12 {
		t.Errorf("%d trials, want the 12 that were there", n)
	}
}

// Sixteen goroutines and a second process write while eight readers of two
// more pools poll.
func TestManyWritersAndReaders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	s := openAt(t, path)
	trials := grid(8)
	add(t, s, file("here"), trials)
	there := grid(2)
	for i := range there {
		there[i].Params.Model = "other"
	}
	add(t, s, file("there"), there)

	stop, polls := poll(t, path, file("here").ID, 2*time.Millisecond)
	cmd := child(t, "complete", path, string(file("there").ID))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for w := range 16 {
		writers.Go(func() {
			for i := w; i < len(trials); i += 16 {
				if err := completeOne(t.Context(), s, file("here").ID, trials[i].Params.ID()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	stop()
	if polls() == 0 {
		t.Error("no reader read")
	}
	for id, n := range map[sweep.SweepID]int{file("here").ID: len(trials), file("there").ID: len(there)} {
		if p, err := s.Progress(t.Context(), id); err != nil || p.Completed != n {
			t.Errorf("sweep %s: %d trials completed, error %v; want %d", id, p.Completed, err, n)
		}
	}
	if n, want := scalar[int](t, s, `SELECT count(*) FROM metrics`), 10*(len(trials)+len(there)); n != want {
		t.Errorf("%d metrics, want %d", n, want)
	}
}

// poll reads a sweep with eight goroutines over two pools now and then until stop is called.
func poll(t testing.TB, path string, id sweep.SweepID, every time.Duration) (stop func(), polls func() int) {
	t.Helper()
	done := make(chan struct{})
	var wg sync.WaitGroup
	counts := make([]int, 8)
	for pool := range 2 {
		r, err := OpenReader(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		for i := range 4 {
			wg.Go(func() {
				for completed := 0; ; counts[4*pool+i]++ {
					select {
					case <-done:
						return
					case <-time.After(every):
					}
					p, err := r.Progress(t.Context(), id)
					if err != nil || p.Completed < completed {
						t.Errorf("%d completed after %d, error %v", p.Completed, completed, err)
						return
					}
					completed = p.Completed
					if _, err := r.Frontier(t.Context(), id); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	stop = func() { close(done); wg.Wait() }
	polls = func() (n int) {
		for _, c := range counts {
			n += c
		}
		return n
	}
	return stop, polls
}

// Several processes may find that there is no record yet.
func TestManyProcessesCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			out, err := child(t, "open", path, "write").Output()
			if err != nil || string(out) != "0 sweeps <nil>\n" {
				t.Errorf("%s, error %v; want no sweeps", out, err)
			}
		})
	}
	wg.Wait()
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("files %v are left, error %v; want the record alone", left, err)
	}
}

// Where file and folder belong to somebody else, reading works and writing is
// refused with the reason.
func TestReadOnlyFile(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	dir, err := os.MkdirTemp("", "results-readonly")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	binary := filepath.Join(dir, "results.test")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "r.db")
	writeFile(t, binary, readFile(t, self))
	writeFile(t, path, readFile(t, recorded(t)))
	for name, mode := range map[string]os.FileMode{dir: 0o755, binary: 0o755, path: 0o644} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	before := readFile(t, path)
	for how, want := range map[string]string{"read": "1 sweeps <nil>", "write": ErrReadOnly.Error()} {
		cmd := child(t, "open", path, how)
		cmd.Path, cmd.Dir = binary, dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.Output()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %s (%v), want %q", how, out, err, want)
		}
	}
	if string(readFile(t, path)) != string(before) {
		t.Error("the file was changed")
	}
}
