package trainerplugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
)

// DefaultStartTimeout is how long a trainer may take to answer for the first
// time; importing a large framework from a cold disk takes most of a minute.
const DefaultStartTimeout = 2 * time.Minute

// DefaultLogLimit bounds the whole log of one trainer, in bytes.
const DefaultLogLimit = 64 << 20

// maxEvent bounds one message from a trainer, in bytes. The largest honest one
// is a description of a few kilobytes.
const maxEvent = 1 << 20

// LaunchOptions say how a trainer's process is started.
type LaunchOptions struct {
	// Command is the trainer: a program, found in PATH if its name has no
	// slash, and its arguments. No shell reads it.
	Command []string

	// SHA256, if not empty, is the digest, in hex, that one file named in
	// Command must have: the program itself, or the script that it
	// interprets. That very file is then run; with no match nothing is. It
	// covers the content of that file alone, not what it imports or links.
	SHA256 string

	// Shim is the command whose arguments end up in [RunShim]: in sweep, the
	// running binary and its hidden sub-command.
	Shim []string

	Dir     string   // working directory; "" is the host's own
	Env     []string // "NAME=value" beyond the few that are inherited
	Devices []string // GPUs to show, as in CUDA_VISIBLE_DEVICES; none hides all
	Threads int      // CPU threads, for OMP_NUM_THREADS and GOMAXPROCS; 0 leaves them unset

	StartTimeout time.Duration // until the first answer; 0 is [DefaultStartTimeout]
	StopGrace    time.Duration // from Stop to a hard end; 0 is [DefaultStopGrace]

	Log      io.Writer // gets every line that the trainer prints, if not nil
	LogLimit int64     // bytes that go to Log; 0 is [DefaultLogLimit]
}

func (o *LaunchOptions) complete() error {
	if len(o.Command) == 0 {
		return errors.New("trainer: no command given")
	}
	if len(o.Shim) == 0 {
		return errors.New("trainer: no shim given; without one a trainer could outlive its host")
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = DefaultStartTimeout
	}
	if o.LogLimit == 0 {
		o.LogLimit = DefaultLogLimit
	}
	return nil
}

// A LaunchError says why a trainer did not come up, and what it printed.
type LaunchError struct {
	Err     error
	LogTail string // as [Process.LogTail]
}

func (e *LaunchError) Error() string { return "start trainer: " + e.Err.Error() }
func (e *LaunchError) Unwrap() error { return e.Err }

// Launch starts a trainer as a process of its own and waits until it answers.
// The caller must Close what it returns. If ctx ends first, the process is
// ended and the error wraps context.Cause(ctx). Once a process was started the
// error is a [*LaunchError].
func Launch(ctx context.Context, o LaunchOptions) (*Process, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	prog, err := openProgram(o.Command, o.SHA256)
	if err != nil {
		return nil, err
	}
	defer prog.close()
	scratch, err := makeScratch()
	if err != nil {
		return nil, fmt.Errorf("start trainer: %w", err)
	}
	p := &Process{log: newLineLog(o.Log, o.LogLimit), scratch: scratch}
	conf, err := p.config(o, prog)
	if err != nil {
		return nil, errors.Join(err, scratch.remove())
	}
	p.client = plugin.NewClient(conf)
	err = p.connect(ctx, o.StartTimeout)
	if err == nil {
		err = prog.recheck()
	}
	if err != nil {
		err = errors.Join(err, p.Close())
		return nil, &LaunchError{Err: err, LogTail: p.LogTail()}
	}
	return p, nil
}

func (p *Process) config(o LaunchOptions, prog *program) (*plugin.ClientConfig, error) {
	tlsConfig, certPEM, err := mutualTLS()
	if err != nil {
		return nil, err
	}
	return &plugin.ClientConfig{
		HandshakeConfig:  Handshake,
		Plugins:          plugin.PluginSet{PluginName: &grpcPlugin{stopGrace: o.StopGrace}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		TLSConfig:        tlsConfig,
		SkipHostEnv:      true,
		StartTimeout:     o.StartTimeout + time.Minute, // connect has its own, and says it better
		Logger:           hclog.NewNullLogger(),
		SyncStdout:       p.log.stream(),
		SyncStderr:       p.log.stream(),
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: p.scratch.dir},
		GRPCDialOptions:  []grpc.DialOption{grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxEvent))},
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, _ string) (runner.Runner, error) {
			c := newChild(o, prog, p.scratch.dir, p.log)
			c.cmd.Env = append(environment(os.Environ(), o), spec.Env...)
			if !slices.ContainsFunc(o.Env, func(pair string) bool { return strings.HasPrefix(pair, quickStart+"=") }) {
				c.cmd.Env = append(c.cmd.Env, quickStart+"=off")
			}
			c.cmd.Env = append(c.cmd.Env, clientCertVariable+"="+string(certPEM))
			if err := c.run(prog.file); err != nil {
				return nil, err
			}
			p.child.Store(c)
			if p.closed.Load() { // while go-plugin was on its way here
				// Without an error go-plugin would use the runner that is not there.
				return nil, errors.Join(errors.New("start trainer: it was closed meanwhile"), c.stop())
			}
			return c, nil
		},
	}, nil
}

// connect starts the process and waits for its first answer. go-plugin's own
// start has no context and, past the handshake, no deadline, so it is given
// one by ending the process.
func (p *Process) connect(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %v", limit))
	defer cancel()
	started := make(chan error, 1)
	go func() { started <- p.start(ctx) }()
	var err error
	select {
	case err = <-started:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	return p.whyNot(err)
}

// start connects and asks for a description, which shows that both sides
// speak the same contract.
func (p *Process) start(ctx context.Context) error {
	proto, err := p.client.Client()
	if err != nil {
		return err
	}
	end, err := proto.Dispense(PluginName)
	if err != nil {
		return err
	}
	remote := end.(Trainer)
	if _, err := remote.Describe(ctx); err != nil {
		return err
	}
	p.remote = remote
	return nil
}

// whyNot says in our own words why a trainer did not come up.
func (p *Process) whyNot(err error) error {
	c := p.child.Load()
	if c == nil {
		return err
	}
	hello, _ := c.greeting.Load().(string)
	hello = strings.TrimSpace(hello)
	lost := errors.Is(err, errConnection)
	switch {
	case hello != "" && !isHandshake(hello):
		return fmt.Errorf("%w: it printed %q on standard output, where the handshake must come first; it should print to standard error", ErrProtocol, cut(hello, 120))
	case hello == "" && c.waitGone(killWait):
		return fmt.Errorf("it ended before its handshake: %s", c.epitaph())
	case lost && c.waitGone(drainWait):
		return fmt.Errorf("it ended after its handshake: %s", c.epitaph())
	case lost:
		return fmt.Errorf("it printed its handshake but does not answer; does it serve TLS with the certificate in that line? %w", err)
	}
	return err
}
