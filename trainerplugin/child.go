package trainerplugin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	endWait   = 5 * time.Second        // for the shim to end the trainer and all that it started
	killWait  = 2 * time.Second        // for a process to be gone after SIGKILL
	drainWait = 500 * time.Millisecond // for output still in the pipes when the process is gone
)

// A child is the trainer's process behind its shim: what go-plugin calls a
// runner. It reads both output streams itself, so that what a trainer prints
// can neither stop it nor fill the host's memory.
type child struct {
	cmd      *exec.Cmd
	log      *lineLog
	lifeline *os.File // the writing end, held open while the trainer may live

	hello    *io.PipeReader // the first line of standard output
	greeting atomic.Value   // that line, as a string

	end   sync.Once
	asked atomic.Bool   // whether it is the host that ended it
	gone  chan struct{} // closed when the shim has exited and its output is read
	exit  error         // of the shim, once gone
	kills int64         // that the kernel had made for want of memory when it started
}

// newChild prepares the shim's command line: its own flags, then the program.
func newChild(o LaunchOptions, p *program, scratch string, log *lineLog) *child {
	args := append([]string(nil), o.Shim[1:]...)
	args = append(args, "-lifeline", "3", "-remove", scratch)
	if p.file != nil {
		args = append(args, "-program", "4", "-at", strconv.Itoa(p.at))
	}
	args = append(append(args, "--"), p.command...)
	cmd := exec.Command(o.Shim[0], args...)
	cmd.Dir = o.Dir
	detach(cmd)
	return &child{cmd: cmd, log: log, gone: make(chan struct{})}
}

// run starts the shim. file, if not nil, becomes its descriptor 4.
func (c *child) run(file *os.File) error {
	var opened []*os.File
	pipe := func() (r, w *os.File, err error) {
		if r, w, err = os.Pipe(); err == nil {
			opened = append(opened, r, w)
		}
		return r, w, err
	}
	lifeEnd, lifeline, err1 := pipe()
	out, outEnd, err2 := pipe()
	err, errEnd, err3 := pipe()
	fail := errors.Join(err1, err2, err3)
	if fail == nil {
		c.cmd.Stdout, c.cmd.Stderr, c.cmd.ExtraFiles = outEnd, errEnd, []*os.File{lifeEnd}
		if file != nil {
			c.cmd.ExtraFiles = append(c.cmd.ExtraFiles, file)
		}
		c.kills = memoryKills()
		fail = c.cmd.Start()
	}
	if fail != nil {
		for _, f := range opened {
			f.Close()
		}
		return fmt.Errorf("start trainer: %w", fail)
	}
	for _, f := range []*os.File{lifeEnd, outEnd, errEnd} {
		f.Close() // the shim has its own copy
	}
	c.lifeline = lifeline
	c.follow(out, err)
	return nil
}

// follow reads what the process prints and notices when it is gone.
func (c *child) follow(out, err *os.File) {
	hello, greet := io.Pipe()
	c.hello = hello
	var readers sync.WaitGroup
	readers.Go(func() { c.readOut(out, greet) })
	readers.Go(func() { c.copyToLog(err) })
	go func() {
		c.exit = c.cmd.Wait()
		if killed(c.cmd.ProcessState) { // and could not clear up
			killGroup(c.cmd.Process)
		}
		// Whoever escaped the shim may hold the pipes open for ever.
		limit := time.Now().Add(drainWait)
		_, _ = out.SetReadDeadline(limit), err.SetReadDeadline(limit)
		readers.Wait()
		_, _ = out.Close(), err.Close()
		close(c.gone)
	}()
}

// readOut hands the first line of standard output to go-plugin, which expects
// the handshake there, and logs the rest.
func (c *child) readOut(out *os.File, greet *io.PipeWriter) {
	r := bufio.NewReaderSize(out, 16<<10)
	line, err := r.ReadSlice('\n')
	c.greeting.Store(string(line))
	if !isHandshake(string(line)) {
		w := c.log.stream()
		_, _ = w.Write(line)
		w.flush()
	}
	go func() {
		_, _ = greet.Write(line) // waits for its reader, and the log must not
		greet.Close()
	}()
	if err == nil || errors.Is(err, bufio.ErrBufferFull) {
		c.copyToLog(r)
	}
}

func (c *child) copyToLog(r io.Reader) {
	w := c.log.stream()
	_, _ = io.Copy(w, r) // ends with the stream, or with its deadline
	w.flush()
}

// isHandshake tells go-plugin's first line, "1|1|unix|/path|grpc|…", from
// anything else.
func isHandshake(line string) bool {
	return strings.Count(line, "|") >= 4 && strings.HasPrefix(line, "1|")
}

// stop ends the process and all its descendants, and returns within a bounded
// time whatever state they are in. The lifeline comes first: at its end the
// shim kills the whole tree, and only the shim knows all of it.
func (c *child) stop() error {
	c.end.Do(func() {
		if !c.waitGone(0) {
			c.asked.Store(true)
			resume(c.cmd.Process) // a frozen shim sees nothing
		}
		c.lifeline.Close()
	})
	if c.waitGone(endWait) {
		return nil
	}
	killGroup(c.cmd.Process)
	if c.waitGone(killWait) {
		return nil
	}
	return fmt.Errorf("trainer process %d cannot be killed: it is stuck in the kernel (a GPU driver, a dead network disk); its devices are not free", c.cmd.Process.Pid)
}

func (c *child) waitGone(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-c.gone:
		return true
	case <-timer.C:
		return false
	}
}

// epitaph says for people how a process ended that was gone by itself.
func (c *child) epitaph() string {
	what := "exit status 0"
	if c.exit != nil {
		what = exitText(c.exit)
	}
	if last := c.log.lastWords(); last != "" {
		return what + ": " + last
	}
	return what
}

// noMemory are words by which runtimes end a process that gets no memory.
var noMemory = []string{"fatal error: runtime: out of memory", "runtime: cannot allocate memory", "std::bad_alloc", "MemoryError", "OutOfMemoryError"}

// outOfMemory reports whether a process that was gone by itself seems to have
// ended for want of memory: it was killed, and the kernel has killed for that
// since it started, or its last words say so.
func (c *child) outOfMemory() bool {
	exit, ok := errors.AsType[*exec.ExitError](c.exit)
	if !ok {
		return false
	}
	if exit.ExitCode() == 128+sigkill && memoryKills() > c.kills {
		return true
	}
	tail := c.log.tail()
	return slices.ContainsFunc(noMemory, func(words string) bool { return strings.Contains(tail, words) })
}

// exitText undoes the shim's encoding, by which a status above 128 is a signal.
func exitText(err error) string {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() <= 128 {
		return err.Error()
	}
	return "killed by " + signalText(exit.ExitCode()-128)
}

// The methods below are go-plugin's runner.Runner.

func (c *child) Start(context.Context) error { return nil } // newer than its own start
func (c *child) Wait(context.Context) error {
	<-c.gone
	return c.exit
}
func (c *child) Kill(context.Context) error      { return c.stop() }
func (c *child) Diagnose(context.Context) string { return "" }
func (c *child) Stdout() io.ReadCloser           { return c.hello }
func (c *child) Stderr() io.ReadCloser           { return io.NopCloser(strings.NewReader("")) }
func (c *child) Name() string                    { return c.cmd.Path }
func (c *child) ID() string                      { return strconv.Itoa(c.cmd.Process.Pid) }

func (c *child) PluginToHost(network, addr string) (string, string, error) { return network, addr, nil }
func (c *child) HostToPlugin(network, addr string) (string, string, error) { return network, addr, nil }
