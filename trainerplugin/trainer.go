// Package trainerplugin is the contract with programs that train: what a
// trainer promises, how one is started as a process of its own, and both ends
// of the gRPC that joins them. A crash, a leak or an out-of-memory kill ends a
// trial, never the worker.
package trainerplugin

import (
	"context"
	"errors"
	"time"

	"sweep"
)

// A Trainer runs DP-SGD trials.
type Trainer interface {
	// Describe says what the trainer can do.
	Describe(ctx context.Context) (Description, error)

	// Check says what j would need, without training. If j cannot run here
	// at all, now or on a retry, the error wraps [ErrRefused].
	Check(ctx context.Context, j Job) (Estimate, error)

	// Train makes j.Params.Steps updates and returns what it measured.
	//
	// It calls report from one goroutine, first with [Started], then with
	// steps that never decrease; if report returns an error, Train stops and
	// returns it. If j.Dir holds a whole checkpoint of this trial, Train goes
	// on from it and ends with the bits of an uninterrupted run.
	//
	// When ctx ends, Train finishes the step it is in, writes a checkpoint,
	// reports it and returns an error that wraps context.Cause(ctx). If j
	// cannot run the error wraps [ErrRefused]; if the weights left the finite
	// numbers it wraps [ErrDiverged]; if memory ran out, [ErrOutOfMemory].
	Train(ctx context.Context, j Job, report func(Event) error) (sweep.Outcome, error)
}

var (
	// ErrRefused marks a trial that no retry can help: parameters that the
	// trainer does not have, data that are not there, too large for the device.
	ErrRefused = errors.New("trial refused")

	// ErrAbsent marks a launch of a trainer that this machine does not have:
	// there is no such program, or it is another one. Another machine may.
	ErrAbsent = errors.New("trainer is not on this machine")

	// ErrDiverged marks a trial whose weights or loss are no longer finite.
	// Trials repeat themselves, so a retry would diverge again.
	ErrDiverged = errors.New("training diverged")

	// ErrOutOfMemory marks a trial that did not fit into the memory of the machine
	// or of its device. It is tried once more with half the microbatch.
	ErrOutOfMemory = errors.New("out of memory")

	// ErrProtocol marks a trainer that broke its promises: steps out of
	// order, values that cannot be, no outcome, an outcome that its own
	// reports contradict, silence.
	ErrProtocol = errors.New("trainer broke the contract")
)

// A Job is a trial to run and where to run it. Nothing in it but Params
// changes the outcome.
type Job struct {
	Trial   sweep.TrialID
	Params  sweep.Params
	DataDir string // where data sets are; "" is enough for "glyphs"
	Dir     string // the trial's own folder, for checkpoints; mode 0700
	Threads int    // CPU threads to use; ≥ 1
	// Microbatch is the most examples to work on at once; 0 leaves it to the
	// trainer. It is given where an attempt ran out of memory, as half of what
	// [Estimate] said, and a trainer that cannot go as low comes as near as it can.
	Microbatch int

	Devices []string // GPUs to use, as CUDA_VISIBLE_DEVICES names them; none means the CPU

	ReportEvery     time.Duration // least time between two Progress events; 0 reports every step
	EvaluateEvery   int           // steps between evaluations before the last; 0 evaluates after the last step only
	CheckpointEvery time.Duration // least time between two checkpoints; 0 writes none before Train is told to stop

	// EvaluateTest asks for a second evaluation of the last step, on the test part,
	// of a trial that is measured on validation examples. It is no part of the
	// outcome, nothing is chosen by it, and a trainer may leave it out: where the
	// data have no test part, or since it was built before this was asked for.
	EvaluateTest bool

	KeepWeights bool // leave the averaged weights in Dir as [WeightsFile], and say so in a Note
}

// WeightsFile is what the averaged weights of a finished trial are called in its
// folder, in the safetensors format, where [Job.KeepWeights] asks for them.
const WeightsFile = "weights.safetensors"

// A Description is what a trainer says of itself.
type Description struct {
	Name       string      // "sweep-builtin"
	Version    string      // of the trainer, not of the contract
	Devices    []string    // kinds it can use: "cpu", "cuda"
	Models     []string    // names that Params.Model may take; none means any
	Datasets   []string    // names that Data.Name may take; none means any
	Parameters []Parameter // its own hyper-parameters, beyond those of [sweep.Params]
	Extras     []string    // which of [Extras] it honours
}

// A Parameter is a hyper-parameter that only this trainer knows; trials give it
// in Params.Options.
type Parameter struct {
	Name     string
	Doc      string   // one line, with the unit
	Default  string   // used where a trial does not give it
	Min, Max float64  // inclusive range of a number; both 0 where Choices rule
	Choices  []string // the values it may take, if it is not a number
}

// An Estimate is what a trial would need.
type Estimate struct {
	MemoryBytes   int64  // peak of the training process on its device
	Parameters    int64  // trained weights
	ExampleFLOP   int64  // floating-point operations of one view, forward and backward
	Microbatch    int    // examples worked on at once
	DataDigest    string // of the data that would be used
	TrainExamples int    // what the data set really has for training
}

// An Event is something a trainer reports while it trains: [Started],
// [Progress], [Evaluation], [Checkpoint] or [Note].
type Event interface{ event() }

// Started is the first event of an attempt.
type Started struct {
	Step       int    // updates already made: 0, or the step of the checkpoint it goes on from
	NoiseID    string // a public name of the noise stream: equal exactly when the key is; it tells nothing of the key
	Checkpoint string // file name of the checkpoint it goes on from; "" if it starts afresh
}

// Progress is measured on one update. Norms are of per-example gradients
// before clipping, over the batch.
type Progress struct {
	Step            int     // updates made, this one included
	BatchSize       int     // realised Poisson batch, in examples
	Loss            float64 // mean over the batch, in nats; 0 for an empty batch
	GradNormMean    float64
	GradNormMax     float64
	ClippedShare    float64 // of the batch, 0 to 1
	SignalToNoise   float64 // norm of the clipped sum over the expected norm of the noise; 0 without noise
	LearnRate       float64
	ExamplesPerSec  float64 // views per second of this attempt so far
	NonFinite       int64   // per-example gradients counted as zero, since the trial began
	SecondsElapsed  float64 // of this attempt
	SecondsToFinish float64 // the trainer's own guess; 0 if it has none
}

// Evaluation is accuracy measured on held-out data: on Params.EvaluatedOn, or on
// the test part where [Job.EvaluateTest] asks for that too. Whoever reads one looks
// at its Split first, with [Evaluation.Decides].
type Evaluation struct {
	Step         int
	Split        sweep.Split
	Examples     int
	Accuracy     float64 // of the averaged (EMA) weights
	LastAccuracy float64 // of the weights themselves
	Loss         float64 // of the averaged weights
}

// Checkpoint is announced once its file is whole and durable in Job.Dir.
type Checkpoint struct {
	Step   int
	File   string // name within Job.Dir
	Digest string // "sha256:…" of the file
	Bytes  int64
}

// Note is a line for people: a checkpoint that was damaged and passed over, say.
type Note struct {
	Step int
	Text string
}

// Decides says whether e is on the part of the data by which trials with these
// parameters are judged. If not, it is a test figure: for people to read.
func (e Evaluation) Decides(p sweep.Params) bool { return e.Split == p.EvaluatedOn() }

func (Started) event()    {}
func (Progress) event()   {}
func (Evaluation) event() {}
func (Checkpoint) event() {}
func (Note) event()       {}
