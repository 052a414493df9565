package trainerplugin

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// runsDescriptors says that an open file can be executed through /proc.
const runsDescriptors = true

func closeOnExec(fd int) { syscall.CloseOnExec(fd) }

// run starts the trainer and stays until it and all its descendants are gone.
//
// Three things work together. The shim is the subreaper of its descendants, so
// that one that leaves its session or loses its parent is found among the
// shim's children. The lifeline tells it that the host is gone: the kernel
// closes the host's end whatever happened to it. And if the shim itself is
// killed, the trainer gets SIGKILL as its parent-death signal.
//
// The shim wants no parent-death signal for itself: that would come when the
// host's thread ends that started it, and Go ends threads at will.
func (s *shim) run() int {
	// The trainer's parent-death signal is bound to this thread.
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fmt.Fprintf(os.Stderr, "sweep: trainer shim: become subreaper: %v\n", err)
		return exitNotFound
	}
	// Batch systems signal all processes of a job; this one goes when its
	// host says so.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	syscall.Umask(0o077) // the trainer's socket and files are its user's alone
	pid, err := s.start()
	if err != nil {
		fmt.Fprintf(os.Stderr, "sweep: start %s: %v\n", s.command[0], err)
		return exitNotFound
	}
	hostGone := make(chan struct{})
	go func() {
		s.awaitHost()
		close(hostGone)
	}()
	status, ended := reap(pid)
	select {
	case <-hostGone:
		kill(ended)
		return exitSignal + int(syscall.SIGKILL)
	case st := <-status:
		kill(ended)
		return st
	}
}

func (s *shim) start() (int, error) {
	path, argv, files := s.resolved()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	fds := []uintptr{null.Fd()}
	for _, f := range files[1:] {
		fds = append(fds, f.Fd())
	}
	pid, err := syscall.ForkExec(path, argv, &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: fds,
		Sys:   &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL},
	})
	if err == nil {
		// Where memory runs out, the kernel should take the trainer and not
		// the worker. Without the right to say so it chooses by size.
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("500"), 0)
	}
	return pid, err
}

// reap collects the shim's children as they end, adopted ones included. status
// gets that of the trainer; ended closes when no descendant is left.
func reap(trainer int) (status chan int, ended chan struct{}) {
	status, ended = make(chan int, 1), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			var ws syscall.WaitStatus
			pid, err := syscall.Wait4(-1, &ws, 0, nil)
			switch {
			case err == syscall.EINTR:
			case err != nil:
				return // ECHILD: none is left
			case pid == trainer && ws.Signaled():
				status <- exitSignal + int(ws.Signal())
			case pid == trainer:
				status <- ws.ExitStatus()
			}
		}
	}()
	return status, ended
}

// killLimit is how long the shim goes on killing. Only a process that the
// kernel holds (in a GPU driver, say) survives it, and nothing can help that.
const killLimit = 4 * time.Second

// kill ends all descendants. They are first stopped, so that none forks while
// the others are looked for.
func kill(ended chan struct{}) {
	for limit := time.Now().Add(killLimit); time.Now().Before(limit); {
		for stopped := map[int]bool{}; ; {
			n := len(stopped)
			for _, pid := range descendants(os.Getpid()) {
				if !stopped[pid] {
					_ = syscall.Kill(pid, syscall.SIGSTOP)
					stopped[pid] = true
				}
			}
			if len(stopped) == n {
				break
			}
		}
		for _, pid := range descendants(os.Getpid()) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		select {
		case <-ended:
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}
