package builtin

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sweep"
	"sweep/trainerplugin"
	"sweep/trainerplugin/xla"
	"sweep/trainerplugin/xla/pjrt"
)

// Values of the option "device".
const (
	autoDevice = "auto" // the GPU, where the trial is given one
	cpuDevice  = "cpu"
	gpuDevice  = "gpu"
)

// autoPrecision is what the device has by custom: TF32 on a GPU, as JAX has by
// default, and float32 on the CPU.
const autoPrecision = "auto"

// largestMicrobatch is more than any device has room for.
const largestMicrobatch = 1 << 20

// parameters are the trainer's own hyper-parameters.
var parameters = []trainerplugin.Parameter{
	{
		Name: "device", Doc: "where a trial is trained; auto is the GPU, where it is given one", Default: autoDevice,
		Choices: []string{autoDevice, cpuDevice, gpuDevice},
	},
	{
		Name: "precision", Doc: "of a GPU's operands of convolutions and products, which add up in float32; auto is tf32", Default: autoPrecision,
		Choices: []string{autoPrecision, string(xla.Full), string(xla.Tensor32), string(xla.Brain)},
	},
	{
		Name: "microbatch", Doc: "examples that a GPU differentiates at once; 0 has the largest that fits found", Default: "0",
		Min: 0, Max: largestMicrobatch,
	},
}

// options are a trial's values of them.
type options struct {
	device     string
	precision  xla.Precision // "" is autoPrecision
	microbatch int
}

// parseOptions reads p's options. The error names all that is wrong with them.
func parseOptions(p sweep.Params) (o options, err error) {
	o = options{device: autoDevice}
	var wrong []string
	for _, name := range sorted(p.Options) {
		value := p.Options[name]
		i := slices.IndexFunc(parameters, func(q trainerplugin.Parameter) bool { return q.Name == name })
		if i < 0 {
			wrong = append(wrong, fmt.Sprintf("%s has no %s", Name, name))
			continue
		}
		if c := parameters[i].Choices; len(c) > 0 && !slices.Contains(c, value) {
			wrong = append(wrong, fmt.Sprintf("%s: %q; it is one of %s", name, value, strings.Join(c, ", ")))
			continue
		}
		switch name {
		case "device":
			o.device = value
		case "precision":
			if value != autoPrecision {
				o.precision = xla.Precision(value)
			}
		case "microbatch":
			o.microbatch, err = strconv.Atoi(value)
			if err != nil || o.microbatch < 0 || o.microbatch > largestMicrobatch {
				wrong = append(wrong, fmt.Sprintf("microbatch: %q; it is a whole number from 0 to %d", value, largestMicrobatch))
			}
		}
	}
	if len(wrong) > 0 {
		return o, refuse("options: %s; remove what is not known, or name the trainer that it is for", strings.Join(wrong, "; "))
	}
	return o, nil
}

func sorted(m map[string]string) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// onDevice says whether j trains on a GPU, or why it cannot.
func (o options) onDevice(j trainerplugin.Job) (bool, error) {
	gpu := o.device == gpuDevice || o.device == autoDevice && len(j.Devices) > 0
	switch {
	case gpu && len(j.Devices) == 0:
		return false, refuse("options: device is gpu, and the trial is given none; start its worker with --gpus, and set run.gpus_per_trial to 1")
	case !gpu && o.precision != "" && o.precision != xla.Full:
		return false, refuse("options: precision %s is a GPU's; the CPU computes in %s", o.precision, xla.Full)
	}
	return gpu, nil
}

// kinds are the devices that this machine's trainer can use. Whether there is a
// GPU is seen when a trial is given one; that there is a plugin can be said
// before.
func kinds(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := pjrt.Find(ctx, ""); err != nil {
		return []string{"cpu"}
	}
	return []string{"cpu", "cuda"}
}
