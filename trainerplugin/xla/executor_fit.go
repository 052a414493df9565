package xla

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sweep"
	"sweep/trainerplugin"
	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/xla/pjrt"
)

// firstImages is how many images a microbatch has at first, views counted: about
// what it takes to keep a large GPU busy.
const firstImages = 2048

// prepare stages the images, finds a microbatch that fits and compiles the step
// for it. s is the state that will be loaded.
func (x *Executor) prepare(s dpsgd.State) (err error) {
	began, key := time.Now(), x.memoryKey()
	defer func() {
		x.took = time.Since(began)
		if err != nil {
			err = errors.Join(err, x.staged.Close())
		}
	}()
	microbatch, _, err := x.Needs()
	if err != nil {
		return err
	}
	for {
		c := x.at(microbatch)
		step, footprint, err := x.try(c, s)
		if err == nil {
			x.step, x.footprint, x.config = step, footprint, c
			x.memory.remember(key, c.Microbatch)
			return nil
		}
		switch {
		case !outOfMemory(err):
			return err
		case x.given > 1:
			return fmt.Errorf("%w: a microbatch of %d does not fit into the device's memory; try %d, or leave it out to have it found: %w",
				trainerplugin.ErrOutOfMemory, c.Microbatch, c.Microbatch/2, err)
		case c.Microbatch == 1:
			return refuse("not even one example at a time fits into the device's memory; take a smaller model, fewer views than %d, or a larger device: %w", c.Views, err)
		}
		microbatch = c.Microbatch / 2
	}
}

// guess is the microbatch to try first: what keeps the device busy, unless that
// is more than it can have room for.
func (x *Executor) guess() int {
	m, err := x.device.Memory()
	microbatch := powerBelow(max(1, min(firstImages/x.config.Views, x.params.Batch, x.config.Images)))
	for ; microbatch > 1 && err == nil && m.Limit > 0; microbatch /= 2 {
		if needs, err := x.at(microbatch).MemoryBytes(); err != nil || needs <= m.Limit {
			break
		}
	}
	return microbatch
}

// Needs is about what the trial takes of the device: the microbatch that would be
// tried first, and the memory in bytes. [Executor.Load] finds out.
func (x *Executor) Needs() (microbatch int, bytes int64, err error) {
	microbatch = x.given
	if microbatch == 0 {
		microbatch = x.memory.recall(x.memoryKey())
	}
	if microbatch == 0 {
		microbatch = x.guess()
	}
	if x.most > 0 && microbatch > x.most {
		microbatch = powerBelow(x.most)
	}
	c := x.at(microbatch)
	bytes, err = c.MemoryBytes()
	return c.Microbatch, bytes, err
}

// powerBelow is the largest power of two that is not above n, which is positive.
func powerBelow(n int) int {
	p := 1
	for p <= n/2 {
		p *= 2
	}
	return p
}

// try compiles the step of c and runs one microbatch of it on a copy of the
// state, without noise: what does not fit is found before a state depends on it.
func (x *Executor) try(c Config, s dpsgd.State) (step *compiled, f pjrt.Footprint, err error) {
	p, err := LowerStep(c)
	if err != nil {
		return nil, f, err
	}
	if step, err = x.device.compile(p); err != nil {
		return nil, f, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, step.Close())
			step = nil
		}
	}()
	if f, err = step.exec.Footprint(); err != nil && !unimplemented(err) {
		return step, f, err
	}
	if m, err := x.device.Memory(); err == nil && m.Limit > 0 && f.Total() > m.Limit {
		return step, f, &pjrt.Error{Call: "PJRT_Client_Compile", Code: pjrt.ResourceExhausted, Message: fmt.Sprintf(
			"the program takes %d MB and the device gives %d MB", f.Total()>>20, m.Limit>>20)}
	}
	if err := x.stage(x.staged, step, x.train); err != nil {
		return step, f, err
	}
	state := make(buffers)
	if err := x.fill(state, step, s); err != nil {
		return step, f, err
	}
	members := make([]int, c.Microbatch)
	out, _, err := x.call(step, state, &dpsgd.Update{Step: 1, Members: members, Batch: 1, Share1: 1, Share2: 1})
	return step, f, errors.Join(err, out.Close(), state.Close())
}

func unimplemented(err error) bool {
	e, ok := errors.AsType[*pjrt.Error](err)
	return ok && e.Code == pjrt.Unimplemented
}

// Memory remembers microbatches that were found, in a file that may be removed at
// any time. A nil Memory remembers nothing.
type Memory struct{ File string }

// UserMemory is the one in the user's folder for caches, nil if there is none.
func UserMemory() *Memory {
	dir, err := os.UserCacheDir()
	if err != nil {
		return nil
	}
	return &Memory{filepath.Join(dir, "sweep", "microbatches.json")}
}

// memoryKey names all that decides how large a microbatch may be.
func (x *Executor) memoryKey() string {
	limit := int64(-1)
	if m, err := x.device.Memory(); err == nil {
		limit = m.Limit
	}
	return sweep.Digest("microbatch", struct {
		Config  Config
		Layers  string
		Kind    string
		Limit   int64
		Version string
	}{withoutLayers(x.config), x.params.Layers, x.device.Kind, limit, Version(x.device.Plugin)})
}

// withoutLayers is c without what has no JSON form.
func withoutLayers(c Config) Config {
	c.Freeze = nil
	return c
}

// recall returns what was remembered under key, or 0. A file that cannot be read
// costs the search for a microbatch, not the trial.
func (m *Memory) recall(key string) int { return m.load()[key] }

func (m *Memory) load() map[string]int {
	all := make(map[string]int)
	if m == nil {
		return all
	}
	text, err := os.ReadFile(m.File)
	if err != nil || json.Unmarshal(text, &all) != nil {
		return make(map[string]int)
	}
	for key, n := range all {
		if n < 1 {
			delete(all, key)
		}
	}
	return all
}

// remember notes what was found. Two processes that do so at once may lose one
// of the notes, never the file.
func (m *Memory) remember(key string, microbatch int) {
	all := m.load()
	if m == nil || all[key] == microbatch {
		return
	}
	all[key] = microbatch
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return
	}
	if os.MkdirAll(filepath.Dir(m.File), 0o700) != nil {
		return
	}
	f, err := os.CreateTemp(filepath.Dir(m.File), ".microbatches-*")
	if err != nil {
		return
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), m.File)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
}
