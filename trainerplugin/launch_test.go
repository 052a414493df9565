package trainerplugin_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"sweep/trainerplugin"
	"sweep/trainerplugin/trainertest"
)

// failsToLaunch launches and returns the error, having checked that nothing is left.
func failsToLaunch(ctx context.Context, t *testing.T, o trainerplugin.LaunchOptions) error {
	t.Helper()
	p, err := trainerplugin.Launch(ctx, o)
	if err == nil {
		p.Close()
		t.Fatal("it was launched")
	}
	nothingLeft(t, tagOf(o))
	return err
}

var launchFailures = []struct{ mode, says, log string }{
	{"rubbish", `it printed "Welcome to CUDA 13! \x1b[2J" on standard output, where the handshake must come first`, "Welcome to CUDA 13! \uFFFD[2J\n"},
	{"stillborn", "it ended before its handshake: exit status 1: ModuleNotFoundError: No module named 'torch'", "ModuleNotFoundError"},
	{"mute", "no answer within 200ms", ""},
}

func TestLaunchFailures(t *testing.T) {
	for _, tt := range launchFailures {
		t.Run(tt.mode, func(t *testing.T) {
			t.Parallel()
			o := options(t, tt.mode)
			if tt.mode == "mute" {
				o.StartTimeout = 200 * time.Millisecond
			}
			err := failsToLaunch(t.Context(), t, o)
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want one that says %q", err, tt.says)
			}
			launch, ok := errors.AsType[*trainerplugin.LaunchError](err)
			if !ok || !strings.Contains(launch.LogTail, tt.log) {
				t.Errorf("error %+v does not carry the log %q", err, tt.log)
			}
			if got := errors.Is(err, trainerplugin.ErrProtocol); got != (tt.mode == "rubbish") {
				t.Errorf("errors.Is(%v, ErrProtocol) = %v", err, got)
			}
		})
	}
}

func TestLaunchEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	impatient := errors.New("impatient")
	time.AfterFunc(100*time.Millisecond, func() { cancel(impatient) })
	if err := failsToLaunch(ctx, t, options(t, "mute")); !errors.Is(err, impatient) {
		t.Errorf("error %v, want the context's cause", err)
	}
}

// A launch that is called off while the process is on its way to life ends, and
// neither a process nor a panic is left.
func TestLaunchCalledOffAtOnce(t *testing.T) {
	impatient := errors.New("impatient")
	for wait := range 12 {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Duration(wait)*250*time.Microsecond, func() { cancel(impatient) })
		if err := failsToLaunch(ctx, t, options(t, "mute")); !errors.Is(err, impatient) {
			t.Errorf("error %v, want the context's cause", err)
		}
	}
}

func TestLaunchRefusesBadOptions(t *testing.T) {
	for says, change := range map[string]func(*trainerplugin.LaunchOptions){
		"no command given":                 func(o *trainerplugin.LaunchOptions) { o.Command = nil },
		"no shim given":                    func(o *trainerplugin.LaunchOptions) { o.Shim = nil },
		"no-such-trainer":                  func(o *trainerplugin.LaunchOptions) { o.Command = []string{"no-such-trainer"} },
		"is not 64 hexadecimal digits":     func(o *trainerplugin.LaunchOptions) { o.SHA256 = "sha256:beef" },
		"no file of the command has the s": func(o *trainerplugin.LaunchOptions) { o.SHA256 = strings.Repeat("ab", 32) },
	} {
		o := options(t, "fake")
		change(&o)
		if err := failsToLaunch(t.Context(), t, o); !strings.Contains(err.Error(), says) {
			t.Errorf("error %v, want one that says %q", err, says)
		}
	}
}

func digestOfFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func TestVerifiedBinaryRuns(t *testing.T) {
	o := options(t, "fake")
	o.SHA256 = "sha256:" + digestOfFile(t, self(t))
	p := launch(t, o)
	if _, err := p.Train(t.Context(), job(t), func(trainerplugin.Event) error { return nil }); err != nil {
		t.Error(err)
	}
}

