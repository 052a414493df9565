package xla

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"sweep/trainerplugin/xla/pjrt"
)

// A Device is what programs run on: the first that a plugin's client has.
type Device struct {
	Plugin   *pjrt.Plugin
	Kind     string   // "NVIDIA H200"
	Platform string   // "cuda", "cpu"
	Problems []string // libraries that could not be loaded, and may not be needed

	client *pjrt.Client
	device *pjrt.Device
}

// OpenPlugin finds and loads a plugin, as [pjrt.Find] and [pjrt.Open] do, and
// before it the libraries that lie beside it. The problems are of those. No
// device is touched.
func OpenPlugin(ctx context.Context, path string) (p *pjrt.Plugin, problems []error, err error) {
	if path, err = pjrt.Find(ctx, path); err != nil {
		return nil, nil, err
	}
	problems = pjrt.PreloadCUDA(path)
	p, err = pjrt.Open(path)
	if err != nil {
		err = errors.Join(append([]error{err}, problems...)...)
	}
	return p, problems, err
}

// OpenDevice takes the first device of the plugin at path, or of the one that
// is found if path is "". Which devices there are is for the plugin's own
// variables to say, such as CUDA_VISIBLE_DEVICES.
func OpenDevice(ctx context.Context, path string) (*Device, error) {
	p, problems, err := OpenPlugin(ctx, path)
	if err != nil {
		return nil, err
	}
	return takeDevice(p, problems, nil)
}

// takeDevice makes a client of p with the options that its kind of plugin wants
// and the given ones.
func takeDevice(p *pjrt.Plugin, problems []error, options map[string]any) (*Device, error) {
	attributes, err := p.Attributes()
	if err != nil {
		return nil, err
	}
	if _, cuda := attributes["cuda_version"]; cuda && options == nil {
		// Trials may share a device, so memory is taken as it is needed, not
		// three quarters of the device at once, which is the plugin's default.
		options = map[string]any{"preallocate": false, "memory_fraction": 0.95}
	}
	c, err := p.NewClient(options)
	if err != nil {
		return nil, errors.Join(append([]error{explained(err)}, problems...)...)
	}
	d := &Device{Plugin: p, Kind: c.Devices[0].Kind, Platform: c.Platform, client: c, device: c.Devices[0]}
	for _, problem := range problems {
		d.Problems = append(d.Problems, problem.Error())
	}
	return d, nil
}

// explained adds what to do to errors that many meet first.
func explained(err error) error {
	e, ok := errors.AsType[*pjrt.Error](err)
	if !ok || e.Code != pjrt.FailedPrecondition || !strings.Contains(e.Message, "No visible GPU") {
		return err
	}
	visible, set := os.LookupEnv("CUDA_VISIBLE_DEVICES")
	if set {
		return fmt.Errorf("%w CUDA_VISIBLE_DEVICES is %q; does nvidia-smi list it, and is the driver new enough for the plugin?", err, visible)
	}
	return fmt.Errorf("%w Does nvidia-smi list one, and is the driver new enough for the plugin?", err)
}

// Version names the plugin's interface, and what it says of itself: "PJRT 0.112,
// StableHLO 1.17.0, CUDA 12.9".
func Version(p *pjrt.Plugin) string {
	text := fmt.Sprintf("PJRT %d.%d", p.Major, p.Minor)
	attributes, err := p.Attributes()
	if err != nil {
		return text
	}
	if v, ok := attributes["stablehlo_current_version"].([]int64); ok {
		text += ", StableHLO " + strings.Trim(strings.ReplaceAll(fmt.Sprint(v), " ", "."), "[]")
	}
	if v, ok := attributes["cuda_version"].(int64); ok {
		text += fmt.Sprintf(", CUDA %d.%d", v/1000, v%1000/10)
	}
	return text
}

// Memory is how much of the device's memory is taken; see [pjrt.Device.Memory].
func (d *Device) Memory() (pjrt.Memory, error) { return d.device.Memory() }

// Close gives the device back. All that was made on it must be closed before.
func (d *Device) Close() error { return d.client.Close() }

// A compiled program is one that the device can run.
type compiled struct {
	*Program
	device *Device
	exec   *pjrt.Executable
}

// compile compiles p for d.
func (d *Device) compile(p *Program) (*compiled, error) {
	o := pjrt.CompileOptions{Device: d.device}
	if dir := pjrt.CUDADataDir(d.Plugin.Path); d.Platform == "cuda" && dir != "" && !strings.Contains(os.Getenv("XLA_FLAGS"), "xla_gpu_cuda_data_dir") {
		o.Overrides = map[string]any{"xla_gpu_cuda_data_dir": dir}
	}
	exec, err := d.client.Compile(p.Text, o)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", p.Name, err)
	}
	if exec.Outputs != len(p.Results) {
		return nil, errors.Join(fmt.Errorf("compile %s: it has %d results and was to have %d", p.Name, exec.Outputs, len(p.Results)), exec.Close())
	}
	return &compiled{p, d, exec}, nil
}

func (c *compiled) Close() error {
	if c == nil {
		return nil
	}
	return c.exec.Close()
}

// types are the elements of programs as PJRT numbers them.
var types = map[Element]pjrt.Type{
	Bool: pjrt.Pred, U8: pjrt.U8, I32: pjrt.S32, U32: pjrt.U32, U64: pjrt.U64, BF16: pjrt.BF16, F32: pjrt.F32, F64: pjrt.F64,
}

// put copies data to d as the tensor that s describes.
func put[E pjrt.Element](d *Device, s Spec, data []E) (*pjrt.Buffer, error) {
	b, err := pjrt.Put(d.device, types[s.Element], data, s.Shape...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	return b, nil
}

// buffers are tensors on a device, by the names of arguments and results.
type buffers map[string]*pjrt.Buffer

func (b buffers) Close() error {
	var errs []error
	for name, buffer := range b {
		errs = append(errs, buffer.Close())
		delete(b, name)
	}
	return errors.Join(errs...)
}

// run runs c on the arguments of the given names, later maps first, waits for
// it, and returns the results. Arguments that the program takes over are closed.
func (c *compiled) run(all ...buffers) (buffers, error) {
	args := make([]*pjrt.Buffer, len(c.Args))
	for i, s := range c.Args {
		for _, b := range all {
			if b[s.Name] != nil {
				args[i] = b[s.Name]
			}
		}
		if args[i] == nil {
			return nil, fmt.Errorf("run %s: no %s", c.Name, s.Name)
		}
	}
	r, err := c.exec.Start(args)
	if err == nil {
		err = r.Wait()
	}
	for i, s := range c.Args {
		if s.Alias != "" {
			err = errors.Join(err, args[i].Close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", c.Name, err)
	}
	out := make(buffers)
	for i, s := range c.Results {
		out[s.Name] = r.Outputs[i]
	}
	return out, nil
}

// outOfMemory says whether err is that the device has too little.
func outOfMemory(err error) bool {
	e, ok := errors.AsType[*pjrt.Error](err)
	return ok && e.Code == pjrt.ResourceExhausted
}
