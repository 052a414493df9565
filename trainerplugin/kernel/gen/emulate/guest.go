//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

func passed(pkg string) string { return "emulate: " + pkg + " passed" }

// guest is the first and only process of the emulated computer: it runs the
// tests and stops the machine.
func guest() {
	for _, m := range [][2]string{{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"tmpfs", "/tmp"}} {
		syscall.Mount(m[0], m[1], m[0], 0, "") // what fails here fails below
	}
	console, err := os.OpenFile("/dev/ttyS0", os.O_RDWR, 0)
	if err != nil {
		panic(err)
	}
	processor(console)
	list, err := os.ReadFile("/jobs")
	if err != nil {
		panic(err)
	}
	for line := range strings.Lines(string(list)) {
		kernel, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		pkg, run, _ := strings.Cut(rest, " ")
		test(console, kernel, pkg, run)
	}
	const drain, wait = 0x5409, 1 // TCSBRK
	syscall.Syscall(syscall.SYS_IOCTL, console.Fd(), drain, wait)
	syscall.Reboot(syscall.LINUX_REBOOT_CMD_RESTART) // by a triple fault, which ends Bochs
}

// processor says what the tests run on.
func processor(console *os.File) {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range bytes.Lines(info) {
		if name, value, ok := strings.Cut(string(line), ":"); ok && strings.HasPrefix(name, "model name") {
			fmt.Fprintf(console, "emulate:%s", value)
		} else if ok && strings.HasPrefix(name, "flags") {
			var vector []string
			for _, f := range strings.Fields(value) {
				if strings.HasPrefix(f, "avx") || f == "fma" {
					vector = append(vector, f)
				}
			}
			fmt.Fprintf(console, "emulate: %s\n", strings.Join(vector, " "))
		}
	}
}

func test(console *os.File, kernel, pkg, run string) {
	start := time.Now()
	args := []string{"-test.v", "-test.short"}
	if run != "" {
		args = append(args, "-test.run", run)
	}
	cmd := exec.Command("/"+pkg+".test", args...)
	cmd.Dir, cmd.Env = "/"+pkg, []string{"TMPDIR=/tmp", "SWEEP_KERNEL=" + kernel}
	cmd.Stdout, cmd.Stderr = console, console
	if err := cmd.Run(); err != nil {
		fmt.Fprintf(console, "emulate: %s failed: %v\n", pkg, err)
		return
	}
	fmt.Fprintf(console, "%s on %s, in %.1f s of the emulated clock\n", passed(pkg), kernel, time.Since(start).Seconds())
}
