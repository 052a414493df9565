//go:build cgo && unix

package pjrt

// #include <stdlib.h>
// #include "calls.h"
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"
)

// An Executable is a program that was compiled for one device.
type Executable struct {
	Outputs int // how many buffers it returns

	client *Client
	loaded *C.PJRT_LoadedExecutable
	e      *C.PJRT_Executable
}

// Compile compiles program, a module of StableHLO as text or bytecode, for one
// device. Options are as [CompileOptions.Encode] makes them.
func (c *Client) Compile(program string, o CompileOptions) (*Executable, error) {
	if program == "" {
		return nil, errors.New("compile: the program is empty")
	}
	api, options := c.Plugin.api, o.Encode()
	code := C.CString(program)
	defer C.free(unsafe.Pointer(code))
	e := &Executable{client: c}
	err := c.Plugin.check("PJRT_Client_Compile", C.sweep_compile(api, c.c, code, C.size_t(len(program)),
		(*C.char)(unsafe.Pointer(unsafe.SliceData(options))), C.size_t(len(options)), &e.loaded))
	if err != nil {
		return nil, err
	}
	if err := c.Plugin.check("PJRT_LoadedExecutable_GetExecutable", C.sweep_get_executable(api, e.loaded, &e.e)); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	var n C.size_t
	if err := c.Plugin.check("PJRT_Executable_NumOutputs", C.sweep_executable_outputs(api, e.e, &n)); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	e.Outputs = int(n)
	return e, nil
}

// Footprint says what e takes of its device's memory. The error has code
// [Unimplemented] where the plugin does not know.
func (e *Executable) Footprint() (Footprint, error) {
	p := e.client.Plugin
	if !C.sweep_has_compiled_memory_stats(p.api) {
		return Footprint{}, &Error{"PJRT_Executable_GetCompiledMemoryStats", Unimplemented, "the plugin does not have it"}
	}
	var arguments, outputs, aliased, temporary, code C.int64_t
	err := p.check("PJRT_Executable_GetCompiledMemoryStats",
		C.sweep_executable_memory(p.api, e.e, &arguments, &outputs, &aliased, &temporary, &code))
	return Footprint{int64(arguments), int64(outputs), int64(aliased), int64(temporary), int64(code)}, err
}

// Close frees e.
func (e *Executable) Close() error {
	var errs []error
	p := e.client.Plugin
	if e.e != nil {
		errs = append(errs, p.check("PJRT_Executable_Destroy", C.sweep_executable_destroy(p.api, e.e)))
		e.e = nil
	}
	if e.loaded != nil {
		errs = append(errs, p.check("PJRT_LoadedExecutable_Destroy", C.sweep_loaded_destroy(p.api, e.loaded)))
		e.loaded = nil
	}
	return errors.Join(errs...)
}

// A Run is the execution of a program.
type Run struct {
	Outputs []*Buffer // usable at once: what needs them waits for them

	client *Client
	done   *C.PJRT_Event
}

