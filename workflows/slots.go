package workflows

import (
	"context"

	"go.temporal.io/sdk/worker"
)

// slots lets one task queue's worker ask for a trial only while the devices
// have room for one, so that a trial does not wait on a busy machine while
// another machine is idle.
//
// The SDK reserves a slot before it asks the server, and an unanswered question
// holds it for a minute. If that took a device off the others, a queue with
// nothing to do would starve the rest; so several queues of one worker may
// each have a question out for the same device. If all are answered at once the
// trials that came too many, one for each further queue at most, wait here.
type slots struct {
	devices *Devices
	polling int // slots reserved for questions; guarded by devices.mu
}

// used marks a permit whose question brought a trial.
type used struct{}

func (s *slots) ReserveSlot(ctx context.Context, _ worker.SlotReservationInfo) (*worker.SlotPermit, error) {
	for {
		permit, changed := s.reserve()
		if permit != nil {
			return permit, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *slots) reserve() (*worker.SlotPermit, <-chan struct{}) {
	s.devices.mu.Lock()
	defer s.devices.mu.Unlock()
	if s.polling >= s.devices.room() {
		return nil, s.devices.changed
	}
	s.polling++
	return &worker.SlotPermit{}, nil
}

func (s *slots) TryReserveSlot(worker.SlotReservationInfo) *worker.SlotPermit {
	permit, _ := s.reserve()
	return permit
}

func (s *slots) MarkSlotUsed(info worker.SlotMarkUsedInfo) {
	s.devices.mu.Lock()
	defer s.devices.mu.Unlock()
	info.Permit().UserData = used{}
	s.polling--
	s.devices.taken++
	s.devices.tell()
}

func (s *slots) ReleaseSlot(info worker.SlotReleaseInfo) {
	s.devices.mu.Lock()
	defer s.devices.mu.Unlock()
	if info.Permit().UserData == (used{}) {
		s.devices.taken--
		s.devices.left = max(0, s.devices.left-1)
	} else {
		s.polling--
	}
	s.devices.tell()
}

func (s *slots) MaxSlots() int { return s.devices.Grow(0) }

// tuner makes s the source of a worker's activity slots. The worker has no
// other kind of task, but the SDK wants a supplier for each.
func (s *slots) tuner() (worker.WorkerTuner, error) {
	one, err := worker.NewFixedSizeSlotSupplier(1)
	if err != nil {
		return nil, err
	}
	return worker.NewCompositeTuner(worker.CompositeTunerOptions{
		ActivitySlotSupplier: s, WorkflowSlotSupplier: one, LocalActivitySlotSupplier: one,
		NexusSlotSupplier: one, SessionActivitySlotSupplier: one,
	})
}
