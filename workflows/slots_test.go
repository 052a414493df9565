package workflows

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
)

// permitInfo stands for the SDK's word on a permit.
type permitInfo struct {
	worker.SlotReleaseInfo
	permit *worker.SlotPermit
}

func (p permitInfo) Permit() *worker.SlotPermit { return p.permit }
func (p permitInfo) Logger() log.Logger         { return nil }

// brought is a question that brought a trial, which is then at the devices.
func brought(t *testing.T, s *slots, need float64) (end func()) {
	t.Helper()
	permit := s.TryReserveSlot(nil)
	if permit == nil {
		t.Fatal("no slot for a trial that has room")
	}
	s.MarkSlotUsed(permitInfo{permit: permit})
	_, release, err := s.devices.Acquire(t.Context(), need)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		release()
		s.ReleaseSlot(permitInfo{permit: permit})
	}
}

func TestSlotsFollowTheDevices(t *testing.T) {
	d := NewDevices([]string{"0", "1", "2", "3"}, 0, 1)
	s := &slots{devices: d}
	end2 := brought(t, s, 2)
	endHalf := brought(t, s, 0.5)
	// One GPU is whole, one half free: two questions at most.
	a, b := s.TryReserveSlot(nil), s.TryReserveSlot(nil)
	if a == nil || b == nil || s.TryReserveSlot(nil) != nil {
		t.Error("with room on two GPUs, want two slots and no third")
	}
	s.ReleaseSlot(permitInfo{permit: a})
	s.ReleaseSlot(permitInfo{permit: b})
	endWhole := brought(t, s, 1)
	endQuarter := brought(t, s, 0.25)
	endLast := brought(t, s, 0.25)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.ReserveSlot(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("all is taken: %v, want a wait", err)
	}
	got := make(chan error)
	go func() {
		_, err := s.ReserveSlot(t.Context(), nil)
		got <- err
	}()
	endHalf()
	if err := <-got; err != nil {
		t.Error(err)
	}
	for _, end := range []func(){end2, endWhole, endQuarter, endLast} {
		end()
	}
	if held, waiting := d.InUse(); held != 0 || waiting != 0 || d.taken != 0 {
		t.Errorf("%d held, %d waiting, %d taken after all have ended", held, waiting, d.taken)
	}
}

// A queue whose question is out for a minute must not starve another queue of
// the same worker; a trial that comes too many waits at the devices, and keeps
// further questions from being asked.
func TestQueuesShareDevices(t *testing.T) {
	d := NewDevices([]string{"0"}, 0, 1)
	idle, busy := &slots{devices: d}, &slots{devices: d}
	asked := idle.TryReserveSlot(nil)
	if asked == nil {
		t.Fatal("no slot on an idle worker")
	}
	end := brought(t, busy, 1)
	idle.MarkSlotUsed(permitInfo{permit: asked}) // answered after all
	started := make(chan func())
	go func() {
		_, release, err := d.Acquire(t.Context(), 1)
		if err != nil {
			t.Error(err)
		}
		started <- release
	}()
	for {
		if _, waiting := d.InUse(); waiting == 1 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	end()
	release := <-started
	if busy.TryReserveSlot(nil) != nil || idle.TryReserveSlot(nil) != nil {
		t.Error("a slot while the only GPU is taken")
	}
	release()
	idle.ReleaseSlot(permitInfo{permit: asked})
	if busy.TryReserveSlot(nil) == nil || idle.TryReserveSlot(nil) == nil {
		t.Error("no slot after all have ended")
	}
}

// A task that never reaches the devices, because its input cannot be read say,
// gives its slot back.
func TestSlotOfAFailedTaskReturns(t *testing.T) {
	s := &slots{devices: NewDevices(nil, 1, 1)}
	for range 3 {
		permit := s.TryReserveSlot(nil)
		if permit == nil {
			t.Fatal("the slot did not come back")
		}
		s.MarkSlotUsed(permitInfo{permit: permit})
		if s.TryReserveSlot(nil) != nil {
			t.Fatal("a second slot for the only place, while a trial is on its way")
		}
		s.ReleaseSlot(permitInfo{permit: permit})
	}
}

// A worker that shuts down lets attempts end by themselves for a while.
func TestDrainLetsTrialsFinish(t *testing.T) {
	stopping, hurry := make(chan struct{}), make(chan struct{})
	close(stopping)
	for _, c := range []struct {
		name   string
		d      drain
		before func()
		cause  error
	}{
		{"no time", drain{stopping, 0, nil}, nil, errDraining},
		{"an hour", drain{stopping, time.Hour, hurry}, nil, nil},
		{"an hour, cut short", drain{stopping, time.Hour, hurry}, func() { close(hurry) }, errDraining},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.before != nil {
				c.before()
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			go (&pulse{}).keep(ctx, cancel, func(context.Context, Beat) error { return nil }, c.d)
			wait := 5 * time.Second
			if c.cause == nil {
				wait = 30 * time.Millisecond
			}
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
			if got := context.Cause(ctx); got != c.cause {
				t.Errorf("told to end because of %v, want %v", got, c.cause)
			}
		})
	}
}