// Start enqueues e on args and returns while the device may still be at it.
// Whether or not it fails, arguments that the program may reuse for its outputs
// are no longer to be used afterwards, but to be closed.
func (e *Executable) Start(args []*Buffer) (*Run, error) {
	p := e.client.Plugin
	in, out := make([]*C.PJRT_Buffer, len(args)), make([]*C.PJRT_Buffer, e.Outputs)
	for i, a := range args {
		if a == nil || a.b == nil {
			return nil, fmt.Errorf("PJRT_LoadedExecutable_Execute: argument %d is a closed buffer", i)
		}
		in[i] = a.b
	}
	r := &Run{client: e.client}
	err := p.check("PJRT_LoadedExecutable_Execute",
		C.sweep_execute(p.api, e.loaded, unsafe.SliceData(in), C.size_t(len(in)), unsafe.SliceData(out), &r.done))
	for _, b := range out {
		if b != nil {
			r.Outputs = append(r.Outputs, &Buffer{client: e.client, b: b})
		}
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Wait waits until the device has done with r. Where that fails, r's outputs
// are closed.
func (r *Run) Wait() error {
	if r.done == nil {
		return nil
	}
	err := r.client.await(r.done, "PJRT_LoadedExecutable_Execute")
	r.done = nil
	if err != nil {
		return errors.Join(err, r.Close())
	}
	return nil
}

// Close waits for r if need be and closes its outputs.
func (r *Run) Close() error {
	var errs []error
	if r.done != nil {
		errs = append(errs, r.client.await(r.done, "PJRT_LoadedExecutable_Execute"))
		r.done = nil
	}
	for _, b := range r.Outputs {
		errs = append(errs, b.Close())
	}
	r.Outputs = nil
	return errors.Join(errs...)
}

// await waits for what call began, and frees event. The error is call's: what
// fails later fails on its behalf.
func (c *Client) await(event *C.PJRT_Event, call string) error {
	if event == nil {
		return nil
	}
	failed := c.Plugin.check(call, C.sweep_event_await(c.Plugin.api, event))
	return errors.Join(failed, c.Plugin.check("PJRT_Event_Destroy", C.sweep_event_destroy(c.Plugin.api, event)))
}

// A Buffer is an array in a device's memory.
type Buffer struct {
	client *Client
	b      *C.PJRT_Buffer
}

// Element is what buffers may be of.
type Element interface {
	~uint8 | ~int8 | ~uint32 | ~int32 | ~uint64 | ~int64 | ~float32 | ~float64
}

// Put copies data to d as an array of the given shape, row-major; no dims make
// a scalar. What data are as numbers is t's business: only sizes are compared.
func Put[E Element](d *Device, t Type, data []E, dims ...int) (*Buffer, error) {
	n, shape := 1, make([]C.int64_t, len(dims))
	for i, d := range dims {
		n *= d
		shape[i] = C.int64_t(d)
	}
	var e E
	if bytes := len(data) * int(unsafe.Sizeof(e)); bytes != n*t.Size() || n == 0 {
		return nil, fmt.Errorf("PJRT_Client_BufferFromHostBuffer: %d bytes for an array %v of type %d", bytes, dims, t)
	}
	p := d.client.Plugin
	b := &Buffer{client: d.client}
	var done *C.PJRT_Event
	err := p.check("PJRT_Client_BufferFromHostBuffer", C.sweep_put(p.api, d.client.c, d.d, unsafe.Pointer(unsafe.SliceData(data)),
		C.int(t), unsafe.SliceData(shape), C.size_t(len(shape)), &b.b, &done))
	if err != nil {
		return nil, err
	}
	if err := d.client.await(done, "PJRT_Client_BufferFromHostBuffer"); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// Get copies b, all of it, into data, once whatever computes b has done.
func Get[E Element](b *Buffer, data []E) error {
	if b.b == nil {
		return errors.New("PJRT_Buffer_ToHostBuffer: the buffer is closed")
	}
	p := b.client.Plugin
	var needed C.size_t
	if err := p.check("PJRT_Buffer_ToHostBuffer", C.sweep_size(p.api, b.b, &needed)); err != nil {
		return err
	}
	var e E
	if bytes := len(data) * int(unsafe.Sizeof(e)); bytes != int(needed) {
		return fmt.Errorf("PJRT_Buffer_ToHostBuffer: the buffer has %d bytes; there is room for %d", int(needed), bytes)
	}
	var pin runtime.Pinner // the device writes until done is ready
	defer pin.Unpin()
	pin.Pin(unsafe.SliceData(data))
	var done *C.PJRT_Event
	if err := p.check("PJRT_Buffer_ToHostBuffer", C.sweep_get(p.api, b.b, unsafe.Pointer(unsafe.SliceData(data)), needed, &done)); err != nil {
		return err
	}
	return b.client.await(done, "PJRT_Buffer_ToHostBuffer")
}

// Deleted says whether a program has taken b's memory for its outputs.
func (b *Buffer) Deleted() (bool, error) {
	var deleted C.bool
	p := b.client.Plugin
	err := p.check("PJRT_Buffer_IsDeleted", C.sweep_buffer_deleted(p.api, b.b, &deleted))
	return bool(deleted), err
}

// Close frees b. To close it twice, or a nil Buffer, does nothing.
func (b *Buffer) Close() error {
	if b == nil || b.b == nil {
		return nil
	}
	p := b.client.Plugin
	err := p.check("PJRT_Buffer_Destroy", C.sweep_buffer_destroy(p.api, b.b))
	b.b = nil
	return err
}
