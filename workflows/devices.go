package workflows

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

// sharesPerGPU bounds the trials of a worker with GPUs that says no number:
// those that share a GPU in parts, and those that want none.
const sharesPerGPU = 8

// Devices are what one worker has for training: GPUs, shared whole or in parts,
// and CPU threads, divided evenly among the trials that run at once. All task
// queues of the worker draw on them; see [slots].
type Devices struct {
	threads int // for each trial
	atOnce  int // trials that may hold devices at the same time

	mu      sync.Mutex
	names   []string
	free    []float64 // share of names[i] that is free; 0 to 1
	held    int       // trials that have their devices
	waiting int       // trials that wait for theirs
	taken   int       // trials that came from a task queue and have not gone
	left    int       // those of them that have given their devices back
	ahead   int       // trials that may come before there is room, and get ready
	changed chan struct{}
}

// shortTrial is a trial that feels the time between two: what it takes to ask
// the server for the next one, and to start its trainer.
const shortTrial = time.Minute

// NewDevices returns a worker's devices: gpus as CUDA_VISIBLE_DEVICES names
// them (none on a CPU worker), the number of trials that may run at once (0 is
// as many as the GPUs have room for, or one without GPUs), and threads for each.
func NewDevices(gpus []string, atOnce, threadsPerTrial int) *Devices {
	free := make([]float64, len(gpus))
	for i := range free {
		free[i] = 1
	}
	if atOnce <= 0 {
		atOnce = max(1, sharesPerGPU*len(gpus))
	}
	return &Devices{threads: max(1, threadsPerTrial), atOnce: atOnce, names: gpus, free: free, changed: make(chan struct{})}
}

// Threads is how many CPU threads a trial may use.
func (d *Devices) Threads() int { return d.threads }

// Grow lets at least so many trials run at once on a worker without GPUs, and
// returns how many may.
func (d *Devices) Grow(atOnce int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.names) == 0 && atOnce > d.atOnce {
		d.atOnce = atOnce
		d.tell()
	}
	return d.atOnce
}

// InUse is how many trials have their devices, and how many wait for theirs.
func (d *Devices) InUse() (held, waiting int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.held, d.waiting
}

// Acquire waits for need devices: a whole number of them, or a share of one
// below 1. On a worker without GPUs, or for a trial that needs none, it waits
// for room alone and returns no names. The caller calls release when it is done.
func (d *Devices) Acquire(ctx context.Context, need float64) (names []string, release func(), err error) {
	if len(d.names) == 0 {
		need = 0
	}
	if int(math.Ceil(need)) > len(d.names) {
		return nil, nil, fmt.Errorf("the trial needs %g GPUs and this worker has %d; give the sweep a queue that larger workers serve (run: {queue: NAME})", need, len(d.names))
	}
	d.mu.Lock()
	d.waiting++
	defer func() {
		d.waiting--
		d.tell()
		d.mu.Unlock()
	}()
	for {
		if taken, ok := d.take(need); ok {
			for _, i := range taken {
				names = append(names, d.names[i])
			}
			d.held++
			return names, sync.OnceFunc(func() { d.give(taken, min(need, 1)) }), nil
		}
		wait := d.changed
		d.mu.Unlock()
		select {
		case <-wait:
			err = nil
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		d.mu.Lock()
		if err != nil {
			return nil, nil, err
		}
	}
}

// take reserves devices and returns their indices, or reports that too few are
// free. A share goes to the fullest device that has room, so that whole ones
// stay whole.
func (d *Devices) take(need float64) (taken []int, ok bool) {
	switch {
	case d.held >= d.atOnce:
		return nil, false
	case need <= 0:
		return nil, true
	case need < 1:
		best := -1
		for i, f := range d.free {
			if f >= need-1e-9 && (best < 0 || f < d.free[best]) {
				best = i
			}
		}
		if best < 0 {
			return nil, false
		}
		d.free[best] -= need
		return []int{best}, true
	}
	var whole []int
	for i, f := range d.free {
		if f > 1-1e-9 && len(whole) < int(need) {
			whole = append(whole, i)
		}
	}
	if len(whole) < int(need) {
		return nil, false
	}
	for _, i := range whole {
		d.free[i] = 0
	}
	return slices.Clip(whole), true
}

// invite makes room for a trial that came from no task queue: one of those that a
// private selection runs on the slot it came with. The caller calls gone when the
// trial is.
func (d *Devices) invite() (gone func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.taken++
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.taken--
		d.left = max(0, d.left-1)
		d.tell()
	}
}

// stepAside leaves the devices to the trials that a private selection invites.
func (d *Devices) stepAside() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left++
	d.tell()
}

func (d *Devices) give(taken []int, share float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, i := range taken {
		d.free[i] = min(1, d.free[i]+share)
	}
	d.held--
	d.left++
	d.tell()
}

// Lasted notes how long a trial held its devices. While trials on the CPU are
// short the next ones come ahead of time and wait with their trainers started;
// where they are long, one that waited here could run elsewhere.
func (d *Devices) Lasted(t time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ahead = 0
	if t < shortTrial && len(d.names) == 0 {
		d.ahead = d.atOnce
	}
	d.tell()
}

// room is how many more trials could begin now, or soon where they are short,
// if each needs no more than what is free of one device. Those that wait, or
// are on their way here from a task queue, come first.
func (d *Devices) room() int {
	room := d.atOnce + d.ahead - d.held
	if len(d.names) > 0 {
		open := 0
		for _, f := range d.free {
			if f > 1e-9 {
				open++
			}
		}
		room = min(room, open)
	}
	arriving := max(0, d.taken-d.held-d.waiting-d.left)
	return room - d.waiting - arriving
}

// tell wakes all who wait for a change. The caller holds mu.
func (d *Devices) tell() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// A seat is one trial's claim to devices.
type seat struct {
	devices *Devices
	need    float64
	names   []string // of its GPUs
	leave   func()   // gives them back; nil until it has them
	since   time.Time
	ended   bool
}

// early waits for GPUs, which a trainer must know from its start. What else a
// trial needs it waits for only when it is ready to train.
func (s *seat) early(ctx context.Context) error {
	if s.need <= 0 || len(s.devices.names) == 0 {
		return nil
	}
	return s.take(ctx)
}

func (s *seat) take(ctx context.Context) (err error) {
	if s.leave == nil {
		s.names, s.leave, err = s.devices.Acquire(ctx, s.need)
		s.since = time.Now()
	}
	return err
}

// trained gives cores back as soon as the trainer has finished with them; a GPU
// is free when its process has ended.
func (s *seat) trained() {
	if len(s.names) == 0 {
		s.end()
	}
}

func (s *seat) end() {
	if s.leave == nil || s.ended {
		return
	}
	s.ended = true
	s.leave()
	s.devices.Lasted(time.Since(s.since))
}
