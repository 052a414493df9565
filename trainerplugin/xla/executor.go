package xla

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"sweep"
	"sweep/trainerplugin"
	"sweep/trainerplugin/dataset"
	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/model"
	"sweep/trainerplugin/xla/pjrt"
)

// An Executor trains one trial on a device: a [dpsgd.Stepper] whose steps are
// programs of [LowerStep]. It keeps the trial's images and its state there.
//
// Tensors, initial weights and gradients of images that are not the trial's are
// the CPU engine's, which it embeds. Close it before its device.
type Executor struct {
	*model.Engine

	device *Device
	params sweep.Params
	config Config // its microbatch is 0 until it is found
	given  int    // microbatch that was asked for; 0 is to be found
	most   int    // that it may be; 0 is no limit
	memory *Memory
	train  dataset.Pixels
	frozen []float32
	held   []*heldOut // what evaluations are of: those that decide, and the test part if it is measured apart

	mu        sync.Mutex
	step      *compiled
	staged    buffers // what steps need and do not change
	state     buffers // what the next step goes on from
	footprint pjrt.Footprint
	took      time.Duration // to find the microbatch and to compile
}

var _ dpsgd.Stepper = (*Executor)(nil)

// Settings are what an Executor is made of.
type Settings struct {
	Params    sweep.Params
	Input     model.Input
	Layers    []model.Option // those that are trained; see [model.TrainOnly]
	Precision Precision

	// Microbatch is how many examples are differentiated at once; 0 has it
	// found. What was found is remembered in Memory, if there is one.
	// Most, if above 0, is the most that it may be, given or found.
	Microbatch int
	Most       int
	Memory     *Memory

	// Taps forms weight gradients of convolutions tap by tap, in less memory. A
	// GPU does them all at once without it; see [Config].Patches.
	Taps bool

	Threads     int // of the CPU engine
	Train, Held dataset.Pixels
	Test        dataset.Pixels // measured too, apart; may be empty
}

// heldOut are images to classify, and what does it: nil until it is needed.
type heldOut struct {
	pixels  dataset.Pixels
	program *compiled
	staged  buffers
}

func (h *heldOut) close() error {
	err := errors.Join(h.staged.Close(), h.program.Close())
	h.program = nil
	return err
}

// NewExecutor prepares to train on d. It lowers the trial's programs, so that a
// model that cannot be lowered is refused here, and compiles none.
func NewExecutor(d *Device, s Settings) (*Executor, error) {
	engine, err := model.New(s.Params.Model, s.Input, max(1, s.Threads), s.Layers...)
	if err != nil {
		return nil, err
	}
	if len(s.Train.Labels) == 0 || len(s.Held.Labels) == 0 {
		return nil, errors.New("an executor needs examples to train on and others to measure on")
	}
	x := &Executor{
		Engine: engine, device: d, params: s.Params, given: s.Microbatch, most: s.Most, memory: s.Memory, train: s.Train,
		config: Config{
			Model: s.Params.Model, Input: s.Input, Freeze: s.Layers, Images: len(s.Train.Labels), Pixels: U8, Precision: s.Precision,
			Views: max(1, s.Params.AugMult), Augment: s.Params.Augment, Clipping: s.Params.Clipping,
			Optimizer: s.Params.Optimizer, Momentum: s.Params.Momentum > 0,
			Patches: d.Platform != "cpu" && !s.Taps,
		},
		staged: make(buffers), state: make(buffers), held: []*heldOut{{pixels: s.Held, staged: make(buffers)}},
	}
	if len(s.Test.Labels) > 0 {
		x.held = append(x.held, &heldOut{pixels: s.Test, staged: make(buffers)})
	}
	if _, err := LowerStep(x.at(max(1, s.Microbatch))); err != nil {
		return nil, err
	}
	for _, h := range x.held {
		if _, err := LowerEvaluate(x.evaluation(h, 1)); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// at is the step's configuration with a microbatch.
func (x *Executor) at(microbatch int) Config {
	c := x.config
	c.Microbatch = min(microbatch, c.Images)
	return c
}

// evaluation is the configuration by which held-out images are classified.
func (x *Executor) evaluation(h *heldOut, microbatch int) Config {
	c := x.config
	c.Images, c.Microbatch = len(h.pixels.Labels), min(microbatch, len(h.pixels.Labels))
	return c
}

// SetFrozen gives the weights that are not trained; see [dpsgd.Freezer].
func (x *Executor) SetFrozen(weights []float32) error {
	if err := x.Engine.SetFrozen(weights); err != nil {
		return err
	}
	x.frozen = append([]float32(nil), weights...)
	return nil
}

// Load puts a state on the device. The first Load finds the microbatch, compiles
// and stages the images, which takes a minute or more for a large model.
func (x *Executor) Load(s dpsgd.State) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.step == nil {
		if err := x.prepare(s); err != nil {
			return fmt.Errorf("prepare %s: %w", x.device.Kind, err)
		}
	}
	if err := x.state.Close(); err != nil {
		return err
	}
	return x.fill(x.state, x.step, s)
}

// fill puts a state that c goes on from into b.
func (x *Executor) fill(b buffers, c *compiled, s dpsgd.State) error {
	for _, spec := range c.Args {
		var err error
		switch spec.Name {
		case Weights:
			b[Weights], err = put(x.device, spec, s.Weights)
		case Average:
			b[Average], err = put(x.device, spec, s.Average)
		case Moment0:
			b[Moment0], err = put(x.device, spec, s.Moments[0])
		case Moment1:
			b[Moment1], err = put(x.device, spec, s.Moments[1])
		}
		if err != nil {
			return errors.Join(fmt.Errorf("load %w", err), b.Close())
		}
	}
	return nil
}

// Save copies the state back.
func (x *Executor) Save(s dpsgd.State) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.state[Weights] == nil {
		return errors.New("save: the device has no state; a step before failed")
	}
	errs := []error{pjrt.Get(x.state[Weights], s.Weights), pjrt.Get(x.state[Average], s.Average)}
	for i, name := range []string{Moment0, Moment1}[:len(s.Moments)] {
		errs = append(errs, pjrt.Get(x.state[name], s.Moments[i]))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("save: %w", err)
	}
	return nil
}

// Close frees all that x has on the device.
func (x *Executor) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	err := errors.Join(x.state.Close(), x.staged.Close(), x.step.Close())
	for _, h := range x.held {
		err = errors.Join(err, h.close())
	}
	x.step = nil
	return err
}

// About says for people what the first Load came to: device, precision,
// microbatch, memory and time. It is "" before.
func (x *Executor) About() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.step == nil {
		return ""
	}
	text := fmt.Sprintf("%s in %s, microbatch %d of %d views, compiled in %v", x.device.Kind, x.config.Precision,
		x.config.Microbatch, x.config.Views, x.took.Round(100*time.Millisecond))
	if total := x.footprint.Total(); total > 0 {
		text += fmt.Sprintf(", a step takes %d MB of the device", total>>20)
	}
	return text
}

// Microbatch is how many examples are differentiated at once; 0 before the first
// Load has found it.
func (x *Executor) Microbatch() int { return x.config.Microbatch }

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %w", trainerplugin.ErrRefused, fmt.Errorf(format, args...))
}