// A script is verified as an argument of its interpreter, which is given the
// open file that was hashed, whatever its path names by then.
func TestVerifiedScriptRuns(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux runs open files")
	}
	dir := t.TempDir()
	script := filepath.Join(dir, "trainer.sh")
	if err := os.WriteFile(script, []byte("echo \"run as $0\" >&2\nexec \"$1\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := options(t, "fake")
	o.Command, o.SHA256 = []string{"sh", script, self(t)}, digestOfFile(t, script)
	p := launch(t, o)
	if tail := p.LogTail(); !strings.Contains(tail, "run as /proc/self/fd/") {
		t.Errorf("the script was not run through its descriptor: %q", tail)
	}
	if err := errors.Join(p.Close(), os.WriteFile(script, []byte("exit 1\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	err := failsToLaunch(t.Context(), t, o)
	if !strings.Contains(err.Error(), "no file of the command has the sha256 "+o.SHA256) {
		t.Errorf("a changed script: error %v", err)
	}
}

// An executable script (#!) is given to its interpreter as the descriptor too.
func TestVerifiedExecutableScriptRuns(t *testing.T) {
	script := filepath.Join(t.TempDir(), "trainer")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec \"$1\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	o := options(t, "fake")
	o.Command, o.SHA256 = []string{script, self(t)}, digestOfFile(t, script)
	launch(t, o)
}

// A file written to between its check and its start is noticed afterwards.
func TestFileChangedWhileStarting(t *testing.T) {
	script := filepath.Join(t.TempDir(), "trainer.sh")
	if err := os.WriteFile(script, []byte("echo >> \"$2\"\nexec \"$1\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := options(t, "fake")
	o.Command, o.SHA256 = []string{"sh", script, self(t), script}, digestOfFile(t, script)
	if err := failsToLaunch(t.Context(), t, o); !strings.Contains(err.Error(), "was changed while it was being started") {
		t.Errorf("error %v", err)
	}
}

// No secret of the host's reaches a trainer; devices and threads do.
func TestTrainersEnvironment(t *testing.T) {
	t.Setenv("TEMPORAL_API_KEY", "secret")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
	t.Setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
	o := options(t, "fake")
	o.Command = []string{"sh", "-c", "env >&2; exec \"$0\"", self(t)}
	o.Devices, o.Threads = []string{"GPU-2", "GPU-3"}, 3
	tail := launch(t, o).LogTail()
	lines := strings.Split(tail, "\n")
	for _, want := range []string{"CUDA_VISIBLE_DEVICES=GPU-2,GPU-3", "OMP_NUM_THREADS=3", "GOMAXPROCS=3", "CUDA_DEVICE_ORDER=PCI_BUS_ID", "HOME=" + os.Getenv("HOME")} {
		if !slices.Contains(lines, want) {
			t.Errorf("the trainer's environment lacks %s:\n%s", want, tail)
		}
	}
	if strings.Contains(tail, "secret") || strings.Contains(tail, "TEMPORAL") {
		t.Errorf("the trainer sees what it should not:\n%s", tail)
	}
}

func TestFullLogIsCapped(t *testing.T) {
	var full bytes.Buffer
	o := options(t, "flood")
	o.Log, o.LogLimit = &full, 10_000
	p := launch(t, o)
	if _, err := trainerplugin.Guard(p, quick).Train(t.Context(), job(t), func(trainerplugin.Event) error { return nil }); err == nil {
		t.Error("a flood ended well")
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if n := full.Len(); n < 9_000 || n > 10_100 {
		t.Errorf("the full log has %d bytes, want its limit of 10000", n)
	}
	if !strings.HasSuffix(full.String(), "[log cut: it reached its size limit]\n") {
		t.Errorf("the log does not say that it was cut: %q", full.String()[full.Len()-100:])
	}
}

// A trainer that prints a gigabyte is trained all the same: what is kept of it
// is bounded, on disk and in memory.
func TestGigabyteOfLog(t *testing.T) {
	if testing.Short() {
		t.Skip("copying a gigabyte takes seconds")
	}
	t.Parallel()
	kept := &countingWriter{}
	o := options(t, "talk")
	o.Log, o.LogLimit = kept, 1<<20
	p := launch(t, o)
	j := job(t)
	if _, err := trainerplugin.Guard(p, trainerplugin.Limits{}).Train(t.Context(), j, func(trainerplugin.Event) error { return nil }); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if n := kept.n.Load(); n < 1<<20-8192 || n > 1<<20+100 {
		t.Errorf("%d bytes of log were kept, want the limit of %d", n, 1<<20)
	}
	if tail := p.LogTail(); len(tail) > 64<<10 {
		t.Errorf("the tail has %d bytes", len(tail))
	}
}

type countingWriter struct{ n atomic.Int64 }

func (w *countingWriter) Write(b []byte) (int, error) {
	w.n.Add(int64(len(b)))
	return len(b), nil
}

// Launching again and again leaves neither goroutines nor descriptors behind.
func TestLaunchLeaksNothing(t *testing.T) {
	once := func() {
		p := launch(t, options(t, "fake"))
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	once()
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	for range 5 {
		once()
	}
	// gRPC's goroutines end a moment after their connection.
	for limit := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		g, f := runtime.NumGoroutine(), openFiles(t)
		if g <= goroutines && f <= files {
			return
		}
		if time.Now().After(limit) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines and %d files, before %d and %d\n%s", g, f, goroutines, files, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("this system has no /proc to count open files in")
	}
	return len(all)
}

func BenchmarkLaunch(b *testing.B) {
	for b.Loop() {
		p, err := trainerplugin.Launch(b.Context(), options(b, "fake"))
		if err != nil {
			b.Fatal(err)
		}
		if err := p.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEvents(b *testing.B) {
	p, err := trainerplugin.Launch(b.Context(), options(b, "fake"))
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	j := baseJob()
	j.Params.Options = map[string]string{trainertest.StepTimeOption: "0s"}
	j.Params.Steps, j.Dir = b.N, b.TempDir()
	j.Trial = j.Params.ID()
	b.ResetTimer()
	if _, err := p.Train(b.Context(), j, func(trainerplugin.Event) error { return nil }); err != nil {
		b.Fatal(err)
	}
}

// Nobody else on the machine can talk to a trainer: its socket is in a folder
// of the user's own, and it answers nobody without its host's certificate.
func TestSocketIsPrivate(t *testing.T) {
	tmp, err := os.MkdirTemp("", "socket") // short, for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(tmp) })
	t.Setenv("TMPDIR", tmp)
	umask := syscall.Umask(0) // a host's that hides nothing
	t.Cleanup(func() { syscall.Umask(umask) })
	p := launch(t, options(t, "fake"))
	scratch, err := filepath.Glob(filepath.Join(tmp, "sweep-trainer-*"))
	if err != nil || len(scratch) != 1 {
		t.Fatalf("folders %v (%v)", scratch, err)
	}
	if info, err := os.Stat(scratch[0]); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the socket's folder: %v, %v", info.Mode(), err)
	}
	var sockets []string
	_ = filepath.WalkDir(scratch[0], func(path string, d os.DirEntry, _ error) error {
		if d.Type()&os.ModeSocket != 0 {
			sockets = append(sockets, path)
		}
		if info, err := d.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v, %v; want it open to nobody else", path, info.Mode(), err)
		}
		return nil
	})
	if len(sockets) != 1 {
		t.Fatalf("sockets %v", sockets)
	}
	for name, creds := range map[string]credentials.TransportCredentials{
		"without TLS":           insecure.NewCredentials(),
		"without a certificate": credentials.NewTLS(&tls.Config{InsecureSkipVerify: true}),
	} {
		conn, err := grpc.NewClient("unix:"+sockets[0], grpc.WithTransportCredentials(creds))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := trainerplugin.NewClient(conn, 0).Describe(t.Context()); err == nil {
			t.Errorf("%s: the trainer answered", name)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v (%v)", left, err)
	}
}

// Started from a shell, a trainer says what it is for.
func TestTrainerStartedByHand(t *testing.T) {
	cmd := exec.Command(self(t))
	cmd.Env = append(os.Environ(), trainertest.Variable+"=fake")
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
		t.Errorf("it ended with %v, want status 1", err)
	}
	for _, want := range []string{"This program is a trainer", "command: [" + self(t) + "]", "sweep start FILE"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("it says %q, without %q", out, want)
		}
	}
}

// The shim started by hand changes nothing and says whose it is.
func TestShimStartedByHand(t *testing.T) {
	for _, args := range [][]string{nil, {"true"}, {"-lifeline", "3"}, {"-lifeline", "3", "-at", "7", "--", "true"}} {
		out, err := exec.Command(self(t), append([]string{"shim"}, args...)...).CombinedOutput()
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 2 || !strings.HasPrefix(string(out), "sweep: trainer shim: ") {
			t.Errorf("%v: %v, %q", args, err, out)
		}
	}
}
