// Package faults breaks things on purpose, for tests: it finds the processes of
// one test among all others, and ends, stops and starves them.
package faults

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A Process is one that a test has started, itself or through others.
type Process struct {
	PID  int
	Args []string
}

// Runs reports whether one of the process's arguments is the given one.
func (p Process) Runs(arg string) bool { return slices.Contains(p.Args, arg) }

func (p Process) String() string { return fmt.Sprintf("%d (%s)", p.PID, strings.Join(p.Args, " ")) }

// Marked lists the processes with the given variable ("NAME=value") in their
// environment, which descendants inherit. Those that have ended and were not
// yet waited for are not among them.
func Marked(variable string) ([]Process, error) {
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil, err
	}
	var found []Process
	for _, file := range environs {
		env, err := os.ReadFile(file)
		if err != nil || !slices.ContainsFunc(bytes.Split(env, []byte{0}), func(v []byte) bool { return string(v) == variable }) {
			continue // another user's, or gone
		}
		dir := filepath.Dir(file)
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			return nil, err
		}
		command, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil {
			continue
		}
		found = append(found, Process{pid, strings.Split(strings.TrimSuffix(string(command), "\x00"), "\x00")})
	}
	return found, nil
}

// Signal sends a signal to the process, if it is still there.
func (p Process) Signal(s syscall.Signal) error {
	if err := syscall.Kill(p.PID, s); !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// Freeze stops the processes for a while, as a suspended machine does.
func Freeze(all []Process, while time.Duration) error {
	var errs error
	for _, p := range all {
		errs = errors.Join(errs, p.Signal(syscall.SIGSTOP))
	}
	time.Sleep(while)
	for _, p := range all {
		errs = errors.Join(errs, p.Signal(syscall.SIGCONT))
	}
	return errs
}

// Gone waits until no process with the variable in its environment is left, and
// returns those that are when the limit is over.
func Gone(variable string, limit time.Duration) ([]Process, error) {
	for deadline := time.Now().Add(limit); ; time.Sleep(50 * time.Millisecond) {
		left, err := Marked(variable)
		if err != nil || len(left) == 0 || time.Now().After(deadline) {
			return left, err
		}
	}
}
