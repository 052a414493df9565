//go:build linux

// Command emulate runs the tests of the engine on its AVX-512 path where the
// processor has no AVX-512: in Bochs, an emulator of whole computers, on a
// small Linux. Bochs' instructions and its rounding are its own code, so what
// passes there passes by the processor's manual, not by ours.
//
//	go -C trainerplugin/kernel/gen run ./emulate            # minutes for kernel and op, more for model
//	go -C trainerplugin/kernel/gen run ./emulate kernel     # the kernels alone
//
// It needs Debian's packages bochs, bochs-term, bochsbios, xorriso, isolinux
// and syslinux-common, and fetches Debian's kernel for clouds by apt-get
// download, or takes another one by -kernel. Where something is missing it
// names it and does nothing. The processor is a Skylake-X; -cpu takes another
// of `bochs --help cpu`.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A job is the tests of one package.
type job struct {
	pkg string // below trainerplugin
	run string // which tests; "" is all
}

// jobs are the tests whose result depends on kernels, and of the slow ones
// those that are small enough for some ten million instructions a second.
var jobs = []job{
	{pkg: "kernel"},
	{pkg: "op"},
	{pkg: "model", run: "TestConvolutionGeometries|FuzzConvolution|TestGradientBelowVarianceFloor|TestLayerGradients|TestGroupedConvolutionGradients|TestWinogradGradients|TestFrozenGradients|TestReference|TestClippings"},
}

func main() {
	if os.Getpid() == 1 {
		guest()
		return
	}
	var o options
	flag.StringVar(&o.kernel, "kernel", "", "a Linux `image` to boot, with devtmpfs and a serial console built in; default: Debian's for clouds")
	flag.StringVar(&o.cpu, "cpu", "corei7_skylake_x", "which processor Bochs emulates")
	flag.StringVar(&o.path, "path", "avx512", "the value of SWEEP_KERNEL")
	flag.StringVar(&o.run, "run", "", "run only tests matching `pattern`, in the packages named")
	flag.DurationVar(&o.limit, "limit", 2*time.Hour, "give up after this `time`")
	flag.Parse()
	if missing := o.missing(); len(missing) > 0 {
		fmt.Printf("emulate: skipped: there is no %s; on Debian:\n\tapt-get install --no-install-recommends bochs bochs-term bochsbios xorriso isolinux syslinux-common\n", strings.Join(missing, ", no "))
		return
	}
	if err := o.emulate(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "emulate:", err)
		os.Exit(1)
	}
}

type options struct {
	kernel, cpu, path, run string
	limit                  time.Duration
}

const (
	loader     = "/usr/lib/ISOLINUX/isolinux.bin"
	loaderCore = "/usr/lib/syslinux/modules/bios/ldlinux.c32"
	bios       = "/usr/share/bochs/BIOS-bochs-latest"
	vgaBIOS    = "/usr/share/bochs/VGABIOS-lgpl-latest"
)

// missing names what this machine lacks.
func (o *options) missing() []string {
	tools := []string{"bochs-bin", "xorriso", "script"}
	if o.kernel == "" {
		tools = append(tools, "apt-get", "dpkg-deb")
	}
	var all []string
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			all = append(all, tool)
		}
	}
	for _, file := range []string{loader, loaderCore, bios, vgaBIOS} {
		if _, err := os.Stat(file); err != nil {
			all = append(all, file)
		}
	}
	return all
}

func (o *options) emulate(packages []string) error {
	chosen, err := o.choose(packages)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "emulate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.kernel == "" {
		if o.kernel, err = debianKernel(dir); err != nil {
			return err
		}
	}
	if err := buildImage(dir, o.kernel, o.path, chosen); err != nil {
		return err
	}
	out, err := o.boot(dir)
	if err != nil {
		return err
	}
	return verdict(out, chosen)
}

func (o *options) choose(packages []string) ([]job, error) {
	var chosen []job
	for _, j := range jobs {
		if len(packages) > 0 && !slices.Contains(packages, j.pkg) {
			continue
		}
		if o.run != "" {
			j.run = o.run
		}
		chosen = append(chosen, j)
	}
	if len(packages) > len(chosen) || len(chosen) == 0 {
		return nil, fmt.Errorf("there are kernel, op and model, not %s", strings.Join(packages, " "))
	}
	return chosen, nil
}

// boot runs the computer until it halts, copies its console to ours as it
// comes, and returns it.
func (o *options) boot(dir string) ([]byte, error) {
	console := filepath.Join(dir, "console")
	config := fmt.Sprintf(`display_library: term
romimage: file=%s
vgaromimage: file=%s
cpu: model=%s, ips=20000000, reset_on_triple_fault=0
memory: guest=512, host=512
clock: sync=none
com1: enabled=1, mode=file, dev=%s
ata0-master: type=cdrom, path=%s, status=inserted
boot: cdrom
log: %s
panic: action=fatal
error: action=ignore
`, bios, vgaBIOS, o.cpu, console, filepath.Join(dir, imageName), filepath.Join(dir, "log"))
	for name, text := range map[string]string{"bochsrc": config, "go": "c\n"} { // Debian's Bochs waits in its debugger
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), o.limit)
	defer cancel()
	// Bochs wants a terminal for the screen, which nobody looks at.
	cmd := exec.CommandContext(ctx, "script", "-qec", "exec bochs-bin -q -f bochsrc -rc go", "/dev/null")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TERM=xterm")
	var screen bytes.Buffer
	cmd.Stdout, cmd.Stderr = &screen, &screen
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	done := make(chan struct{})
	go func() { cmd.Wait(); close(done) }() // its status is that of a processor that was reset
	copied := 0
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-time.After(500 * time.Millisecond):
		}
		text, err := os.ReadFile(console)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		copied += show(text[copied:])
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("not done after %v", o.limit)
	}
	text, err := os.ReadFile(console)
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		return nil, fmt.Errorf("the computer did not start: %s\n%s", screen.Bytes(), log[max(0, len(log)-2000):])
	}
	return text, nil
}

// show prints whole lines and says how long they were.
func show(text []byte) int {
	n := bytes.LastIndexByte(text, '\n') + 1
	io.Copy(os.Stdout, bytes.NewReader(bytes.ReplaceAll(text[:n], []byte("\r"), nil)))
	return n
}

// verdict is nil if every job passed.
func verdict(console []byte, chosen []job) error {
	for _, j := range chosen {
		if !bytes.Contains(console, []byte(passed(j.pkg))) {
			return fmt.Errorf("%s did not pass", j.pkg)
		}
	}
	return nil
}
