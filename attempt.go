package sweep

import "errors"

// A SweepID names a sweep: its name and the start of its content's digest.
type SweepID string

// An AttemptRef names one try at running a trial. Numbers count from 1 for each
// trial and never repeat; the highest is the only one that may still write, so
// the number is the fencing token that keeps out a worker believed dead.
type AttemptRef struct {
	Sweep  SweepID
	Trial  TrialID
	Number int
}

// A Claim is the record's answer to a worker that wants to run a trial.
type Claim struct {
	State    State   // Running: the caller's attempt has begun; Completed, Failed or Stopped: nothing is left to do
	Attempt  int     // the attempt's number, where State is Running
	Params   Params  // what to run
	Busy     SweepID // another sweep that is running this very trial; "" if none. State is then Pending
	Stream   string  // the noise stream that the attempt must go on with, since the privacy budget has no room for fresh noise; "" if any will do
	Denied   string  // why the privacy budget has no room for it; "" if it has. State is then Pending
	Wait     string  // the same while only what others have reserved, and may not need, is in the way
	Failures int     // earlier attempts of this sweep that ended through a fault of the trial's own
	NoMemory int     // earlier attempts of this sweep that ran out of memory; Failures does not count them

	Checkpoints []CheckpointRef // what it can go on from, the best choice first; see [KeptCheckpoints]

	Selection *Selection // what is to run is a private selection, for which Params stand; nil if it is a trial
}

// A Selection is a private selection that an attempt runs: a random number of
// trials drawn from the points of a sweep's file. Claim.Stream then names the
// draw that an earlier attempt has begun; "" if none has.
type Selection struct {
	File, Text string  // the sweep's file
	Target     float64 // epsilon of the points that it is among; 0 if the file gives noise multipliers
}

// A Failure classifies why an attempt ended without an outcome.
type Failure string

const (
	Refused    Failure = "refused"   // it cannot run; no retry helps
	Diverged   Failure = "diverged"  // not finite any more; a retry would repeat it
	Crashed    Failure = "crashed"   // the trainer's process ended, or reported an error
	BadTrainer Failure = "protocol"  // the trainer broke the contract
	NoMemory   Failure = "no-memory" // it ran out of memory; half the microbatch may help, once
	TimedOut   Failure = "timed-out" // silent for too long, or over the trial's limit
	Lost       Failure = "lost"      // the worker died or lost its connection
	Unfit      Failure = "unfit"     // the worker lacks the data set or the trainer; others may have it
	Cancelled  Failure = "cancelled" // somebody asked for it
	NoWinner   Failure = "no-winner" // of a private selection: no trial of those drawn came to a result
)

// An Ending is how an attempt ended without an outcome, and what becomes of its trial.
type Ending struct {
	Failure Failure
	Reason  string // for people, one line
	LogTail string // the last lines that the trainer printed
	Next    State  // Pending for another attempt, Failed, or Stopped
	Dead    bool   // of a lost one: its process is known to have ended
}

// A Reading is what a running attempt has reported since the last one. Readings
// are applied once: each begins where the last one's Offset ended.
type Reading struct {
	From, Offset int64 // bytes of the attempt's report that it covers: [From, Offset)
	FromStep     int   // step the attempt went on from, where Started
	Started      bool
	NoiseID      string
	Worker       string // identity of the worker that runs the attempt; "" if this reading does not say
	Step         int    // the last step reported; 0 if this reading has none
	Metrics      []Metric
	Checkpoints  []CheckpointRef
	Flaws        []Flaw // of earlier checkpoints that the attempt found to be of no use
	Notes        []Note
}

// A Metric is one number measured on one step.
type Metric struct {
	Step  int
	Name  string // "loss", "grad_norm_mean", "validation/accuracy", …
	Value float64
}

// A Note is a line about an attempt, for people.
type Note struct {
	Step int
	Text string
}

// Why a sweep pauses or stops of its own accord.
const (
	CauseBudget   = "budget"   // the privacy budget has no room for its next trial
	CauseFailures = "failures" // its first trials all failed in one way
)

// A Candidate is a trial that could run next, with what a monitor wants to
// know of it.
type Candidate struct {
	Trial   TrialID
	Label   string  // "ε=8 B=1024 η=2": what varies in its sweep
	Epsilon float64 // its target; 0 if it has none, or if it is not private
	Model   string
	Data    string
}

var (
	// ErrNotFound says that the record holds no such sweep, trial or attempt.
	ErrNotFound = errors.New("not in the record")

	// ErrFenced says that a later attempt has taken the trial over: what the
	// earlier one still wants to write is refused.
	ErrFenced = errors.New("attempt was superseded")

	// ErrConflict says that a trial is recorded with another outcome.
	ErrConflict = errors.New("trial has another outcome")
)
