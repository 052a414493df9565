package devserver

import (
	"fmt"
	"syscall"
)

// minFree is what a fresh database, its write-ahead log and a first few
// workflows need, with room to spare.
const minFree = 16 << 20 // bytes

// checkFreeSpace refuses a folder on a full disk, where the server would start
// and then retry every write for ever.
func checkFreeSpace(dir string) error {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return fmt.Errorf("ask for the free space of %s: %w", dir, err)
	}
	return enoughSpace(dir, uint64(stat.Bavail)*uint64(stat.Bsize))
}

func enoughSpace(dir string, free uint64) error {
	if free >= minFree {
		return nil
	}
	return fmt.Errorf("the disk of %s has %.1f MiB free; at least %d MiB are needed", dir, float64(free)/(1<<20), minFree>>20)
}
