package dpsgd

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sweep/trainerplugin"
)

// checkpoints returns the names in j's folder.
func checkpoints(t *testing.T, j trainerplugin.Job) []string {
	t.Helper()
	entries, err := os.ReadDir(j.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestKeepsTwo(t *testing.T) {
	j := job(t, func(j *trainerplugin.Job) { j.CheckpointEvery = 1 })
	left := filepath.Join(j.Dir, ".step-000000001-123.tmp")
	other := filepath.Join(j.Dir, "notes.txt")
	for _, name := range []string{left, other} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, j)
	if got := fmt.Sprint(checkpoints(t, j)); got != "[notes.txt step-000000004.ckpt step-000000005.ckpt]" {
		t.Errorf("left %s", got)
	}
}

// Whatever a bad newest checkpoint is, it is named and the one before is used;
// the outcome is that of the undisturbed run.
func TestBadCheckpointsArePassedOver(t *testing.T) {
	want, _ := run(t, job(t, nil))
	for reason, spoil := range map[string]func(t *testing.T, j trainerplugin.Job, file []byte) []byte{
		"damaged or was cut short": func(t *testing.T, _ trainerplugin.Job, f []byte) []byte { return f[:len(f)-7] },
		"SHA-256":                  func(t *testing.T, _ trainerplugin.Job, f []byte) []byte { f[len(f)/2] ^= 1; return f },
		"no checkpoint":            func(t *testing.T, _ trainerplugin.Job, f []byte) []byte { return nil },
		"does not begin like": func(t *testing.T, _ trainerplugin.Job, f []byte) []byte {
			sum := sha256.Sum256([]byte("something else of this length"))
			return append([]byte("something else of this length"), sum[:]...)
		},
		"it belongs to trial \"another\"": func(t *testing.T, j trainerplugin.Job, _ []byte) []byte {
			j.Trial = "another"
			return foreign(t, j, blobs(), small)
		},
		"its trial had other parameters": func(t *testing.T, j trainerplugin.Job, _ []byte) []byte {
			j.Params.Noise++
			return foreign(t, j, blobs(), small)
		},
		"trained on data with digest \"sha256:other\"": func(t *testing.T, j trainerplugin.Job, _ []byte) []byte {
			d := blobs()
			d.Digest = "sha256:other"
			return foreign(t, j, d, small)
		},
		"another layout of weights": func(t *testing.T, j trainerplugin.Job, _ []byte) []byte {
			return foreign(t, j, blobs(), renamed{small})
		},
		"it holds step 2": func(t *testing.T, j trainerplugin.Job, _ []byte) []byte {
			f, err := os.ReadFile(filepath.Join(j.Dir, checkpointName(2)))
			if err != nil {
				t.Fatal(err)
			}
			return f
		},
	} {
		t.Run(reason, func(t *testing.T) {
			j := job(t, func(j *trainerplugin.Job) { j.CheckpointEvery = 1 })
			stopAt(t, j, 3)
			newest := filepath.Join(j.Dir, checkpointName(3))
			file, err := os.ReadFile(newest)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(newest, spoil(t, j, file), 0o600); err != nil {
				t.Fatal(err)
			}
			got, events := run(t, j)
			if s := events[0].(trainerplugin.Started); s.Step != 2 || s.Checkpoint != checkpointName(2) {
				t.Errorf("%+v", s)
			}
			note, _ := events[1].(trainerplugin.Note)
			if !strings.Contains(note.Text, "step-000000003.ckpt passed over: ") || !strings.Contains(note.Text, reason) || note.Step != 2 {
				t.Errorf("noted %+v", events[1])
			}
			got.Seconds = want.Seconds
			if got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
}

type renamed struct{ linear }

func (e renamed) Tensors() []Tensor {
	return []Tensor{{"kernel", []int{e.classes, e.inputs}}, {"b", []int{e.classes}}}
}

// foreign returns a whole checkpoint of step 3 that another run of j wrote.
func foreign(t *testing.T, j trainerplugin.Job, d Data, e Engine) []byte {
	t.Helper()
	j.Dir = t.TempDir()
	l := &loop{job: j, engine: e, data: d, report: ignore}
	if err := l.open(); err != nil {
		t.Fatal(err)
	}
	l.step = 3
	if _, err := l.save(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(j.Dir, checkpointName(3)))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// A disk that takes no more costs the checkpoint, not the trial.
func TestGoesOnWithoutCheckpoints(t *testing.T) {
	want, _ := run(t, job(t, nil))
	j := job(t, func(j *trainerplugin.Job) { j.CheckpointEvery = 1 })
	var notes []string
	got, err := Train(t.Context(), j, small, blobs(), func(e trainerplugin.Event) error {
		if _, ok := e.(trainerplugin.Started); ok {
			return os.Remove(j.Dir)
		}
		if n, ok := e.(trainerplugin.Note); ok {
			notes = append(notes, n.Text)
		}
		return nil
	})
	if err != nil || got.WeightsDigest != want.WeightsDigest {
		t.Errorf("outcome %+v, error %v", got, err)
	}
	if len(notes) != 5 || !strings.Contains(notes[0], "without a checkpoint: save checkpoint: ") {
		t.Errorf("notes %q", notes)
	}
}

// A write that fails half-way leaves the file that was there, and nothing else.
func TestFailedWriteLeavesWhatWas(t *testing.T) {
	dir := t.TempDir()
	name := checkpointName(3)
	err := writeFile(dir, name, func(w io.Writer) error { _, err := w.Write([]byte("first")); return err })
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space left on device")
	err = writeFile(dir, name, func(w io.Writer) error {
		if _, err := w.Write(make([]byte, 1<<20)); err != nil { // more than any buffer
			return err
		}
		return full
	})
	if !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil || string(text) != "first" {
		t.Errorf("file holds %d bytes, error %v", len(text), err)
	}
	if got := checkpoints(t, trainerplugin.Job{Dir: dir}); len(got) != 1 {
		t.Errorf("left %v", got)
	}
}

func TestCheckpointBeyondTheTrialIsPassedOver(t *testing.T) {
	j := job(t, nil)
	l := opened(t, j, blobs())
	l.step = j.Params.Steps + 1
	if _, err := l.save(); err != nil {
		t.Fatal(err)
	}
	_, events := run(t, j)
	if n, ok := events[1].(trainerplugin.Note); !ok || !strings.Contains(n.Text, "it holds step 7, by the name of step-000000007.ckpt, of a trial of 6 steps") {
		t.Errorf("second event %+v", events[1])
	}
}
