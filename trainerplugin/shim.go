package trainerplugin

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
)

// The exit statuses of a shim beside its trainer's own, as in shells.
const (
	exitUsage    = 2
	exitNotFound = 127
	exitSignal   = 128 // plus the signal's number
)

// quickStart is set to "off" for the start of a shim, and not for its trainer. A
// program as large as sweep otherwise collects garbage while its packages
// initialise: a quarter of the time that a shim takes to start.
const quickStart = "GOGC"

// A shim is a small process between host and trainer. It has one purpose: when
// the host is gone, however it went, nothing that the trainer started is left.
type shim struct {
	lifeline *os.File // reads end of file when the host is gone or wants an end
	program  *os.File // the verified file, or nil
	at       int      // which element of command it is
	remove   string   // folder of the trainer's socket
	command  []string
}

// RunShim is the main function of the process between a host and its trainer,
// given the arguments that [Launch] appends to [LaunchOptions.Shim]. It
// returns the exit status: the trainer's, or 128 and the number of the signal
// that killed it.
func RunShim(args []string) int {
	if os.Getenv(quickStart) == "off" {
		_ = os.Unsetenv(quickStart)
	}
	debug.SetGCPercent(400) // it may never need to collect
	NoCores()
	s, err := parseShim(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "sweep: trainer shim: %v\n", err)
		return exitUsage
	}
	status := s.run()
	if s.remove != "" {
		_ = os.RemoveAll(s.remove) // the host removes it too, if it still can
	}
	return status
}

func parseShim(args []string) (*shim, error) {
	flags := flag.NewFlagSet("shim", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	lifeline := flags.Uint("lifeline", 0, "descriptor that ends with the host")
	program := flags.Uint("program", 0, "descriptor of the verified file")
	s := &shim{}
	flags.IntVar(&s.at, "at", 0, "element of the command that is the verified file")
	flags.StringVar(&s.remove, "remove", "", "folder to remove at the end")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	s.command = flags.Args()
	if *lifeline == 0 || len(s.command) == 0 {
		return nil, errors.New("this command is sweep's own: it starts trainers through it")
	}
	if s.at < 0 || s.at >= len(s.command) {
		return nil, fmt.Errorf("element %d of a command of %d", s.at, len(s.command))
	}
	s.lifeline = inheritedFile(*lifeline, "lifeline")
	if *program != 0 {
		s.program = inheritedFile(*program, s.command[s.at])
	}
	return s, nil
}

// inheritedFile is a descriptor that came with the process; the trainer gets
// it only where that is asked for.
func inheritedFile(fd uint, name string) *os.File {
	closeOnExec(int(fd))
	return os.NewFile(uintptr(fd), name)
}

// resolved is the command and the files that the trainer inherits: the
// verified file stands in it as the path of its descriptor there.
func (s *shim) resolved() (path string, argv []string, files []*os.File) {
	argv = append(argv, s.command...)
	path = argv[0]
	files = []*os.File{nil, os.Stdout, os.Stderr}
	if s.program == nil || !runsDescriptors {
		return path, argv, files
	}
	byFD := "/proc/self/fd/" + strconv.Itoa(len(files))
	if s.at == 0 {
		path = byFD
	} else {
		argv[s.at] = byFD
	}
	return path, argv, append(files, s.program)
}

// awaitHost returns when the lifeline ends.
func (s *shim) awaitHost() {
	_, _ = io.Copy(io.Discard, s.lifeline)
}
