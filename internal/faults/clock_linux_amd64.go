package faults

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A Clock is the time of day of one process, which a test can set. Go programs
// read it through the page of code that the kernel maps into every process, the
// vDSO, where libfaketime does not reach.
type Clock struct {
	process Process
	offset  int64 // where in the process's memory its shift is kept
}

// shifted takes the place of the vDSO's clock_gettime(clock, result): it asks the
// kernel, and moves CLOCK_REALTIME by the seconds that lie behind it. Other
// clocks, by which a program measures how long something takes, stay as they are.
var shifted = []byte{
	0xb8, 0xe4, 0, 0, 0, // mov   eax, 228 (clock_gettime)
	0x0f, 0x05, // syscall
	0x85, 0xff, // test  edi, edi
	0x75, 0x0a, // jne   ret
	0x48, 0x8b, 0x0d, 6, 0, 0, 0, // mov   rcx, [rip+6]
	0x48, 0x01, 0x0e, // add   [rsi], rcx
	0xc3,       // ret
	0xcc, 0xcc, // (padding)
	0, 0, 0, 0, 0, 0, 0, 0, // seconds
}

// errBusy says that a thread was reading the clock at that very moment.
var errBusy = errors.New("a thread is in the vDSO")

// TakeClock gives the process a clock of its own, which goes right at first.
// Processes that it starts have the machine's. Where that is not allowed the test
// is skipped, and says so.
func TakeClock(t *testing.T, p Process) *Clock {
	t.Helper()
	for {
		at, err := replaceClock(p)
		switch {
		case err == nil:
			return &Clock{p, at}
		case errors.Is(err, errBusy):
			time.Sleep(time.Millisecond)
		case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EIO), errors.Is(err, syscall.EPERM):
			t.Skipf("NOT TESTED: a process's memory cannot be changed here: %v", err)
		default:
			t.Fatalf("take the clock of %v: %v", p, err)
		}
	}
}

// Set moves the process's time of day so far from the machine's.
func (c *Clock) Set(by time.Duration) error {
	return poke(c.process, c.offset, binary.LittleEndian.AppendUint64(nil, uint64(int64(by/time.Second))))
}

// replaceClock writes [shifted] over the process's clock_gettime while no thread
// is in it, and returns where the shift lies.
func replaceClock(p Process) (offset int64, err error) {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Signal(syscall.SIGCONT)) }()
	from, to, err := vdso(p)
	if err != nil {
		return 0, err
	}
	threads, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(p.PID), "task", "*"))
	if err != nil {
		return 0, err
	}
	for _, thread := range threads {
		if err := outside(thread, from, to); err != nil {
			return 0, err
		}
	}
	image := make([]byte, to-from)
	mem, err := os.Open(filepath.Join("/proc", strconv.Itoa(p.PID), "mem"))
	if err != nil {
		return 0, err
	}
	defer mem.Close()
	if _, err := mem.ReadAt(image, from); err != nil {
		return 0, err
	}
	file, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return 0, fmt.Errorf("vDSO: %w", err)
	}
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return 0, fmt.Errorf("vDSO: %w", err)
	}
	for _, s := range symbols {
		if s.Name == "__vdso_clock_gettime" && s.Size >= uint64(len(shifted)) {
			at := from + int64(s.Value)
			return at + int64(len(shifted)) - 8, poke(p, at, shifted)
		}
	}
	return 0, errors.New("vDSO: no clock_gettime of the expected size")
}

// vdso is where the kernel has mapped it into the process.
func vdso(p Process) (from, to int64, err error) {
	maps, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.PID), "maps"))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(maps)) {
		if strings.HasSuffix(strings.TrimSpace(line), "[vdso]") {
			_, err := fmt.Sscanf(line, "%x-%x", &from, &to)
			return from, to, err
		}
	}
	return 0, 0, errors.New("no vDSO is mapped")
}

// outside waits until the thread is stopped, and reports [errBusy] if it was
// stopped between from and to.
func outside(thread string, from, to int64) error {
	for range 1000 {
		text, err := os.ReadFile(filepath.Join(thread, "syscall"))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			return nil // it has ended
		}
		if err != nil {
			return err
		}
		fields := strings.Fields(string(text)) // what it is about, and at the end its stack and program counters
		if len(fields) < 2 {                   // "running"
			time.Sleep(time.Millisecond)
			continue
		}
		pc, err := strconv.ParseInt(fields[len(fields)-1], 0, 64)
		if err == nil && pc >= from && pc < to {
			err = errBusy
		}
		return err
	}
	return errBusy
}

// poke writes into the memory of a process.
func poke(p Process, at int64, text []byte) error {
	mem, err := os.OpenFile(filepath.Join("/proc", strconv.Itoa(p.PID), "mem"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = mem.WriteAt(text, at)
	return errors.Join(err, mem.Close())
}
