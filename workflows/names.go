// Package workflows says in which order things happen: a sweep runs its trials,
// a trial runs its attempts. What is to be done and what came of it stand in
// the record; Temporal's histories hold names and small numbers only. Activities
// translate between Temporal and functions that need no Temporal.
package workflows

import (
	"cmp"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"sweep"
	"sweep/workflows/spool"
)

// Task queues. A record has a results queue of its own, since only the process
// that holds the file may serve it; see [ResultsQueue].
const (
	SweepQueue = "sweep"       // workflows
	TrainQueue = "sweep-train" // training, unless a sweep names a class of workers
)

// ClassQueue is the task queue of the workers of a resource class ("gpu",
// "a100", …), which a sweep names as run.queue. The class "" is every sweep's
// that names none.
func ClassQueue(class string) string {
	if class == "" {
		return TrainQueue
	}
	return TrainQueue + "-" + class
}

// ResultsQueue is the task queue of the activities that write the named record.
func ResultsQueue(record string) string { return "sweep-results-" + record }

// Sealed is the task queue in place of queue for payloads under the key of that
// id; "" is no key. Who has another key, or none, could only fail what it took
// from the queue, so it must not be asked.
func Sealed(queue, key string) string {
	if key == "" {
		return queue
	}
	return queue + "@" + key
}

// Signals and queries.
const (
	SignalPause     = "pause"     // start no new trials until SignalResume
	SignalResume    = "resume"    // go on after SignalPause
	SignalStop      = "stop"      // let running trials finish, then end
	SignalExtended  = "extended"  // the record has new trials
	SignalEvaluated = "evaluated" // to a trial, from its attempt: a [Beat]
	QueryProgress   = "progress"  // of a sweep: a [Progress]
	QueryInput      = "input"     // of a sweep: the [SweepInput] with which another workflow would go on as it does
)

// Updates of a running sweep. Each is checked before it is taken, and answered
// with an [Answer].
const (
	UpdatePause    = "pause-sweep"  // start no new trials until it is resumed
	UpdateResume   = "resume-sweep" // go on after a pause
	UpdateParallel = "set-parallel" // trials in flight from now on: an int
	UpdateRetry    = "retry-failed" // run failed trials again, before all others
	UpdateExtended = "take-changes" // the record has new trials, and how they are run may have changed: a [SweepInput]
)

// MaxParallel bounds the trials in flight of one sweep. The server refuses more
// than 2000 pending children, and the fullest window is not the fastest.
const MaxParallel = 500

// Search attributes make Temporal's own UI a monitor of sweeps.
var (
	attrSweep    = temporal.NewSearchAttributeKeyKeyword("SweepName")
	attrTrial    = temporal.NewSearchAttributeKeyKeyword("SweepTrial")
	attrState    = temporal.NewSearchAttributeKeyKeyword("SweepState")
	attrModel    = temporal.NewSearchAttributeKeyKeyword("SweepModel")
	attrData     = temporal.NewSearchAttributeKeyKeyword("SweepData")
	attrEpsilon  = temporal.NewSearchAttributeKeyFloat64("SweepEpsilon")
	attrAccuracy = temporal.NewSearchAttributeKeyFloat64("SweepAccuracy")
)

// SearchAttributes are those that a server must know before sweeps may use them.
func SearchAttributes() map[string]enums.IndexedValueType {
	all := map[string]enums.IndexedValueType{}
	for _, key := range []temporal.SearchAttributeKey{attrSweep, attrTrial, attrState, attrModel, attrData, attrEpsilon, attrAccuracy} {
		all[key.GetName()] = key.GetValueType()
	}
	return all
}

// A Trainer names an external trainer; the zero Trainer is the built-in one.
type Trainer struct {
	Command []string
	SHA256  string // of the program, or of the script that an interpreter runs
}

