package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// unmapProgram takes out of this process's memory what starting it has touched of
// the program's file. The kernel maps a file of this size in pieces of 2 MiB, of
// which starting needs a little of each: without this, two thirds of the program
// count as memory of a server that needs a tenth of it. What is needed again is
// mapped again, in small pieces, out of the page cache.
func unmapProgram() error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer maps.Close()
	spans, err := cleanSpans(maps, program)
	if err != nil {
		return err
	}
	for _, s := range spans {
		for _, advice := range []uintptr{unix.MADV_NOHUGEPAGE, unix.MADV_DONTNEED} {
			// Kernels without huge pages refuse the first, and lose nothing by it.
			if _, _, code := unix.Syscall(unix.SYS_MADVISE, s.from, s.to-s.from, advice); code != 0 && advice == unix.MADV_DONTNEED {
				return fmt.Errorf("forget %x to %x of %s: %w", s.from, s.to, program, code)
			}
		}
	}
	return nil
}

type span struct{ from, to uintptr }

// cleanSpans are the addresses at which smaps, as proc(5) has it, shows the file
// mapped, neither writable nor ever written to: there memory is what the file holds.
func cleanSpans(smaps io.Reader, file string) (spans []span, err error) {
	var here span
	ours := false
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		var s span
		var access string
		line := lines.Text()
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &s.from, &s.to, &access); n == 3 {
			here, ours = s, strings.HasSuffix(line, " "+file) && !strings.Contains(access, "w")
		} else if ours && strings.Join(strings.Fields(line), " ") == "Anonymous: 0 kB" {
			spans = append(spans, here)
		}
	}
	return spans, lines.Err()
}
