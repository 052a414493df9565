//go:build unix

package trainertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"sweep"
	"sweep/trainerplugin"
)

// flushed is long enough for an event to be on its way before the process that
// sent it freezes.
const flushed = 100 * time.Millisecond

// serveFrozen serves a trainer that starts and then stops its own process, as
// a wedged GPU driver does.
func serveFrozen() {
	trainerplugin.Serve(misbehaving{train: func(_ context.Context, _ trainerplugin.Job, report func(trainerplugin.Event) error) (sweep.Outcome, error) {
		if err := report(trainerplugin.Started{NoiseID: "freeze"}); err != nil {
			return sweep.Outcome{}, err
		}
		time.Sleep(flushed)
		if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
			return sweep.Outcome{}, err
		}
		<-make(chan struct{})
		return sweep.Outcome{}, nil
	}})
}

// serveForked serves an honest trainer that ignores SIGTERM and has started,
// as data loaders do, a child in a session of its own, and one that has lost
// its parent. Both hold its standard error open.
func serveForked() {
	signal.Ignore(syscall.SIGTERM)
	cmd := exec.Command("sh", "-c", "trap '' TERM; (sleep 600 &); sleep 600")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	trainerplugin.Serve(Fake{})
}

// serveLeaking serves a trainer that starts and then takes memory until it gets
// no more. A limit of its own stands in for that of the machine.
func serveLeaking() {
	trainerplugin.Serve(misbehaving{train: func(_ context.Context, _ trainerplugin.Job, report func(trainerplugin.Event) error) (sweep.Outcome, error) {
		if err := report(trainerplugin.Started{NoiseID: "leak"}); err != nil {
			return sweep.Outcome{}, err
		}
		time.Sleep(flushed)
		limit := syscall.Rlimit{Cur: 8 << 30, Max: 8 << 30}
		if err := syscall.Setrlimit(syscall.RLIMIT_AS, &limit); err != nil {
			return sweep.Outcome{}, err
		}
		var all [][]byte
		for {
			all = append(all, make([]byte, 1<<30)) // never touched: it costs no real memory
			runtime.KeepAlive(all)
		}
	}})
}
