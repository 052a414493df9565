package results

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"sweep"
)

// Next returns up to limit trials of the sweep that are still to be run, in the
// order of the grid but those that are tried again first, without those in skip: pending ones, stopped ones, and
// running ones, whose attempt a dead workflow must have left unless skip lists them.
func (r *Reader) Next(ctx context.Context, id sweep.SweepID, limit int, skip []sweep.TrialID) ([]sweep.Candidate, error) {
	known, err := sweepKey(ctx, r.db, id)
	if err != nil {
		return nil, fmt.Errorf("next trials of %s: %w", id, explain(err))
	}
	skipped, err := json.Marshal(append([]sweep.TrialID{}, skip...))
	if err != nil {
		return nil, err
	}
	var all []candidate
	for _, again := range []string{"> 0", "= 0"} {
		for _, state := range []sweep.State{sweep.Pending, sweep.Running, sweep.Stopped} {
			some, err := gather(ctx, r.db, scanCandidate, `
				SELECT st.forgiven > 0, st.position, t.id, st.label, coalesce(st.target_epsilon, 0), t.model, t.data
				FROM sweep_trials st JOIN trials t ON t.key = st.trial
				WHERE st.sweep = ? AND st.gone = 0 AND st.state = ? AND st.forgiven `+again+` AND t.id NOT IN (SELECT value FROM json_each(?))
				ORDER BY st.position LIMIT ?`, known, string(state), string(skipped), limit)
			if err != nil {
				return nil, fmt.Errorf("next trials of %s: %w", id, explain(err))
			}
			all = append(all, some...)
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		if a.again != b.again {
			return map[bool]int{true: -1, false: 1}[a.again]
		}
		return a.position - b.position
	})
	next := make([]sweep.Candidate, max(0, min(limit, len(all))))
	for i := range next {
		next[i] = all[i].Candidate
	}
	return next, nil
}

type candidate struct {
	again    bool // somebody said retry
	position int
	sweep.Candidate
}

func scanCandidate(rows *sql.Rows) (c candidate, err error) {
	err = rows.Scan(&c.again, &c.position, &c.Trial, &c.Label, &c.Epsilon, &c.Model, &c.Data)
	if math.IsInf(c.Epsilon, 1) {
		c.Epsilon = 0
	}
	return c, err
}

// Begin claims the trial for a new attempt. An attempt that this sweep began
// earlier and that has not ended is closed as lost, and so is one of a sweep
// that runs no more; what they still want to write is refused from now on.
//
// The attempt reserves, in the ledger of its data set, the steps that it may
// make. If the data set's budget has no room for them nothing is claimed, and
// the claim says so: Denied if there is none, Wait if others' reservations are
// in the way.
func (s *Store) Begin(ctx context.Context, id sweep.SweepID, trial sweep.TrialID) (sweep.Claim, error) {
	what := fmt.Sprintf("begin trial %s of %s", trial, id)
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return sweep.Claim{}, fmt.Errorf("%s: %w", what, explain(err))
	}
	defer conn.Close()
	var c sweep.Claim
	err = transact(ctx, conn, func(ctx context.Context, tx *sql.Tx) (err error) {
		c, err = begin(ctx, tx, s.rooms, s.prices, id, trial)
		return err
	})
	if err != nil {
		clear(s.rooms) // they may have seen what was rolled back; the next claim still waits for conn
		return sweep.Claim{}, fmt.Errorf("%s: %w", what, explain(err))
	}
	return c, nil
}

func begin(ctx context.Context, tx *sql.Tx, rooms rooms, prices priceList, id sweep.SweepID, trial sweep.TrialID) (sweep.Claim, error) {
	var (
		c              sweep.Claim
		sweepKey, key  int64
		last, forgiven int
		params         string
		gone           bool
	)
	err := tx.QueryRowContext(ctx, `
		SELECT s.key, t.key, t.state, t.attempt, t.params, st.forgiven, st.gone
		FROM sweeps s JOIN sweep_trials st ON st.sweep = s.key JOIN trials t ON t.key = st.trial
		WHERE s.id = ?1 AND t.key = `+named("?2"), id, trial).Scan(&sweepKey, &key, &c.State, &last, &params, &forgiven, &gone)
	if errors.Is(err, sql.ErrNoRows) {
		return c, sweep.ErrNotFound
	}
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal([]byte(params), &c.Params); err != nil {
		return c, fmt.Errorf("%w; params: %w", ErrDamaged, err)
	}
	if c.State == sweep.Completed || c.State == sweep.Failed {
		return c, nil
	}
	if gone {
		return sweep.Claim{State: sweep.Stopped}, nil // the sweep's file does not ask for it any more
	}
	if c.Busy, err = evict(ctx, tx, key, sweepKey, last); err != nil || c.Busy != "" {
		c.State = sweep.Pending
		return c, err
	}
	if c.Checkpoints, err = whole(ctx, tx, key); err != nil {
		return c, err
	}
	if c.Selection, c.Stream, err = selectionOf(ctx, tx, key); err != nil {
		return c, err
	}
	var refused *refusal
	if c.Selection != nil {
		refused, err = chargeSelections(ctx, tx, sweepKey, id, c.Params.Data.Name)
	} else {
		c.Stream, refused, err = reserve(ctx, tx, rooms, key, last+1, c.Checkpoints)
	}
	if err != nil {
		return c, err
	}
	if refused != nil {
		return deny(ctx, tx, prices, key, *refused)
	}
	c.State, c.Attempt = sweep.Running, last+1
	if c.Failures, c.NoMemory, err = failures(ctx, tx, key, sweepKey, forgiven); err != nil {
		return c, err
	}
	if err := claim(ctx, tx, key, sweepKey, c.Attempt, c.Stream); err != nil {
		return c, err
	}
	if last == 0 {
		return c, settle(ctx, tx, key)
	}
	return c, charge(ctx, tx, prices, key) // one that was evicted has not been priced
}

