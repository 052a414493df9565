package spool

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sweep"
	"sweep/trainerplugin"
)

// A Vault keeps a private selection while it is under way: which trials were
// drawn, and what those that have ended came to, each sealed with AES-256-GCM
// under a key that lies beside them (mode 0600) and goes when the selection is
// decided. A copy of a sealed file that outlives the key tells nothing.
//
//	ROOT/<slot>/selection/key             made once
//	ROOT/<slot>/selection/draw            made once
//	ROOT/<slot>/selection/<trial>/end     made once for each trial that has ended
//	ROOT/<slot>/selection/<trial>/…       as in a spool, while the trial runs
//	ROOT/<slot>/win.json                  the best trial, in the clear, once it is decided
//
// Any number of attempts may have it open: what is made once is made by the
// first, and the others find it.
type Vault struct {
	folder Folder
	seal   cipher.AEAD
	drawn  []Drawn
	name   string
}

// A Drawn trial is one of those that a private selection runs.
type Drawn struct {
	Params sweep.Params `json:"params"`
	Label  string       `json:"label"` // what varies in its sweep, for people
}

// An End is how a drawn trial ended.
type End struct {
	Outcome *sweep.Outcome `json:"outcome"` // nil if it failed for good
	Test    []sweep.Metric `json:"test"`    // its test figure, if one was measured
}

// ErrNoDraw says that no draw was made, or that it is gone.
var ErrNoDraw = errors.New("no trials are drawn for the private selection")

// CreateVault opens the vault of the slot's private selection. If it has none, the
// trials are drawn.
func (f Folder) CreateVault(slot sweep.TrialID, draw func() ([]Drawn, error)) (*Vault, error) {
	v, err := f.OpenVault(slot)
	if !errors.Is(err, ErrNoDraw) {
		return v, err
	}
	trials, err := draw()
	if err != nil {
		return nil, err
	}
	v, err = f.vault(slot)
	if err != nil {
		return nil, err
	}
	if err := v.put("draw", trials, sealedDraw); err != nil {
		return nil, err
	}
	return f.OpenVault(slot)
}

