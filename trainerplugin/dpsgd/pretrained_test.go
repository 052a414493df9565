package dpsgd

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sweep"
	"sweep/trainerplugin"
)

// classified is linear, whose last layer has the name that last layers have.
type classified struct{ linear }

func (e classified) Tensors() []Tensor {
	return []Tensor{{"classifier/w", []int{e.classes, e.inputs}}, {"b", []int{e.classes}}}
}

// pretrained leaves weights in a data directory and returns it, and the Init
// that names them.
func pretrained(t *testing.T, tensors []Tensor, weights []float32) (dir string, init sweep.Init) {
	t.Helper()
	dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "weights"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := written(t, tensors, weights)
	if err := os.WriteFile(filepath.Join(dir, "weights", "x.safetensors"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, sweep.Init{File: "weights/x.safetensors", Digest: sha256Of(file)}
}

func sha256Of(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func TestLoadInit(t *testing.T) {
	e := classified{small}
	given, fresh := small.Init(77), small.Init(3)
	dir, init := pretrained(t, e.Tensors(), given)
	p := sweep.Params{Seed: 3, Init: init}
	if got, _, err := LoadInit(dir, p, e); err != nil || !slices.Equal(got, given) {
		t.Errorf("%v, error %v", got, err)
	}
	p.Init.Classifier = sweep.ResetClassifier
	if got, _, err := LoadInit(dir, p, e); err != nil || !slices.Equal(got, slices.Concat(fresh[:18], given[18:])) {
		t.Errorf("with its classifier reset: %v, error %v", got, err)
	}
	p.Init = sweep.Init{}
	if got, _, err := LoadInit(dir, p, e); err != nil || !slices.Equal(got, fresh) {
		t.Errorf("without a file: %v, error %v", got, err)
	}
}

func TestLoadInitRefuses(t *testing.T) {
	dir, init := pretrained(t, small.Tensors(), small.Init(1))
	for want, change := range map[string]func(*sweep.Init){
		"init: there is no " + filepath.Join(dir, "y") + "; put the weights with sha256 ": func(i *sweep.Init) { i.File = "y" },
		"is not a path within the data directory":                                         func(i *sweep.Init) { i.File = "../y" },
		"it is no file":                 func(i *sweep.Init) { i.File = "weights" },
		"and the trial is of sha256:00": func(i *sweep.Init) { i.Digest = "sha256:00" },
		"classifier/w [3 6] is missing": func(*sweep.Init) {},
	} {
		p := sweep.Params{Init: init}
		change(&p.Init)
		_, _, err := LoadInit(dir, p, classified{small})
		if !errors.Is(err, trainerplugin.ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// A trial starts from the weights that its data bring, and where their file was
// is no part of what it is: a checkpoint is gone on from after a move.
func TestTrainsFromInit(t *testing.T) {
	dir, init := pretrained(t, small.Tensors(), small.Init(77))
	j := job(t, func(j *trainerplugin.Job) { j.Params.Init = init })
	d := blobs()
	var err error
	if d.Start, _, err = LoadInit(dir, j.Params, small); err != nil {
		t.Fatal(err)
	}
	l := opened(t, j, d)
	if !slices.Equal(l.weights, small.Init(77)) {
		t.Error("the first step does not start from the file's weights")
	}
	if _, err := l.update(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.save(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(d.Start, small.Init(77)) {
		t.Error("training has changed the weights that it was given")
	}
	j.Params.Init.File = "elsewhere"
	if id := j.Params.ID(); id != j.Trial {
		t.Errorf("where the file is makes another trial: %s, not %s", id, j.Trial)
	}
	if l := opened(t, j, d); l.step != 1 {
		t.Errorf("went on from step %d", l.step)
	}
	if _, err := Train(t.Context(), j, small, blobs(), ignore); err == nil || !strings.Contains(err.Error(), "init:") {
		t.Errorf("without the weights: error %v", err)
	}
}

// What is kept are the weights whose digest is the outcome's, and a trial can
// start from them.
func TestKeepsWeights(t *testing.T) {
	j := job(t, func(j *trainerplugin.Job) { j.KeepWeights = true })
	left := filepath.Join(j.Dir, ".weights.safetensors-12.tmp")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o, events := run(t, j)
	note, _ := events[len(events)-1].(trainerplugin.Note)
	text, digest, _ := strings.Cut(note.Text, ", ")
	if text != "averaged weights are in weights.safetensors" || note.Step != 6 {
		t.Fatalf("last event %+v", events[len(events)-1])
	}
	if got := checkpoints(t, j); !slices.Equal(got, []string{"weights.safetensors"}) {
		t.Errorf("left %v", got)
	}
	if info, err := os.Stat(filepath.Join(j.Dir, "weights.safetensors")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, error %v", info, err)
	}
	p := sweep.Params{Init: sweep.Init{File: "weights.safetensors", Digest: digest}}
	weights, _, err := LoadInit(j.Dir, p, small)
	if err != nil {
		t.Fatal(err)
	}
	if got := weightsDigest(weights); got != o.WeightsDigest {
		t.Errorf("kept weights have digest %s, the outcome %s", got, o.WeightsDigest)
	}
	plain, _ := run(t, job(t, nil))
	o.Seconds = plain.Seconds
	if o != plain {
		t.Errorf("keeping weights changes the outcome: %+v, want %+v", o, plain)
	}
}