// SweepInput is what a sweep's workflow has to know. It is carried over when
// the workflow continues as new.
type SweepInput struct {
	Sweep        sweep.SweepID
	ResultsQueue string
	TrainQueue   string
	Parallel     int // trials in flight; 1 to MaxParallel
	Said         int `json:",omitempty"` // what the file has for Parallel, where [UpdateParallel] has set another number
	Ahead        int // further ones that stand ready; the slots of the only process that trains keep them from running
	Priority     int // 1, the most urgent, to 5; 0 is the server's default
	Attributes   bool
	Private      bool         // the server must not see hyper-parameters: payloads are encrypted, and names and search attributes say nothing
	Spool        spool.Folder // where trials leave their files; workers must reach it under this name
	Settings     Settings

	Paused, Stopping bool
	Cause, Reason    string          // why, where that was not asked for: see [sweep.CauseBudget] and [sweep.CauseFailures]
	RetryFailed      bool            // make failed trials pending before anything else
	Streak           Streak          // of failures, from the start
	Skip             []sweep.TrialID // ended without a result in this workflow; not to be started again
	Ended            int             // trials that ended in earlier runs of this workflow
}

// Settings are how trials are run. None of them changes an outcome.
type Settings struct {
	Trainer         Trainer
	Retries         int           // attempts after the first that ended through a fault of the trial's own
	GPUs            float64       // per trial: whole devices, or a share of one below 1
	EvaluateEvery   int           // steps; 0 evaluates about ten times
	EvaluateTest    bool          // measure the test part too, once, of trials that are judged on validation examples
	CheckpointEvery time.Duration // 0 writes none before the trainer is told to stop
	TrialTimeout    time.Duration // of one attempt; 0 is no limit
	KeepWeights     bool          // leave the averaged weights in the trial's folder
	Checkpoints     string        // URL of the store that workers keep them in; "" is the folder of the trials
	AtOnce          int           // trials of one private selection that run side by side, on one worker; 0 is one
	LostAfter       time.Duration // how long a worker may be silent before its attempt is taken to be lost; 0 is ten seconds
}

// lostAfter is LostAfter or what takes its place.
func (s Settings) lostAfter() time.Duration { return cmp.Or(s.LostAfter, heartbeatTimeout) }

// TrialInput is what a trial's workflow has to know.
type TrialInput struct {
	Sweep        sweep.SweepID
	Candidate    sweep.Candidate
	ResultsQueue string
	TrainQueue   string
	Priority     int
	Attributes   bool
	Private      bool
	Spool        spool.Folder
	Settings     Settings
}

// WorkflowID is the name of a trial's workflow, and what the Temporal UI lists:
// what varies stands before the trial's own name. It is ASCII: the server does
// not find a workflow again whose name has Greek letters.
func (in TrialInput) WorkflowID() string {
	if in.Private {
		return string(in.Sweep) + "/" + string(in.Candidate.Trial)
	}
	return string(in.Sweep) + "/" + asciiLabel(in.Candidate.Label) + "/" + string(in.Candidate.Trial)
}

// spelled are the symbols of labels as hyper-parameters are called in ASCII.
var spelled = strings.NewReplacer("ε", "eps", "σ", "sigma", "η", "lr", "μ", "ema", "∞", "inf", " ", ",")

func asciiLabel(label string) string {
	return strings.Map(func(r rune) rune {
		if r < '!' || r > '~' || r == '/' {
			return '_'
		}
		return r
	}, spelled.Replace(label))
}

// Progress answers QueryProgress.
type Progress struct {
	Running  []sweep.Candidate
	Ended    int
	Paused   bool
	Stopping bool
	Reason   string // why it is paused or stopping, if nobody asked for it
	Parallel int    // trials in flight at most
}

// An Answer says how a running sweep stands after an update.
type Answer struct {
	Running  int // trials in flight
	Parallel int // at most so many
	Before   int // what Parallel was
	AtOnce   int // trials that the machine which runs the sweep trains at once at most; 0 if nobody knows
	Retried  int // failed trials that are pending again
	Paused   bool
}
