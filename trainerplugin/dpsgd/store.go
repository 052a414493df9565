package dpsgd

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sweep/trainerplugin"
)

const checkpointPattern = "step-*.ckpt"

// unfinished are names of files that are being written, or were when the
// process died: checkpoints and kept weights.
var unfinished = []string{".step-*.tmp", "." + trainerplugin.WeightsFile + "-*.tmp"}

// A store is the folder of one trial's checkpoints.
type store struct {
	dir   string
	id    identity
	steps int // T: no checkpoint holds a later step
	last  int // step of the last checkpoint that was loaded or saved; -1 before there is one
}

// openStore prepares dir, and removes what a killed attempt left half-written.
func openStore(dir string, id identity, steps int) (*store, error) {
	if dir == "" {
		return nil, errors.New("open checkpoints: the job names no folder for them")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open checkpoints: %w", err)
	}
	if err := removeUnfinished(dir); err != nil {
		return nil, fmt.Errorf("open checkpoints: %w", err)
	}
	return &store{dir, id, steps, -1}, nil
}

// load returns the newest checkpoint that is whole and this trial's own, and
// its file name; nil if there is none. The notes tell of those passed over.
func (s *store) load() (*state, string, []trainerplugin.Note, error) {
	names, err := matching(s.dir, checkpointPattern)
	if err != nil {
		return nil, "", nil, fmt.Errorf("find checkpoints: %w", err)
	}
	var notes []trainerplugin.Note
	for _, name := range slices.Backward(names) { // step-%09d sorts by step
		found, err := s.read(name)
		if err == nil {
			s.last = found.step
			return found, name, notes, nil
		}
		notes = append(notes, trainerplugin.Note{Text: fmt.Sprintf("checkpoint %s passed over: %v", name, err)})
	}
	return nil, "", notes, nil
}

func (s *store) read(name string) (*state, error) {
	f, err := os.Open(filepath.Join(s.dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() < sha256.Size {
		return nil, fmt.Errorf("it is no checkpoint: %v of %d bytes", info.Mode(), info.Size())
	}
	if err := verify(f, info.Size()); err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	found, err := decode(bufio.NewReader(f), s.id)
	if err == nil && (checkpointName(found.step) != name || found.step > s.steps) {
		err = fmt.Errorf("it holds step %d, by the name of %s, of a trial of %d steps", found.step, name, s.steps)
	}
	return found, err
}

// save writes st durably: whoever finds the file finds it whole. Then it removes
// the checkpoints older than the one before. One that cannot be removed does no
// harm: it is tried again after the next, and goes with the folder.
func (s *store) save(st *state) (trainerplugin.Checkpoint, error) {
	c := trainerplugin.Checkpoint{Step: st.step, File: checkpointName(st.step)}
	err := writeFile(s.dir, c.File, func(w io.Writer) (err error) {
		c.Digest, err = encode(w, s.id, st)
		return err
	})
	if err != nil {
		return c, fmt.Errorf("save checkpoint: %w", err)
	}
	info, err := os.Stat(filepath.Join(s.dir, c.File))
	if err != nil {
		return c, fmt.Errorf("save checkpoint: %w", err)
	}
	c.Bytes = info.Size()
	before := s.last
	s.last = st.step
	if before >= 0 && before < st.step {
		_ = s.removeBefore(before)
	}
	return c, nil
}

// removeBefore removes the checkpoints of steps before the given one. Damaged
// ones of later steps stay until training has passed them.
func (s *store) removeBefore(step int) error {
	return removeMatching(s.dir, checkpointPattern, func(name string) bool { return name < checkpointName(step) })
}

func removeUnfinished(dir string) (err error) {
	for _, pattern := range unfinished {
		err = errors.Join(err, removeMatching(dir, pattern, func(string) bool { return true }))
	}
	return err
}

func checkpointName(step int) string { return fmt.Sprintf("step-%09d.ckpt", step) }

// matching returns the names in dir that match pattern, in order.
func matching(dir, pattern string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if ok, _ := filepath.Match(pattern, e.Name()); ok { // the patterns are constants and valid
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// removeMatching removes the files that match pattern and that unwanted names.
func removeMatching(dir, pattern string, unwanted func(name string) bool) error {
	names, err := matching(dir, pattern)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, name := range names {
		if !unwanted(name) {
			continue
		}
		if e := os.Remove(filepath.Join(dir, name)); !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// writeFile creates name in dir with mode 0600 such that, even if the machine
// loses power, the name stands for nothing, for what it stood for before, or
// for the whole new file.
func writeFile(dir, name string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(dir, "."+strings.TrimSuffix(name, ".ckpt")+"-*.tmp") // mode 0600
	if err != nil {
		return err
	}
	err = writeDurably(f, write)
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what stays is removed when the folder is next opened
		return err
	}
	return syncFolder(dir)
}

// writeDurably fills f, waits for the disk and closes f. The first error is the
// one that says what happened.
func writeDurably(f *os.File, write func(io.Writer) error) error {
	buf := bufio.NewWriterSize(f, 1<<18)
	err := write(buf)
	if err == nil {
		err = buf.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// syncFolder makes the names in dir durable.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
