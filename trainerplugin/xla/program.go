// Package xla lowers the trainer's models to StableHLO: the Gorgonia graph that
// the CPU engine runs, and around it the whole step of private training, as one
// program in text that any compiler of StableHLO takes.
//
// [LowerStep] is a step: views, gradients, clipping, noise, update and average.
// [LowerGradients] is its first half, without noise, and [LowerEvaluate] measures
// weights. A program fixes shapes and kinds; whatever differs between steps, or
// between trials of one shape, is an argument, so that nothing is compiled twice.
package xla

import (
	"fmt"
	"slices"
	"strings"

	"sweep"
	"sweep/trainerplugin/model"
)

// An Element is the type of a tensor's numbers, spelled as StableHLO does.
type Element string

const (
	Bool Element = "i1" // one byte each where it lies in memory, 0 or 1
	U8   Element = "ui8"
	I32  Element = "i32"
	U32  Element = "ui32"
	U64  Element = "ui64"
	BF16 Element = "bf16"
	F32  Element = "f32"
	F64  Element = "f64"
)

// Bytes is how many bytes one number takes.
func (e Element) Bytes() int {
	switch e {
	case Bool, U8:
		return 1
	case BF16:
		return 2
	case F64, U64:
		return 8
	}
	return 4
}

// A Spec describes one argument or result: a dense tensor, row-major, with no
// padding. A scalar has no dimensions.
type Spec struct {
	Name    string
	Element Element
	Shape   []int

	// Alias, of an argument, names the result that takes over its memory: the
	// caller donates the buffer, and must not use it after the call. It is empty
	// where the argument stays as it is.
	Alias string
}

// Len is the number of s's elements.
func (s Spec) Len() int {
	n := 1
	for _, d := range s.Shape {
		n *= d
	}
	return n
}

// Bytes is the size of s in memory.
func (s Spec) Bytes() int { return s.Len() * s.Element.Bytes() }

func (s Spec) String() string { return s.Name + ": " + tensorType(s.Element, s.Shape) }

// A Program is one function, @main, in StableHLO's text. Arguments and results
// are passed in the order of the lists.
type Program struct {
	Name          string // "step", "gradients", "evaluate"
	Text          string
	Args, Results []Spec
}

// Arg returns the place of the named argument, or -1.
func (p *Program) Arg(name string) int { return place(p.Args, name) }

// Result returns the place of the named result, or -1.
func (p *Program) Result(name string) int { return place(p.Results, name) }

func place(specs []Spec, name string) int {
	return slices.IndexFunc(specs, func(s Spec) bool { return s.Name == name })
}

// Names of arguments. P is the number of trained weights, N of the images that
// are staged, L of the places that [Config.Capacity] makes.
//
// Images, Labels, Table and Frozen are put on the device once. Indices, Words
// and Scalars are small and new with every call. The rest is the trial's state,
// which a step donates and returns under the same name.
const (
	Images  = "images"  // [N, height, width, channels]: U8, or F32 already normalised; see Config.Pixels
	Labels  = "labels"  // I32 [N]: classes
	Table   = "table"   // F32 [channels, 256]: the normalised value of each pixel value; absent where Images is F32
	Indices = "indices" // I32 [L]: the batch, as places in Images, then anything, such as zeros
	Words   = "words"   // U32 [WordCount]: counters and keys; see StepInput.Words
	Scalars = "scalars" // F64 [ScalarCount]; see StepInput.Scalars
	Weights = "weights" // F32 [P]: the flat vector of dpsgd.Engine
	Frozen  = "frozen"  // F32: the flat vector of model.Engine.Frozen; absent where nothing is frozen
	Average = "average" // F64 [P]: the moving average
	Moment0 = "moment0" // F32 [P]: the first of the optimiser's moments; absent where there is none
	Moment1 = "moment1" // F32 [P]: the second
)

// Names of results besides Weights, Average, Moment0 and Moment1. Those per
// example lie in the order of Indices; what lies beyond the batch is zero.
const (
	Norms   = "norms"   // F32 [L]: of each example's gradient before clipping; 0 where it was not finite
	Losses  = "losses"  // F32 [L]: mean over the views, in nats
	Clipped = "clipped" // Bool [L]: whether it was made shorter; see dpsgd.Clipping.Clipped
	Report  = "report"  // F64 [ReportCount]: the same in sums; see ParseReport
	Sum     = "sum"     // F32 [P]: the clipped sum, of LowerGradients
	Correct = "correct" // I32 []: right answers, of LowerEvaluate
	LossSum = "losssum" // F64 []: their cross-entropy in nats, of LowerEvaluate
)

// A Precision is that of the operands of convolutions and matrix products. They
// accumulate in float32 whatever it is.
type Precision string

const (
	// Full keeps operands in float32.
	Full Precision = "f32"
	// Tensor32 lets the device round operands to TF32 where it multiplies
	// faster so: 8 bits of exponent and 10 of fraction.
	Tensor32 Precision = "tf32"
	// Brain rounds operands and stored activations to bfloat16: 8 bits of
	// exponent and 7 of fraction. Norms of activations, norms and sums of
	// gradients and losses are float32.
	Brain Precision = "bf16"
)

// A Config is all that a program depends on. Trials of equal Configs share their
// programs.
type Config struct {
	Model  string // as model.New has it
	Input  model.Input
	Freeze []model.Option // layers that are not trained

	Images     int     // N: images staged on the device; ≥ 1
	Pixels     Element // of them: U8, with a table, or F32
	Microbatch int     // examples that are differentiated at once; ≥ 1
	Precision  Precision

	// The rest is LowerStep's and LowerGradients' alone.

	Views    int // K: views per example; ≥ 1
	Augment  sweep.Augmentation
	Clipping sweep.Clipping

	// Optimizer and Momentum, whether SGD has any, are LowerStep's alone.
	Optimizer sweep.Optimizer
	Momentum  bool

	// Patches forms weight gradients of convolutions from all taps at once: one
	// product instead of one for each tap, and as many times the memory.
	Patches bool
}

// Capacity is L: the room for a batch, N rounded up to whole microbatches, so
// that no Poisson batch is ever too large.
func (c Config) Capacity() int {
	return (c.Images + c.Microbatch - 1) / c.Microbatch * c.Microbatch
}

// check says what is wrong with c.
func (c Config) check() error {
	var wrong []string
	complain := func(bad bool, format string, args ...any) {
		if bad {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	complain(c.Images < 1 || c.Images > 1<<30, "%d images; there are 1 to 2³⁰", c.Images)
	complain(c.Microbatch < 1, "microbatch of %d; it has at least 1 example", c.Microbatch)
	complain(c.Pixels != U8 && c.Pixels != F32, "pixels of type %q; they are %s or %s", string(c.Pixels), U8, F32)
	precisions := []Precision{Full, Tensor32, Brain}
	complain(!slices.Contains(precisions, c.Precision), "precision %q; there are %s", string(c.Precision), precisions)
	if len(wrong) > 0 {
		return fmt.Errorf("lower %s: %s", c.Model, strings.Join(wrong, "; "))
	}
	return nil
}
