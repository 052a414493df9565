package workflows

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Devices are what one worker has for training: GPUs, shared whole or in parts,
// and CPU threads, divided evenly among the trials that run at once.
type Devices struct {
	threads int // for each trial

	mu      sync.Mutex
	names   []string
	free    []float64 // share of names[i] that is free; 0 to 1
	changed chan struct{}
}

// NewDevices returns a worker's devices: gpus as CUDA_VISIBLE_DEVICES names
// them (none on a CPU worker), and threads for each of the trials run at once.
func NewDevices(gpus []string, threadsPerTrial int) *Devices {
	free := make([]float64, len(gpus))
	for i := range free {
		free[i] = 1
	}
	return &Devices{threads: max(1, threadsPerTrial), names: gpus, free: free, changed: make(chan struct{})}
}

// Threads is how many CPU threads a trial may use.
func (d *Devices) Threads() int { return d.threads }

// Acquire waits for need devices: a whole number of them, or a share of one
// below 1. On a worker without GPUs it returns none at once. The caller calls
// release when it is done.
func (d *Devices) Acquire(ctx context.Context, need float64) (names []string, release func(), err error) {
	if len(d.names) == 0 || need <= 0 {
		return nil, func() {}, nil
	}
	if int(need+0.999) > len(d.names) {
		return nil, nil, fmt.Errorf("the trial needs %g GPUs and this worker has %d", need, len(d.names))
	}
	for {
		d.mu.Lock()
		taken, wait := d.take(need), d.changed
		d.mu.Unlock()
		if taken != nil {
			for _, i := range taken {
				names = append(names, d.names[i])
			}
			return names, sync.OnceFunc(func() { d.give(taken, min(need, 1)) }), nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
}

// take reserves devices and returns their indices, nil if too few are free. A
// share goes to the fullest device that has room, so that whole ones stay whole.
func (d *Devices) take(need float64) []int {
	if need < 1 {
		best := -1
		for i, f := range d.free {
			if f >= need-1e-9 && (best < 0 || f < d.free[best]) {
				best = i
			}
		}
		if best < 0 {
			return nil
		}
		d.free[best] -= need
		return []int{best}
	}
	var whole []int
	for i, f := range d.free {
		if f > 1-1e-9 && len(whole) < int(need) {
			whole = append(whole, i)
		}
	}
	if len(whole) < int(need) {
		return nil
	}
	for _, i := range whole {
		d.free[i] = 0
	}
	return slices.Clip(whole)
}

func (d *Devices) give(taken []int, share float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, i := range taken {
		d.free[i] = min(1, d.free[i]+share)
	}
	close(d.changed)
	d.changed = make(chan struct{})
}
