package results

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"sweep"
	"sweep/privacy"
)

// A Trial is all that the record knows of a trial but its metrics.
type Trial struct {
	ID          sweep.TrialID   `json:"id"`
	State       sweep.State     `json:"state"`
	Point       sweep.PointID   `json:"point"`
	Params      sweep.Params    `json:"params"`
	Outcome     *sweep.Outcome  `json:"outcome,omitempty"`       // nil until it is completed
	Test        *float64        `json:"test_accuracy,omitempty"` // see [TrialRow.TestAccuracy]
	Sweeps      []Membership    `json:"sweeps"`
	Attempts    []Attempt       `json:"attempts"`        // the first one first
	Steps       int             `json:"charged_steps"`   // that privacy was spent on, over all noise streams; an attempt under way counts in full when it ends
	Event       json.RawMessage `json:"event,omitempty"` // what was done, as package privacy writes it
	Costs       []Cost          `json:"costs"`           // what that cost
	Checkpoints []Checkpoint    `json:"checkpoints"`     // as attempts announced them
	Notes       []Note          `json:"notes"`
}

// A Membership is a sweep's view of a trial.
type Membership struct {
	Sweep         sweep.SweepID `json:"sweep"`
	Index         int           `json:"index"`
	Repeat        int           `json:"repeat"`
	Label         string        `json:"label"`
	TargetEpsilon Epsilon       `json:"target_epsilon,omitzero"`
	Delta         float64       `json:"delta"`
	Gone          bool          `json:"gone,omitempty"`
}

// An Attempt is one try at running a trial.
type Attempt struct {
	Number   int           `json:"number"`
	Sweep    sweep.SweepID `json:"sweep"`
	Worker   string        `json:"worker"` // "" until it has reported
	Started  time.Time     `json:"started"`
	Ended    time.Time     `json:"ended,omitzero"`
	FromStep int           `json:"from_step"` // it went on from there
	LastStep int           `json:"last_step"` // the furthest it reported
	NoiseID  string        `json:"noise_id"`  // of its noise stream; equal exactly when the key is
	Failure  sweep.Failure `json:"failure,omitempty"`
	Reason   string        `json:"reason,omitempty"`
	LogTail  string        `json:"log_tail,omitempty"`
}

// A Cost is what one accountant says of a trial.
type Cost struct {
	Delta      float64            `json:"delta"`
	Accountant privacy.Accountant `json:"accountant"`
	Version    string             `json:"version"`
	Epsilon    Epsilon            `json:"epsilon"` // upper bound, not rounded
}

// A Checkpoint was announced by an attempt; its file may be gone.
type Checkpoint struct {
	Attempt int    `json:"attempt"`
	Step    int    `json:"step"`
	File    string `json:"file"`
	Digest  string `json:"digest"`
	Bytes   int64  `json:"bytes"`

	Accuracy float64 `json:"accuracy,omitempty"` // of the last evaluation before it; 0 if there was none
	Store    string  `json:"store,omitempty"`    // URL of the store that keeps it; "" is the trial's folder
	Flaw     string  `json:"flaw,omitempty"`     // which attempt found why that it is of no use
	Removed  bool    `json:"removed,omitempty"`  // it is not needed any more: see [sweep.KeptCheckpoints]
}

// A Note is a line about an attempt, for people.
type Note struct {
	Attempt int    `json:"attempt"`
	Step    int    `json:"step"`
	Text    string `json:"text"`
}

// Trial finds the trial whose id is or begins with the given text. If several
// fit the error is an [AmbiguousError]; if none does it wraps [sweep.ErrNotFound].
func (r *Reader) Trial(ctx context.Context, id string) (Trial, error) {
	t, err := r.trial(ctx, id)
	if err != nil {
		return Trial{}, fmt.Errorf("trial %q: %w", id, explain(err))
	}
	return t, nil
}

func (r *Reader) trial(ctx context.Context, id string) (t Trial, err error) {
	tx, err := r.db.BeginTx(ctx, nil) // one snapshot
	if err != nil {
		return t, err
	}
	defer tx.Rollback()
	key, err := findByPrefix(ctx, tx, id)
	if err != nil {
		return t, err
	}
	if err := t.read(ctx, tx, key); err != nil {
		return t, err
	}
	t.Sweeps, err = gather(ctx, tx, scanMembership, `
		SELECT s.id, st.position, st.repeat, st.label, coalesce(st.target_epsilon, 0), st.delta, st.gone
		FROM sweep_trials st JOIN sweeps s ON s.key = st.sweep WHERE st.trial = ? ORDER BY s.key`, key)
	if err != nil {
		return t, err
	}
	t.Attempts, err = gather(ctx, tx, scanAttempt, `
		SELECT a.number, s.id, a.worker, a.started, coalesce(a.ended, ''), coalesce(a.from_step, 0), a.last_step,
			coalesce(a.noise_id, ''), coalesce(a.failure, ''), a.reason, a.log_tail
		FROM attempts a JOIN sweeps s ON s.key = a.sweep WHERE a.trial = ? ORDER BY a.number`, key)
	if err != nil {
		return t, err
	}
	t.Costs, err = gather(ctx, tx, func(rows *sql.Rows) (c Cost, err error) {
		return c, rows.Scan(&c.Delta, &c.Accountant, &c.Version, &c.Epsilon)
	}, `SELECT delta, accountant, version, epsilon FROM costs WHERE trial = ? ORDER BY delta, accountant`, key)
	return t, err
}

