package workflows

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

func TestDevicesAreSharedAndReturned(t *testing.T) {
	d := NewDevices([]string{"0", "1", "2"}, 0, 4)
	take := func(need float64) ([]string, func()) {
		t.Helper()
		names, release, err := d.Acquire(t.Context(), need)
		if err != nil {
			t.Fatal(err)
		}
		return names, release
	}
	a, releaseA := take(0.5)
	b, releaseB := take(0.5)
	if !slices.Equal(a, b) {
		t.Errorf("halves on %v and %v; want one device filled before the next is broken", a, b)
	}
	two, releaseTwo := take(2)
	if len(two) != 2 || slices.Contains(two, a[0]) {
		t.Errorf("two whole devices: %v beside %v", two, a)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, _, err := d.Acquire(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("everything is taken: %v, want a wait", err)
	}
	got := make(chan []string)
	go func() {
		names, _, _ := d.Acquire(t.Context(), 1)
		got <- names
	}()
	releaseA()
	releaseA() // releasing twice gives nothing back twice
	select {
	case names := <-got:
		t.Errorf("got %v while half of it was taken", names)
	case <-time.After(20 * time.Millisecond):
	}
	releaseB()
	if names := <-got; !slices.Equal(names, a) {
		t.Errorf("got %v, want %v", names, a)
	}
	releaseTwo()
	if _, _, err := d.Acquire(t.Context(), 4); err == nil {
		t.Error("four of three devices: no error")
	}
	if names, _, err := NewDevices(nil, 1, 1).Acquire(t.Context(), 1); names != nil || err != nil {
		t.Errorf("on a worker without GPUs: %v, %v; want none at once", names, err)
	}
}
