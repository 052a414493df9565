//go:build unix

package trainerplugin

import (
	"os"
	"os/exec"
	"syscall"
)

// detach gives the process a group of its own: a Ctrl-C in the host's terminal
// is the host's to handle.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func resume(p *os.Process)    { _ = syscall.Kill(p.Pid, syscall.SIGCONT) }
func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }

// lockFile locks an open file or folder until it is closed, at the latest by the
// end of this process; it fails if another has it locked.
func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// killed tells a process that a signal ended from one that ended by itself.
func killed(s *os.ProcessState) bool {
	ws, ok := s.Sys().(syscall.WaitStatus)
	return ok && ws.Signaled()
}

func signalText(n int) string {
	s := syscall.Signal(n)
	if s == syscall.SIGKILL {
		return s.String() + " (SIGKILL; out of memory?)"
	}
	return s.String()
}