// findByPrefix returns the key of the one trial whose id begins so.
func findByPrefix(ctx context.Context, tx *sql.Tx, prefix string) (int64, error) {
	const end = `(?1 || 'g')` // after every hexadecimal digit
	type hit struct {
		key int64
		id  string
	}
	hits, err := gather(ctx, tx, func(rows *sql.Rows) (h hit, err error) {
		return h, rows.Scan(&h.key, &h.id)
	}, `SELECT key, id FROM trials WHERE id >= ?1 AND id < `+end+`
		UNION SELECT trial, slot FROM selections WHERE slot >= ?1 AND slot < `+end+` ORDER BY key DESC LIMIT 10`, prefix)
	switch {
	case err != nil:
		return 0, err
	case len(hits) == 0 || prefix == "":
		return 0, sweep.ErrNotFound
	case len(hits) == 1:
		return hits[0].key, nil
	}
	var total int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM trials WHERE id >= ?1 AND id < `+end, prefix).Scan(&total); err != nil {
		return 0, err
	}
	e := &AmbiguousError{Given: prefix, More: total - len(hits)}
	for _, h := range hits {
		e.Candidates = append(e.Candidates, h.id)
	}
	return 0, e
}

// read fills in what there is one of, and what hangs on attempts.
func (t *Trial) read(ctx context.Context, tx *sql.Tx, key int64) error {
	var params string
	err := tx.QueryRowContext(ctx, `
		SELECT t.id, t.state, t.point, t.params, coalesce(e.steps, 0), e.event
		FROM trials t LEFT JOIN privacy_events e ON e.trial = t.key WHERE t.key = ?`, key,
	).Scan(&t.ID, &t.State, &t.Point, &params, &t.Steps, (*[]byte)(&t.Event))
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(params), &t.Params); err != nil {
		return err
	}
	switch o, err := outcome(ctx, tx, key); {
	case err == nil:
		t.Outcome = &o
		if err := tx.QueryRowContext(ctx, `SELECT `+testAccuracy+` FROM trials t JOIN outcomes o ON o.trial = t.key WHERE t.key = ?`, key).Scan(&t.Test); err != nil {
			return err
		}
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	t.Checkpoints, err = gather(ctx, tx, func(rows *sql.Rows) (c Checkpoint, err error) {
		return c, rows.Scan(&c.Attempt, &c.Step, &c.File, &c.Digest, &c.Bytes, &c.Accuracy, &c.Store, &c.Flaw)
	}, `SELECT attempt, step, file, digest, bytes, coalesce(accuracy, 0), store, flaw FROM checkpoints WHERE trial = ? ORDER BY attempt, step`, key)
	if err != nil {
		return err
	}
	t.markRemoved()
	t.Notes, err = gather(ctx, tx, func(rows *sql.Rows) (n Note, err error) {
		return n, rows.Scan(&n.Attempt, &n.Step, &n.Text)
	}, `SELECT attempt, step, text FROM notes WHERE trial = ? ORDER BY key`, key)
	return err
}

// markRemoved marks the checkpoints that nobody keeps: all of a trial that has its
// final state, and else those that are neither among the last nor the best.
func (t *Trial) markRemoved() {
	var whole []sweep.CheckpointRef
	if t.State != sweep.Completed && t.State != sweep.Failed {
		for _, c := range t.Checkpoints {
			if c.Flaw == "" {
				whole = append(whole, sweep.CheckpointRef{Attempt: c.Attempt, Step: c.Step, File: c.File, Accuracy: c.Accuracy})
			}
		}
	}
	kept := sweep.KeptCheckpoints(whole)
	for i, c := range t.Checkpoints {
		t.Checkpoints[i].Removed = !slices.ContainsFunc(kept, func(k sweep.CheckpointRef) bool { return k.Attempt == c.Attempt && k.File == c.File })
	}
}

func scanMembership(rows *sql.Rows) (m Membership, err error) {
	return m, rows.Scan(&m.Sweep, &m.Index, &m.Repeat, &m.Label, &m.TargetEpsilon, &m.Delta, &m.Gone)
}

func scanAttempt(rows *sql.Rows) (a Attempt, err error) {
	var started, ended string
	err = rows.Scan(&a.Number, &a.Sweep, &a.Worker, &started, &ended, &a.FromStep, &a.LastStep, &a.NoiseID, &a.Failure, &a.Reason, &a.LogTail)
	a.Started, a.Ended = parseTime(started), parseTime(ended)
	return a, err
}
