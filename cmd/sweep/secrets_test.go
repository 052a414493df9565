package main

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sweep/internal/faults"
)

const secretGrid = `
name: secrets
data: {name: glyphs, train: 600, validation: 300}
model: tanh-cnn
privacy: {noise_multiplier: [1], delta: 1e-4, noise: NOISE}
grid: {batch_size: [400], learning_rate: [0.5, 1], steps: [4000]} # minutes on any machine: the test stops them
run: {parallel: 2, checkpoint_every: 1s}
`

// TestKeysStayInCheckpoints runs sweeps whose trainers are made to crash with a
// full stack trace, and looks for their noise keys, and for any eight bytes of
// one, in all that was written but checkpoints: logs, reports, the record,
// Temporal's database, what commands printed.
func TestKeysStayInCheckpoints(t *testing.T) {
	slow(t)
	t.Parallel()
	for _, noise := range []string{"secure", "seeded"} {
		t.Run(noise, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeGrid(t, dir, strings.Replace(secretGrid, "NOISE", noise, 1))
			start := sweepIn(dir, "start", "grid.yaml")
			printed, err := os.Create(filepath.Join(dir, "printed"))
			if err != nil {
				t.Fatal(err)
			}
			start.Stdout, start.Stderr = printed, printed
			if err := start.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- start.Wait() }()

			keys := harvest(t, dir, 2)
			crashTrainers(t, dir)
			waitFor(t, "second attempts", func() bool {
				logs, _ := filepath.Glob(filepath.Join(dir, "results.d", "trials", "*", "trainer-2.log"))
				return len(logs) == 2
			})
			searchFor(t, dir, keys)
			if err := start.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; start.ProcessState.ExitCode() != exitInterrupted {
				t.Fatalf("start: %v, want it interrupted", err)
			}
			searchFor(t, dir, keys)
			crashed, err := filepath.Glob(filepath.Join(dir, "results.d", "trials", "*", "trainer-1.log"))
			if err != nil || len(crashed) != 2 {
				t.Fatalf("logs of first attempts: %v, %v", crashed, err)
			}
			for _, log := range crashed {
				if text, err := os.ReadFile(log); err != nil || !bytes.Contains(text, []byte("goroutine 1 ")) {
					t.Errorf("%s has no stack trace (%v): %s", log, err, text)
				}
			}
		})
	}
}

// harvest reads the secrets of so many trials out of their checkpoints, where
// FORMAT.md says that they are, and derives from them what it says.
func harvest(t *testing.T, dir string, trials int) *faults.Search {
	t.Helper()
	secrets := map[string][]byte{}
	for began := time.Now(); len(secrets) < trials; time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			printed, _ := os.ReadFile(filepath.Join(dir, "printed"))
			t.Fatalf("%d checkpoints after a minute\n%s", len(secrets), printed)
		}
		files, err := filepath.Glob(filepath.Join(dir, "results.d", "trials", "*", "checkpoints", "*", "*.ckpt"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil || len(text) < 20 {
				continue // removed meanwhile
			}
			at := 16 + binary.LittleEndian.Uint32(text[12:])
			secrets[strings.Split(file, string(filepath.Separator))[len(strings.Split(dir, string(filepath.Separator)))+2]] = text[at : at+32]
		}
	}
	var s faults.Search
	for trial, secret := range secrets {
		s.Add("secret of "+trial, secret)
		for _, use := range []string{"noise", "sampling"} {
			for step := range uint64(4000) {
				info := binary.BigEndian.AppendUint64([]byte(use+"\x00"), step+1)
				key, err := hkdf.Key(sha256.New, secret, []byte("sweep/dpsgd/1"), string(info), 32)
				if err != nil {
					t.Fatal(err)
				}
				s.Add(use+" key of "+trial, key)
			}
		}
	}
	return &s
}

// crashTrainers has every trainer dump its stacks and end.
func crashTrainers(t *testing.T, dir string) {
	t.Helper()
	running := trainersOf(t, dir)
	for _, p := range running {
		if err := p.Signal(syscall.SIGABRT); err != nil {
			t.Fatal(err)
		}
	}
	if len(running) != 2 {
		t.Fatalf("%d trainers to crash: %v", len(running), running)
	}
}

// trainersOf are the trainers, each of which has a shim beside it, of sweeps that
// run in dir.
func trainersOf(t *testing.T, dir string) []faults.Process {
	t.Helper()
	all, err := faults.Marked("HOME=" + dir)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(p faults.Process) bool { return len(p.Args) != 2 || p.Args[1] != trainerVerb })
}

// searchFor reads every file below dir but checkpoints.
func searchFor(t *testing.T, dir string, keys *faults.Search) {
	t.Helper()
	files, total, held := 0, 0, 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && !d.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil // removed meanwhile
		}
		found := keys.Find(text)
		if strings.HasSuffix(path, ".ckpt") || strings.Contains(path, ".ckpt.") || strings.HasSuffix(path, ".tmp") {
			held += len(found)
			return nil
		}
		files, total = files+1, total+len(text)
		if len(found) > 0 {
			t.Errorf("%s: %v", path, found)
		}
		return nil
	})
	if err != nil || files < 10 {
		t.Errorf("searched %d files, error %v", files, err)
	}
	t.Logf("searched %d files of %d bytes; checkpoints have the keys %d times", files, total, held)
}