// reserve says why the budget has no room for one more attempt at the trial, nil
// if it has. Where there is room for going on from a checkpoint but none for
// starting over with fresh noise, stream is the noise that the attempt must go
// on with.
func reserve(ctx context.Context, tx *sql.Tx, rooms rooms, trial int64, number int, from []sweep.CheckpointRef) (stream string, r *refusal, err error) {
	e, err := readEntry(ctx, tx, trial)
	if err != nil {
		return "", nil, err
	}
	account, err := accountOf(ctx, tx, e.data)
	if err != nil {
		return "", nil, err
	}
	if err := release(ctx, tx); err != nil {
		return "", nil, err
	}
	had := e.attempts
	admit := func(stream string) (*refusal, error) {
		e.attempts = append(had[:len(had):len(had)], streamed{number: number, stream: stream, alive: true})
		spent, holds := e.charged()
		more := spent + sumOf(holds) - e.spent - e.held
		if more <= 0 {
			return nil, nil // it has reserved them before
		}
		return rooms.admit(ctx, tx, account, e.data, e.step, more)
	}
	r, err = admit("")
	if err != nil || r == nil || len(from) == 0 {
		return "", r, err
	}
	at := slices.IndexFunc(had, func(a streamed) bool { return a.number == from[0].Attempt })
	if at < 0 || had[at].stream == "" {
		return "", r, nil
	}
	again, err := admit(had[at].stream)
	if err != nil || again != nil {
		return "", r, err
	}
	return had[at].stream, nil, nil
}

// deny leaves the trial for later, and what its last attempt held as it is.
func deny(ctx context.Context, tx *sql.Tx, prices priceList, trial int64, r refusal) (sweep.Claim, error) {
	c := sweep.Claim{State: sweep.Pending}
	if r.wait {
		c.Wait = r.text
	} else {
		c.Denied = r.text
	}
	if _, err := tx.ExecContext(ctx, `UPDATE trials SET state = 'pending' WHERE key = ? AND state = 'running'`, trial); err != nil {
		return c, err
	}
	return c, charge(ctx, tx, prices, trial)
}

func claim(ctx context.Context, tx *sql.Tx, trial, sweepKey int64, number int, stream string) error {
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO attempts (trial, number, sweep, worker, started, last_step, noise_id, reason, log_tail, report_bytes)
		VALUES (?, ?, ?, '', ?, 0, ?, '', '', 0)`, trial, number, sweepKey, now(), given(stream, stream != "")); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE trials SET state = 'running', attempt = ? WHERE key = ?`, number, trial)
	return err
}

// evict closes the trial's open attempt as lost, or names the other sweep that
// is at it.
func evict(ctx context.Context, tx *sql.Tx, trial, sweepKey int64, number int) (busy sweep.SweepID, err error) {
	var owner int64
	var id sweep.SweepID
	var over bool
	err = tx.QueryRowContext(ctx, `
		SELECT s.key, s.id, s.state IN ('stopped', 'completed', 'failed')
		FROM attempts a JOIN sweeps s ON s.key = a.sweep WHERE a.trial = ? AND a.number = ? AND a.ended IS NULL`,
		trial, number).Scan(&owner, &id, &over)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if owner != sweepKey && !over {
		return id, nil
	}
	_, err = tx.ExecContext(ctx, `UPDATE attempts SET ended = ?, failure = ?, reason = ?, doubtful_until = ? WHERE trial = ? AND number = ?`,
		now(), string(sweep.Lost), fmt.Sprintf("gave no end: attempt %d took its place", number+1), doubtful(), trial, number)
	return "", err
}

// doubtful is when an attempt that is given up now is over for sure.
func doubtful() string { return clock().Add(lease).UTC().Format(timeFormat) }

// failures counts the sweep's attempts at the trial that ended through a fault
// of the trial's own, since the last retry that somebody asked for, and apart
// from them those that ran out of memory. What a worker lost, or lacked, is none.
func failures(ctx context.Context, q queryer, trial, sweepKey int64, forgiven int) (n, noMemory int, err error) {
	err = q.QueryRowContext(ctx, `
		SELECT count(*) FILTER (WHERE failure NOT IN (?, ?, ?, ?)), count(*) FILTER (WHERE failure = ?) FROM attempts
		WHERE trial = ? AND sweep = ? AND number > ?`,
		string(sweep.Lost), string(sweep.Unfit), string(sweep.Cancelled), string(sweep.NoMemory), string(sweep.NoMemory),
		trial, sweepKey, forgiven).Scan(&n, &noMemory)
	return n, noMemory, err
}
