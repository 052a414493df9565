// Package pjrt is a small binding of the PJRT C API, by which XLA's compilers
// come as plugins: for NVIDIA GPUs as pip's jax-cuda12-pjrt and jax-cuda13-pjrt
// bring them, and for CPUs, TPUs and others.
//
// The interface grows by appending fields to argument blocks and entries to its
// table of calls. A plugin refuses a block that is smaller than it expects, and
// ignores what is beyond it. So this package passes blocks that are larger than
// it knows them and zero where it knows nothing, which serves plugins older and
// newer than it.
//
// Plugins are loaded when [Open] is called and not before: a program with this
// package needs no CUDA and no GPU to be built or to run. It needs cgo; without,
// Open says so.
//
// What C objects stand for must be closed by whoever has them, before their
// client is. Methods may be called from several goroutines at once, but for
// Close, which ends the use of what it closes.
package pjrt

import "fmt"

// A Code is the kind of an [Error], with the numbers of absl::StatusCode.
type Code int

const (
	InvalidArgument    Code = 3
	NotFound           Code = 5
	ResourceExhausted  Code = 8
	FailedPrecondition Code = 9
	Unimplemented      Code = 12
	Internal           Code = 13
	Unavailable        Code = 14
)

var codeNames = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
	"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
	"INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

func (c Code) String() string {
	if c < 0 || int(c) >= len(codeNames) {
		return fmt.Sprintf("code %d", int(c))
	}
	return codeNames[c]
}

// An Error is what a plugin answered to a call.
type Error struct {
	Call    string // "PJRT_Client_Compile"
	Code    Code
	Message string // may have several lines
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s: %s", e.Call, e.Code, e.Message) }

// A Type is that of a buffer's elements.
type Type int

const (
	Pred Type = 1
	S8   Type = 2
	S32  Type = 4
	S64  Type = 5
	U8   Type = 6
	U32  Type = 8
	U64  Type = 9
	F32  Type = 11
	F64  Type = 12
	BF16 Type = 13
)

// Size is the number of bytes of an element, or 0 for a type not listed here.
func (t Type) Size() int {
	switch t {
	case Pred, S8, U8:
		return 1
	case BF16:
		return 2
	case S32, U32, F32:
		return 4
	case S64, U64, F64:
		return 8
	}
	return 0
}

// A Memory is what a device has of it, in bytes.
type Memory struct {
	InUse int64
	Peak  int64 // since the client was made; -1 where the plugin does not say
	Limit int64 // that may be used; -1 where the plugin does not say
}

// A Footprint is what a compiled program takes on its device, in bytes.
type Footprint struct {
	Arguments int64
	Outputs   int64
	Aliased   int64 // outputs that take the place of arguments that are given up
	Temporary int64
	Code      int64
}

// Total is the most that is held while the program runs.
func (f Footprint) Total() int64 { return f.Arguments + f.Outputs - f.Aliased + f.Temporary + f.Code }
