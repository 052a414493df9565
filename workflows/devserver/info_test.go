package devserver

import (
	"context"
	"errors"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// held locks a folder as a server that is starting does.
func held(t *testing.T, dir string) (unlock func() error) {
	t.Helper()
	unlock, err := lockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return unlock
}

func TestRunningKnowsEachState(t *testing.T) {
	dir := t.TempDir()
	mine := Info{Address: "127.0.0.1:1", Identity: Identity("server"), PID: os.Getpid()}
	dead := mine
	dead.Identity = deadIdentity(t)
	want := func(when string, want error) {
		t.Helper()
		if _, err := Running(dir); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", when, err, want)
		}
	}
	want("never used", ErrNotRunning)
	unlock := held(t, dir)
	want("locked, nothing announced", ErrNotReady)
	must(t, writeInfo(dir, dead))
	want("locked, a dead predecessor's announcement", ErrNotReady)
	must(t, writeInfo(dir, mine))
	want("announced", nil)
	must(t, os.WriteFile(infoFile(dir), []byte("{"), 0o600))
	if _, err := Running(dir); err == nil {
		t.Error("half an announcement was taken for one")
	}
	must(t, writeInfo(dir, mine))
	must(t, unlock())
	want("killed", ErrNotRunning)
}

func TestWaitRunning(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(dir string, unlock func() error) error
		want error
	}{
		"until it is ready": {func(dir string, _ func() error) error {
			return writeInfo(dir, Info{Identity: Identity("server")})
		}, nil},
		"until it is gone": {func(_ string, unlock func() error) error { return unlock() }, ErrNotRunning},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				unlock := held(t, dir)
				defer unlock()
				go func() {
					time.Sleep(time.Minute)
					c.end(dir, unlock)
				}()
				begin := time.Now()
				if _, err := WaitRunning(t.Context(), dir); !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
				if waited := time.Since(begin); waited < time.Minute || waited > time.Minute+time.Second {
					t.Errorf("waited %v, want a minute", waited)
				}
			})
		})
	}
}

func TestWaitRunningEndsWithContext(t *testing.T) {
	dir := t.TempDir()
	unlock := held(t, dir)
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := WaitRunning(ctx, dir); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
}

func TestLockOutlivesItsReferences(t *testing.T) {
	dir := t.TempDir()
	held(t, dir)
	for range 5 {
		runtime.GC() // finalizers and cleanups run after it
		time.Sleep(time.Millisecond)
	}
	if locked, err := folderLocked(dir); !locked || err != nil {
		t.Errorf("locked: %v, %v; want it held until the process ends", locked, err)
	}
}

// A probe holds the lock for an instant, which must not look like a server.
func TestProbesDoNotBlockAStart(t *testing.T) {
	dir := t.TempDir()
	unlock := held(t, dir)
	must(t, unlock())
	stop := make(chan struct{})
	probing := make(chan error)
	go func() {
		for {
			select {
			case <-stop:
				close(probing)
				return
			default:
				if _, err := folderLocked(dir); err != nil {
					probing <- err
					return
				}
			}
		}
	}()
	for range 200 {
		unlock, err := lockFolder(dir)
		if err != nil {
			t.Error(err)
			break
		}
		must(t, unlock())
	}
	close(stop)
	if err := <-probing; err != nil {
		t.Error(err)
	}
}
