//go:build cgo && unix

package pjrt

/*
#cgo linux LDFLAGS: -ldl
#include <stdlib.h>
#include "calls.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"unsafe"
)

// Versions of the interface that this package is written for. Major has been 0
// from the beginning; what is older than oldestMinor (April 2024) had argument
// blocks of another order.
const (
	major       = 0
	oldestMinor = 46
)

// A Plugin is a loaded library. It stays loaded until the process ends, since
// no plugin can be unloaded.
type Plugin struct {
	Path         string
	Major, Minor int // of the interface that it was built with

	api *C.PJRT_Api
}

var opened struct {
	sync.Mutex
	plugins map[string]*Plugin
}

// Open loads and initialises the plugin at path, an absolute path of a shared
// library, unless that was done before. A library that the plugin needs must be
// where the system looks for it, or loaded already: see [Preload].
func Open(path string) (*Plugin, error) {
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("PJRT plugin %s: the path is not absolute", path)
	}
	opened.Lock()
	defer opened.Unlock()
	if p := opened.plugins[path]; p != nil {
		return p, nil
	}
	p, err := load(path)
	if err != nil {
		return nil, fmt.Errorf("PJRT plugin %s: %w", path, err)
	}
	if opened.plugins == nil {
		opened.plugins = make(map[string]*Plugin)
	}
	opened.plugins[path] = p
	return p, nil
}

func load(path string) (*Plugin, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var why *C.char
	api := C.sweep_open(name, &why)
	if api == nil {
		defer C.free(unsafe.Pointer(why))
		return nil, errors.New(C.GoString(why))
	}
	p := &Plugin{Path: path, Major: int(api.pjrt_api_version.major_version), Minor: int(api.pjrt_api_version.minor_version), api: api}
	if p.Major != major || p.Minor < oldestMinor {
		return nil, fmt.Errorf("it has version %d.%d of the PJRT C API; %d.%d or a later %d.x is needed", p.Major, p.Minor, major, oldestMinor, major)
	}
	if missing := C.sweep_missing(api); missing != nil {
		return nil, fmt.Errorf("it does not have %s", C.GoString(missing))
	}
	if err := p.check("PJRT_Plugin_Initialize", C.sweep_plugin_initialize(api)); err != nil {
		return nil, err
	}
	return p, nil
}

// Preload loads a library that others will need, under the name that it gives
// itself.
func Preload(path string) error {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	if why := C.sweep_preload(name); why != nil {
		defer C.free(unsafe.Pointer(why))
		return errors.New(C.GoString(why))
	}
	return nil
}

// check turns e, of which nothing is left, into an error of Go.
func (p *Plugin) check(call string, e *C.PJRT_Error) error {
	if e == nil {
		return nil
	}
	defer C.sweep_error_destroy(p.api, e)
	var message *C.char
	var size C.size_t
	C.sweep_error_message(p.api, e, &message, &size)
	return &Error{call, Code(C.sweep_error_code(p.api, e)), C.GoStringN(message, C.int(size))}
}

// Attributes are what the plugin says of itself, by name: text, whole numbers
// (int64), lists of them, float64 or bool. "xla_version" and
// "stablehlo_current_version" are among those of XLA's own.
func (p *Plugin) Attributes() (map[string]any, error) {
	if !C.sweep_has_attributes(p.api) {
		return nil, nil
	}
	var values *C.PJRT_NamedValue
	var n C.size_t
	if err := p.check("PJRT_Plugin_Attributes", C.sweep_plugin_attributes(p.api, &values, &n)); err != nil {
		return nil, err
	}
	all := make(map[string]any, n)
	for i, v := range unsafe.Slice(values, n) {
		at := C.size_t(i)
		var value any
		switch v._type {
		case C.PJRT_NamedValue_kString:
			value = C.GoStringN(C.sweep_value_string(values, at), C.int(v.value_size))
		case C.PJRT_NamedValue_kInt64:
			value = int64(C.sweep_value_int(values, at, 0))
		case C.PJRT_NamedValue_kInt64List:
			list := make([]int64, v.value_size)
			for k := range list {
				list[k] = int64(C.sweep_value_int(values, at, C.size_t(k)))
			}
			value = list
		case C.PJRT_NamedValue_kFloat:
			value = float64(C.sweep_value_number(values, at))
		case C.PJRT_NamedValue_kBool:
			value = C.sweep_value_number(values, at) != 0
		}
		all[C.GoStringN(v.name, C.int(v.name_size))] = value
	}
	return all, nil
}

// A Client is a plugin at work on the devices that it found.
type Client struct {
	Plugin          *Plugin
	Platform        string // "cpu", "cuda"
	PlatformVersion string // of what is beneath: CUDA's, with others in other lines
	Devices         []*Device

	c *C.PJRT_Client
}

// NewClient has p take its devices. Options are the plugin's own, by name:
// values are of type string, int64, float64 or bool.
func (p *Plugin) NewClient(options map[string]any) (*Client, error) {
	values, free, err := cOptions(options)
	if err != nil {
		return nil, err
	}
	defer free()
	c := &Client{Plugin: p}
	if err := p.check("PJRT_Client_Create", C.sweep_client_create(p.api, values, C.size_t(len(options)), &c.c)); err != nil {
		return nil, err
	}
	if err := c.look(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// cOptions lays out options in C's memory.
func cOptions(options map[string]any) (values *C.PJRT_NamedValue, free func(), err error) {
	var taken []unsafe.Pointer
	free = func() {
		for _, p := range taken {
			C.free(p)
		}
	}
	text := func(s string) *C.char {
		c := C.CString(s)
		taken = append(taken, unsafe.Pointer(c))
		return c
	}
	if len(options) == 0 {
		return nil, free, nil
	}
	room := C.calloc(C.size_t(len(options)), C.sizeof_PJRT_NamedValue)
	taken = append(taken, room)
	values = (*C.PJRT_NamedValue)(room)
	i := C.size_t(0)
	for name, value := range options {
		switch v := value.(type) {
		case string:
			C.sweep_option_string(values, i, text(name), text(v))
		case int64:
			C.sweep_option_int(values, i, text(name), C.int64_t(v))
		case float64:
			C.sweep_option_float(values, i, text(name), C.float(v))
		case bool:
			C.sweep_option_bool(values, i, text(name), C.bool(v))
		default:
			free()
			return nil, nil, fmt.Errorf("option %s of a PJRT client has type %T", name, value)
		}
		i++
	}
	return values, free, nil
}

// look asks c what it is and has.
func (c *Client) look() error {
	api := c.Plugin.api
	var text *C.char
	var size C.size_t
	if err := c.Plugin.check("PJRT_Client_PlatformName", C.sweep_client_platform_name(api, c.c, &text, &size)); err != nil {
		return err
	}
	c.Platform = C.GoStringN(text, C.int(size))
	if err := c.Plugin.check("PJRT_Client_PlatformVersion", C.sweep_client_platform_version(api, c.c, &text, &size)); err != nil {
		return err
	}
	c.PlatformVersion = C.GoStringN(text, C.int(size))
	var devices **C.PJRT_Device
	var n C.size_t
	if err := c.Plugin.check("PJRT_Client_AddressableDevices", C.sweep_client_devices(api, c.c, &devices, &n)); err != nil {
		return err
	}
	for _, d := range unsafe.Slice(devices, n) {
		device, err := c.device(d)
		if err != nil {
			return err
		}
		c.Devices = append(c.Devices, device)
	}
	if len(c.Devices) == 0 {
		return errors.New("PJRT_Client_AddressableDevices: the client has no device")
	}
	return nil
}

// Close ends c. All that was made with it must be closed before.
func (c *Client) Close() error {
	if c.c == nil {
		return nil
	}
	err := c.Plugin.check("PJRT_Client_Destroy", C.sweep_client_destroy(c.Plugin.api, c.c))
	c.c = nil
	return err
}

// A Device is one of a client's.
type Device struct {
	ID   int    // "device_ordinal" in compile options
	Kind string // "NVIDIA H200"

	client *Client
	d      *C.PJRT_Device
}

func (c *Client) device(d *C.PJRT_Device) (*Device, error) {
	api := c.Plugin.api
	var description *C.PJRT_DeviceDescription
	if err := c.Plugin.check("PJRT_Device_GetDescription", C.sweep_device_describe(api, d, &description)); err != nil {
		return nil, err
	}
	var id C.int
	if err := c.Plugin.check("PJRT_DeviceDescription_Id", C.sweep_device_id(api, description, &id)); err != nil {
		return nil, err
	}
	var kind *C.char
	var size C.size_t
	if err := c.Plugin.check("PJRT_DeviceDescription_Kind", C.sweep_device_kind(api, description, &kind, &size)); err != nil {
		return nil, err
	}
	return &Device{ID: int(id), Kind: C.GoStringN(kind, C.int(size)), client: c, d: d}, nil
}

// Memory asks how much of d's memory the client has taken. The error has code
// [Unimplemented] where the plugin does not know.
func (d *Device) Memory() (Memory, error) {
	p := d.client.Plugin
	if !C.sweep_has_memory_stats(p.api) {
		return Memory{}, &Error{"PJRT_Device_MemoryStats", Unimplemented, "the plugin does not have it"}
	}
	var inUse, peak, limit C.int64_t
	err := p.check("PJRT_Device_MemoryStats", C.sweep_device_memory(p.api, d.d, &inUse, &peak, &limit))
	return Memory{int64(inUse), int64(peak), int64(limit)}, err
}
