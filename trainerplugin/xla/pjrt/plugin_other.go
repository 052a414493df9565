//go:build !cgo || !unix

package pjrt

import "errors"

// errNoCgo is what all comes to in a program that was built without cgo, which
// plugins are called by: there is no client, and so nothing else.
var errNoCgo = errors.New("this program was built without cgo and cannot load PJRT plugins; build it with CGO_ENABLED=1")

type (
	Plugin struct {
		Path         string
		Major, Minor int
	}
	Client struct {
		Plugin                    *Plugin
		Platform, PlatformVersion string
		Devices                   []*Device
	}
	Device struct {
		ID   int
		Kind string
	}
	Executable struct{ Outputs int }
	Run        struct{ Outputs []*Buffer }
	Buffer     struct{}
	Element    interface {
		~uint8 | ~int8 | ~uint32 | ~int32 | ~uint64 | ~int64 | ~float32 | ~float64
	}
)

func Open(string) (*Plugin, error)                                  { return nil, errNoCgo }
func Preload(string) error                                          { return errNoCgo }
func (*Plugin) Attributes() (map[string]any, error)                 { return nil, errNoCgo }
func (*Plugin) NewClient(map[string]any) (*Client, error)           { return nil, errNoCgo }
func (*Client) Close() error                                        { return errNoCgo }
func (*Client) Compile(string, CompileOptions) (*Executable, error) { return nil, errNoCgo }
func (*Device) Memory() (Memory, error)                             { return Memory{}, errNoCgo }
func (*Executable) Footprint() (Footprint, error)                   { return Footprint{}, errNoCgo }
func (*Executable) Close() error                                    { return errNoCgo }
func (*Executable) Start([]*Buffer) (*Run, error)                   { return nil, errNoCgo }
func (*Run) Wait() error                                            { return errNoCgo }
func (*Run) Close() error                                           { return errNoCgo }
func Put[E Element](*Device, Type, []E, ...int) (*Buffer, error)    { return nil, errNoCgo }
func Get[E Element](*Buffer, []E) error                             { return errNoCgo }
func (*Buffer) Deleted() (bool, error)                              { return false, errNoCgo }
func (*Buffer) Close() error                                        { return errNoCgo }
