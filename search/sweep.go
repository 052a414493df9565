// Package search goes from a sweep file to trials: it reads the file, reports
// every mistake at its place, and enumerates the points of the grid with the
// noise that each one's budget needs. The format is specified in
// sweeps/README.md; one table of definitions (hyper.go, define.go) drives the
// reader, its hints, the JSON Schema and that page's tables.
package search

import (
	"time"

	"github.com/expr-lang/expr/vm"

	"sweep"
	"sweep/privacy"
)

// A Sweep is a sweep file that has no mistakes. [Parse] makes them; a Sweep is
// not changed afterwards, so any number of goroutines may use it.
type Sweep struct {
	Name       string // letters, digits, ".", "_" and "-"; part of the sweep's ID
	Data       sweep.Data
	Model      string
	Init       sweep.Init // zero draws the initial weights from the seed
	Trainer    *Trainer   // nil is the built-in trainer
	Privacy    Privacy
	Grid       []Axis         // what the file's grid varies, in the order of [Sweep.Trials]; epsilon and noise multiplier are in Privacy
	Fixed      map[string]any // what the file fixes, typed like an axis's values
	Where      string         // "" if every point is run
	Repeats    int            // trials of each point, which differ in their seed; ≥ 1
	Strategy   string         // "grid", "tpe", …
	Settings   Settings       // of the strategy
	Disclosure string         // "research": epsilon does not count the search; "composed": it counts every trial; [sweep.PrivateSelect]
	Selection  SelectionLaw   // of a private selection
	Run        Run
	Text       string // the file as given

	// MostRepeats is how many trials a point may get that could be the best of its
	// epsilon; 0, or Repeats, gives all points the same.
	MostRepeats int

	owner    sweep.SweepID // "" if seeds follow from points alone; see [Sweep.WithOwnSeeds]
	file     string
	places   map[string]place           // of the file's values, by path
	axes     []Axis                     // all that decides a point, one value or more each, slowest first
	puts     []func(*sweep.Params, any) // puts[i] gives a trial its value of axes[i]
	effects  []effect                   // effects[i] says when axes[i] counts
	whens    []*vm.Program              // whens[i], if there is one, says so too
	exprs    []*vm.Program              // exprs[i], if there is one, gives the value of axes[i]
	solved   bool                       // steps follow from epsilon and noise multiplier
	filter   *vm.Program
	filterAt place
	points   int        // points of the grid that pass Where, or of those that the strategy draws beforehand
	drawn    [][]any    // the points that the strategy draws beforehand, where it is not grid
	asked    []question // what noise those points need
}

// A Trainer is an external program that trains.
type Trainer struct {
	Command []string // program and arguments; no shell sees them
	SHA256  string   // of the program, 64 hexadecimal digits in lower case
}

// Privacy says how much noise trials get: to meet a target epsilon, or by its
// multiplier. Where both have values, steps follow from them.
type Privacy struct {
	Epsilon         []float64          // targets, > 0; +Inf is a baseline without noise
	NoiseMultiplier []float64          // σ: noise standard deviation over clipping norm, ≥ 0; 0 is not private
	Delta           float64            // in (0, 1)
	Accountant      privacy.Accountant // who calibrates and prices
	Noise           sweep.NoiseSource
}

// An Axis is a hyper-parameter and the values it takes, in the file's order
// and without repetition. All are of one type: int, float64 or string.
type Axis struct {
	Name   string // as in the file: "batch_size", "option.depth"
	Values []any  // of a Span, its ends; of an Expr, one value of its type

	Span *Span  // every number between two ends, for strategies that draw; nil where values are listed
	Expr string // the value follows from those of other axes; "" if it does not
	When string // the axis has its values where this is true, and Else elsewhere; "" is everywhere
	Else any    // nil leaves an external trainer's option out

	places []place
}

// A Span is the numbers from Min to Max, of which strategies take those of four
// significant digits.
type Span struct {
	Min, Max float64
	Log      bool // equal ratios are equally far, not equal differences
	Whole    bool
}

// Run says how trials are run. Nothing in it changes what they measure, so
// none of it is part of the sweep's ID.
type Run struct {
	Parallel        int           // trials at a time; 0 is as many as there is room for
	Retries         int           // attempts after a trial's first; ≥ 0
	GPUsPerTrial    float64       // 0 is the CPU; below 1, GPUs are shared; otherwise whole
	EvaluateEvery   int           // steps between evaluations before the last; 0 evaluates after the last step only
	EvaluateTest    bool          // measure the test part too, once, of trials that are judged on validation examples
	CheckpointEvery time.Duration // least time between checkpoints; 0 writes none until the trial is told to stop
	KeepWeights     bool          // leave each trial's averaged weights in its folder
	TrialTimeout    time.Duration // an attempt is stopped after it; 0 is no limit
	Priority        int           // 1 is served first, 5 last
	Queue           string        // class of workers that train; "" is any that names none
}

// A place is where in the file something stands, from 1; columns count characters.
type place struct{ line, column int }
