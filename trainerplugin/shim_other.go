//go:build !linux

package trainerplugin

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// runsDescriptors: only Linux executes an open file by its path in /proc. Here
// the verified path is run, and a file exchanged between check and start goes
// unnoticed unless its content is found changed afterwards.
const runsDescriptors = false

func closeOnExec(int) {}

// run starts the trainer and kills it when the host is gone. Without Linux's
// subreaper, descendants that left the trainer's group are not found.
func (s *shim) run() int {
	path, argv, files := s.resolved()
	cmd := &exec.Cmd{Path: path, Args: argv, Stdout: files[1], Stderr: files[2]}
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(os.Stderr, "sweep: start %s: %v\n", s.command[0], err)
		return exitNotFound
	}
	go func() {
		s.awaitHost()
		_ = cmd.Process.Kill()
		killGroup(&os.Process{Pid: os.Getpid()}) // the shim leads the group
	}()
	err := cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() >= 0 {
		return exit.ExitCode()
	}
	if err != nil {
		return exitSignal + 9
	}
	return 0
}
