package trainertest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sweep"
	"sweep/trainerplugin"
)

// A state is all that a [Fake] needs to go on: the last step made, what stands
// for the weights after it, and the noise key, which lives nowhere else.
type state struct {
	Trial   sweep.TrialID `json:"trial"`
	Step    int           `json:"step"`
	Key     string        `json:"key"`
	Weights string        `json:"weights"`
	Sum     string        `json:"sum"` // of the fields above
}

func (s state) sum() string {
	return digest("checkpoint", string(s.Trial), fmt.Sprint(s.Step), s.Key, s.Weights)
}

const (
	suffix = ".fake"
	kept   = 2 // checkpoints; the older one serves if the newer is damaged
)

// save writes a checkpoint that is whole and durable when it has its name.
func (s state) save(dir string) (c trainerplugin.Checkpoint, err error) {
	s.Sum = s.sum()
	text, err := json.Marshal(s)
	if err != nil {
		return c, err
	}
	name := fmt.Sprintf("checkpoint-%010d%s", s.Step, suffix)
	if err := writeDurably(dir, name, text); err != nil {
		return c, fmt.Errorf("write checkpoint %s: %w", name, err)
	}
	sum := sha256.Sum256(text)
	names := checkpoints(dir)
	for _, old := range names[min(kept, len(names)):] {
		if err := os.Remove(filepath.Join(dir, old)); err != nil {
			return c, fmt.Errorf("remove old checkpoint: %w", err)
		}
	}
	return trainerplugin.Checkpoint{
		Step: s.Step, File: name, Digest: "sha256:" + hex.EncodeToString(sum[:]), Bytes: int64(len(text)),
	}, nil
}

// writeDurably writes to another name first, so that a crash leaves no part.
func writeDurably(dir, name string, text []byte) error {
	tmp := filepath.Join(dir, name+".tmp")
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, name))
}

// checkpoints lists dir's checkpoints, newest first.
func checkpoints(dir string) []string {
	entries, _ := os.ReadDir(dir) // a folder that is not there has none
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) {
			names = append(names, e.Name())
		}
	}
	slices.Reverse(names)
	return names
}

// newest returns the newest whole checkpoint of the trial and its file name,
// "" if there is none, and why newer ones were passed over.
func newest(dir string, id sweep.TrialID) (s state, file string, passed []string) {
	for _, name := range checkpoints(dir) {
		s, err := load(filepath.Join(dir, name), id)
		if err == nil {
			return s, name, passed
		}
		passed = append(passed, fmt.Sprintf("%s: %v", name, err))
	}
	return state{}, "", passed
}

func load(path string, id sweep.TrialID) (state, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return state{}, err
	}
	var s state
	switch err := json.Unmarshal(text, &s); {
	case err != nil:
		return state{}, fmt.Errorf("damaged: %w", err)
	case s.Sum != s.sum():
		return state{}, fmt.Errorf("damaged: its content does not match its sum")
	case s.Trial != id:
		return state{}, fmt.Errorf("it is of trial %s", s.Trial)
	}
	return s, nil
}