// OpenVault opens the vault of the slot's private selection. The error wraps
// [ErrNoDraw] if it has none.
func (f Folder) OpenVault(slot sweep.TrialID) (*Vault, error) {
	sealed, err := os.ReadFile(filepath.Join(f.selection(slot), "draw"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("selection %s: %w", slot, ErrNoDraw)
	}
	if err != nil {
		return nil, err
	}
	v, err := f.vault(slot)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(sealed)
	v.name = "draw:" + hex.EncodeToString(sum[:10])
	return v, v.unseal("draw", sealed, &v.drawn)
}

func (f Folder) selection(slot sweep.TrialID) string {
	return filepath.Join(f.Trial(slot), "selection")
}

// vault makes the folder and the key, or finds them.
func (f Folder) vault(slot sweep.TrialID) (*Vault, error) {
	dir := f.selection(slot)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	path := filepath.Join(dir, "key")
	fresh := make([]byte, 32)
	if _, err := rand.Read(fresh); err != nil {
		return nil, err
	}
	if err := writeOnce(path, fresh); err != nil {
		return nil, err
	}
	key, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	seal, err := cipher.NewGCM(block)
	return &Vault{folder: Folder(dir), seal: seal}, err
}

// Name is the draw's public name. It tells nothing of it.
func (v *Vault) Name() string { return v.name }

// Drawn are the trials to run.
func (v *Vault) Drawn() []Drawn { return v.drawn }

// Folder is where drawn trials leave their files while they run.
func (v *Vault) Folder() Folder { return v.folder }

// Close seals how a drawn trial ended, and removes all else that it has left but
// weights that may have to be kept. Of two endings the first stands.
func (v *Vault) Close(trial sweep.TrialID, e End) error {
	if err := os.Mkdir(v.folder.Trial(trial), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := v.put(endOf(trial), e, sealedEnd); err != nil {
		return err
	}
	return v.folder.remove(trial, "attempt-*", ".*.tmp*", "report-*.jsonl", "checkpoints")
}

// Ended says how a drawn trial ended, if it has.
func (v *Vault) Ended(trial sweep.TrialID) (e End, ended bool, err error) {
	sealed, err := os.ReadFile(filepath.Join(string(v.folder), endOf(trial)))
	if errors.Is(err, fs.ErrNotExist) {
		return e, false, nil
	}
	if err != nil {
		return e, false, err
	}
	return e, true, v.unseal(endOf(trial), sealed, &e)
}

func endOf(trial sweep.TrialID) string { return filepath.Join(string(trial), "end") }

// How long what is sealed is at least. Lengths are powers of 2, so that that of a
// draw tells little of its number of trials, and that of an end nothing.
const (
	sealedDraw = 1 << 16
	sealedEnd  = 1 << 12
)

// put seals x under a name, once.
func (v *Vault) put(name string, x any, size int) error {
	text, err := json.Marshal(x)
	if err != nil {
		return err
	}
	for size < len(text) {
		size *= 2
	}
	for len(text) < size {
		text = append(text, ' ')
	}
	nonce := make([]byte, v.seal.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return err
	}
	return writeOnce(filepath.Join(string(v.folder), name), v.seal.Seal(nonce, nonce, text, []byte(name)))
}

func (v *Vault) unseal(name string, sealed []byte, x any) error {
	n := v.seal.NonceSize()
	if len(sealed) < n {
		return fmt.Errorf("%s/%s is cut short", v.folder, name)
	}
	text, err := v.seal.Open(nil, sealed[:n], sealed[n:], []byte(name))
	if err == nil {
		err = json.Unmarshal(text, x)
	}
	if err != nil {
		return fmt.Errorf("%s/%s is damaged, or its key is: %w", v.folder, name, err)
	}
	return nil
}

// A decision is what is left of a private selection.
type decision struct {
	Win *sweep.Win `json:"win"` // nil if no drawn trial came to a result
}

// Decide leaves the best trial for the record, with its weights where they were
// kept, and destroys the key and all that the others have left. win is nil if no
// drawn trial came to a result. What it decided survives a power cut.
func (f Folder) Decide(ref sweep.AttemptRef, win *sweep.Win) error {
	if win != nil {
		if err := f.takeWeights(ref, win.Params.ID()); err != nil {
			return err
		}
	}
	text, err := json.Marshal(decision{win})
	if err != nil {
		return err
	}
	if err := writeDurably(f.win(ref.Trial), text); err != nil {
		return err
	}
	return f.Destroy(ref.Trial)
}

// takeWeights takes the kept weights of a drawn trial, if there are any, for
// those of its selection.
func (f Folder) takeWeights(ref sweep.AttemptRef, winner sweep.TrialID) error {
	kept, err := keptWeights(filepath.Join(f.selection(ref.Trial), string(winner)))
	if err != nil || kept == "" {
		return err // an attempt that died over it may have taken them
	}
	return os.Rename(kept, f.weights(ref))
}

// keptWeights is the file of weights in dir, whichever attempt left it; "" if
// there is none.
func keptWeights(dir string) (path string, err error) {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	for _, file := range files {
		if kept, err := filepath.Match("weights-*", file.Name()); err != nil || kept {
			return filepath.Join(dir, file.Name()), err
		}
	}
	return "", nil
}

// Win is the best trial of a selection that is decided, nil if none came to a result.
func (f Folder) Win(slot sweep.TrialID) (win *sweep.Win, decided bool, err error) {
	text, err := os.ReadFile(f.win(slot))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	var d decision
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, false, fmt.Errorf("%s: %w", f.win(slot), err)
	}
	return d.Win, true, nil
}

func (f Folder) win(slot sweep.TrialID) string { return filepath.Join(f.Trial(slot), "win.json") }

// Destroy removes the vault of a selection that is decided, the key first.
func (f Folder) Destroy(slot sweep.TrialID) error {
	err := os.Remove(filepath.Join(f.selection(slot), "key"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, os.RemoveAll(f.selection(slot)))
}

// Released clears away what the record has taken over of a decided selection, and
// gives weights that were to be kept their place in the winner's own folder.
func (f Folder) Released(ref sweep.AttemptRef, winner sweep.TrialID) error {
	kept, err := keptWeights(f.Trial(ref.Trial)) // another attempt may have decided than the one that is recorded
	if err != nil {
		return err
	}
	if kept != "" {
		if err := os.Mkdir(f.Trial(winner), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := os.Rename(kept, filepath.Join(f.Trial(winner), trainerplugin.WeightsFile)); err != nil {
			return err
		}
	}
	return f.Tidy(ref.Trial)
}

// Undecided reports whether the slot's private selection has drawn its trials
// and is not decided: what it has left is not to be cleared away.
func (f Folder) Undecided(slot sweep.TrialID) (bool, error) {
	_, decided, err := f.Win(slot)
	if err != nil || decided {
		return false, err
	}
	_, err = os.Stat(f.selection(slot))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// NextAttempt is a number that no attempt at the trial has had.
func (f Folder) NextAttempt(ref sweep.AttemptRef) int {
	for ref.Number = 1; ; ref.Number++ {
		if _, err := os.Stat(f.report(ref)); errors.Is(err, fs.ErrNotExist) {
			return ref.Number
		}
	}
}

// Whole are the checkpoints that earlier attempts have reported, and that nobody
// has found to be of no use.
func (f Folder) Whole(ref sweep.AttemptRef) ([]sweep.CheckpointRef, error) {
	type name struct {
		attempt int
		file    string
	}
	found, flawed := map[name]sweep.CheckpointRef{}, map[name]bool{}
	last := ref.Number
	for ref.Number = 1; ref.Number < last; ref.Number++ {
		for from := int64(0); ; {
			r, err := f.Read(ref, from)
			if err != nil {
				return nil, err
			}
			if r.Offset == from {
				break
			}
			from = r.Offset
			for _, c := range r.Checkpoints {
				found[name{c.Attempt, c.File}] = c
			}
			for _, x := range r.Flaws {
				flawed[name{x.Checkpoint.Attempt, x.Checkpoint.File}] = true
			}
		}
	}
	var all []sweep.CheckpointRef
	for n, c := range found {
		if !flawed[n] {
			all = append(all, c)
		}
	}
	return sweep.KeptCheckpoints(all), nil
}

// writeOnce writes a file that is whole and durable, unless there is one.
func writeOnce(path string, text []byte) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".once-*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(tmp.Name())) }()
	_, err = tmp.Write(text)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(filepath.Dir(path))
}
