package xla

import (
	"context"
	"errors"
	"fmt"
	"math"

	"sweep/trainerplugin/dataset"
	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/xla/pjrt"
)

// stage puts into b what programs like c need of images: once, whatever c's
// microbatch is.
func (x *Executor) stage(b buffers, c *compiled, px dataset.Pixels) error {
	for _, s := range c.Args {
		if b[s.Name] != nil {
			continue
		}
		var err error
		switch s.Name {
		case Images:
			b[Images], err = put(x.device, s, px.Images)
		case Labels:
			b[Labels], err = put(x.device, s, px.Labels)
		case Table:
			flat := make([]float32, 0, 256*len(px.Table))
			for _, channel := range px.Table {
				flat = append(flat, channel[:]...)
			}
			b[Table], err = put(x.device, s, flat)
		case Frozen:
			b[Frozen], err = put(x.device, s, x.frozen)
		}
		if err != nil {
			return fmt.Errorf("stage %w", err)
		}
	}
	return nil
}

// Step makes an update on the device; see [dpsgd.Stepper].
func (x *Executor) Step(ctx context.Context, u *dpsgd.Update) (dpsgd.StepSums, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if ctx.Err() != nil {
		return dpsgd.StepSums{}, context.Cause(ctx)
	}
	if x.state[Weights] == nil {
		return dpsgd.StepSums{}, errors.New("the device has no state; a step before failed")
	}
	out, sums, err := x.call(x.step, x.state, u)
	if err != nil {
		err = errors.Join(err, x.state.Close())
		if outOfMemory(err) {
			err = fmt.Errorf("%w; the microbatch of %d fitted before: does another program use the device? A smaller one, such as %d, leaves it room",
				err, x.config.Microbatch, max(1, x.config.Microbatch/2))
		}
		return dpsgd.StepSums{}, err
	}
	x.state = out
	return sums, nil
}

// call runs a step on a state, which it uses up, and returns the next one.
func (x *Executor) call(c *compiled, state buffers, u *dpsgd.Update) (next buffers, sums dpsgd.StepSums, err error) {
	inputs, err := x.inputs(c, u)
	if err != nil {
		return nil, sums, errors.Join(err, inputs.Close())
	}
	out, err := c.run(x.staged, state, inputs)
	if err = errors.Join(err, inputs.Close()); err != nil {
		return nil, sums, errors.Join(err, out.Close())
	}
	report := make([]float64, ReportCount)
	if err := pjrt.Get(out[Report], report); err != nil {
		return nil, sums, errors.Join(fmt.Errorf("report: %w", err), out.Close())
	}
	next = make(buffers)
	for _, name := range []string{Weights, Average, Moment0, Moment1} {
		if b := out[name]; b != nil {
			next[name] = b
			delete(out, name)
		}
	}
	if err := out.Close(); err != nil {
		return nil, sums, errors.Join(err, next.Close())
	}
	return next, dpsgd.StepSums(ParseReport(report)), nil
}

// inputs are the arguments that are new with every call.
func (x *Executor) inputs(c *compiled, u *dpsgd.Update) (buffers, error) {
	b := make(buffers)
	in := StepInput{
		Count: len(u.Members), Step: u.Step, ViewKey: x.params.Seed, Noise: u.Noise, Clip: x.params.Clip,
		NoiseStd: u.NoiseStd, Batch: u.Batch, LearnRate: u.LearnRate, WeightDecay: u.WeightDecay, EMA: u.EMA,
		Momentum: u.Momentum, Beta1: u.Beta1, Beta2: u.Beta2, AdamEps: u.AdamEps, Share1: u.Share1, Share2: u.Share2,
	}
	defer clear(in.Noise[:])
	for _, s := range c.Args {
		var err error
		switch s.Name {
		case Indices:
			if s.Len() < len(u.Members) {
				return b, fmt.Errorf("a batch of %d examples; there is room for %d", len(u.Members), s.Len())
			}
			places := make([]int32, s.Len())
			for i, m := range u.Members {
				places[i] = int32(m)
			}
			b[Indices], err = put(x.device, s, places)
		case Words:
			words := in.Words()
			b[Words], err = put(x.device, s, words)
			clear(words)
		case Scalars:
			b[Scalars], err = put(x.device, s, in.Scalars())
		}
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

// Evaluate classifies held-out images that x was made with, on the device. e must
// be those of one of its sets: their number is compared, and a few of them.
func (x *Executor) Evaluate(ctx context.Context, weights []float32, e dpsgd.Examples) (dpsgd.Score, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if ctx.Err() != nil {
		return dpsgd.Score{}, context.Cause(ctx)
	}
	h, err := x.recognise(e)
	if err != nil {
		return dpsgd.Score{}, err
	}
	if h.program == nil {
		if err := x.prepareEvaluation(h); err != nil {
			return dpsgd.Score{}, err
		}
	}
	in := make(buffers)
	if in[Weights], err = put(x.device, h.program.Args[h.program.Arg(Weights)], weights); err != nil {
		return dpsgd.Score{}, err
	}
	out, err := h.program.run(h.staged, in)
	if err = errors.Join(err, in.Close()); err != nil {
		return dpsgd.Score{}, errors.Join(err, out.Close())
	}
	correct, losses := make([]int32, 1), make([]float64, 1)
	err = errors.Join(pjrt.Get(out[Correct], correct), pjrt.Get(out[LossSum], losses), out.Close())
	if math.IsInf(losses[0], 0) {
		losses[0] = math.NaN() // one that is too large for the device is no number
	}
	return dpsgd.Score{Correct: int(correct[0]), LossSum: losses[0]}, err
}

// recognise finds the images that e are.
func (x *Executor) recognise(e dpsgd.Examples) (*heldOut, error) {
	var first error
	for _, h := range x.held {
		err := h.isOf(e)
		if err == nil {
			return h, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// isOf compares e with the images that are staged.
func (h *heldOut) isOf(e dpsgd.Examples) error {
	px := h.pixels
	if e.Len != len(px.Labels) {
		return fmt.Errorf("evaluate: %d examples; the device has %d", e.Len, len(px.Labels))
	}
	channels := len(px.Table)
	img := make([]float32, len(px.Images)/len(px.Labels))
	for _, i := range []int{0, e.Len / 2, e.Len - 1} {
		label := e.At(i, img)
		same := label == int(px.Labels[i])
		for j, v := range px.Images[i*len(img):][:len(img)] {
			same = same && img[j] == px.Table[j%channels][v]
		}
		if !same {
			return fmt.Errorf("evaluate: example %d is not the one that the device has", i)
		}
	}
	return nil
}

// prepareEvaluation compiles for as many images at once as a microbatch of the
// step has, or fewer if that does not fit beside the step.
func (x *Executor) prepareEvaluation(h *heldOut) error {
	images := firstImages
	if x.step != nil {
		images = x.config.Microbatch * x.config.Views
	}
	for images = min(images, 1024); ; images /= 2 {
		err := x.tryEvaluation(h, max(1, images))
		if err == nil || !outOfMemory(err) || images <= 1 {
			return err
		}
	}
}

func (x *Executor) tryEvaluation(h *heldOut, images int) error {
	p, err := LowerEvaluate(x.evaluation(h, images))
	if err != nil {
		return err
	}
	c, err := x.device.compile(p)
	if err != nil {
		return err
	}
	if err := x.stage(h.staged, c, h.pixels); err != nil {
		return errors.Join(err, c.Close())
	}
	h.program = c
	return nil
}
