package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePage is what large pages of x86-64 and most ARM64 systems hold.
const hugePage = 2 << 20

// large asks the system to keep b, which is new, in large pages: the processor
// finds far fewer addresses in its tables than weights and gradients have small
// pages. It is advice; where the system has no such pages nothing changes.
func large(b []float32) {
	start := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	skip := -start % hugePage
	size := uintptr(len(b)) * 4
	if size < skip+hugePage {
		return
	}
	whole := (size - skip) / hugePage * hugePage
	bytes := unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), skip)), whole)
	_ = unix.Madvise(bytes, unix.MADV_HUGEPAGE)
}
