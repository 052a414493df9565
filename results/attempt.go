package results

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"sweep"
)

// attempt is an attempt as a write finds it.
type attempt struct {
	trial   int64
	number  int
	state   sweep.State // the trial's
	current int         // number of the trial's newest attempt
	steps   int         // the trial asks for
	offset  int64
	ended   bool
	failure sweep.Failure // "" if it has not ended, or completed the trial
	reason  string
}

func (a attempt) superseded() bool { return a.number < a.current }

func findAttempt(ctx context.Context, tx *sql.Tx, ref sweep.AttemptRef) (attempt, error) {
	a := attempt{number: ref.Number}
	err := tx.QueryRowContext(ctx, `
		SELECT t.key, t.state, t.attempt, t.steps, a.report_bytes, a.ended IS NOT NULL, coalesce(a.failure, ''), a.reason
		FROM trials t JOIN attempts a ON a.trial = t.key AND a.number = ?1 JOIN sweeps s ON s.key = a.sweep AND s.id = ?2
		WHERE t.key = `+named("?3"), ref.Number, ref.Sweep, ref.Trial,
	).Scan(&a.trial, &a.state, &a.current, &a.steps, &a.offset, &a.ended, &a.failure, &a.reason)
	if errors.Is(err, sql.ErrNoRows) {
		return a, sweep.ErrNotFound
	}
	return a, err
}

// EndAttempt records that an attempt ended without an outcome, and what becomes
// of its trial. It is refused with [sweep.ErrFenced] if the attempt was
// superseded, and with [sweep.ErrConflict] if it has completed the trial or
// ended in another way. Saying the same twice is no error.
func (s *Store) EndAttempt(ctx context.Context, ref sweep.AttemptRef, e sweep.Ending) error {
	return s.inTx(ctx, "end "+nameOf(ref), func(ctx context.Context, tx *sql.Tx) error {
		return endAttempt(ctx, tx, s.prices, ref, e)
	})
}

// maxLogTail is how much of a trainer's last words is kept.
const maxLogTail = 64 << 10

func endAttempt(ctx context.Context, tx *sql.Tx, prices priceList, ref sweep.AttemptRef, e sweep.Ending) error {
	switch e.Next {
	case sweep.Pending, sweep.Failed, sweep.Stopped:
	default:
		return fmt.Errorf("a trial cannot become %q when an attempt ends; it becomes pending, failed or stopped", e.Next)
	}
	a, err := findAttempt(ctx, tx, ref)
	switch {
	case err != nil:
		return err
	case a.ended && a.failure == e.Failure && a.reason == clean(e.Reason):
		return nil
	case a.superseded():
		return sweep.ErrFenced
	case a.ended && a.failure == "":
		return fmt.Errorf("it has completed the trial: %w", sweep.ErrConflict)
	case a.ended:
		return fmt.Errorf("it has ended before, as %s: %w", a.failure, sweep.ErrConflict)
	}
	tail := clean(e.LogTail)
	tail = strings.ToValidUTF8(tail[max(0, len(tail)-maxLogTail):], "") // the cut may go through a character
	var until any
	if e.Failure == sweep.Lost && !e.Dead {
		until = doubtful()
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE attempts SET ended = ?, failure = ?, reason = ?, log_tail = ?, doubtful_until = ? WHERE trial = ? AND number = ?`,
		now(), string(e.Failure), clean(e.Reason), tail, until, a.trial, a.number); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE trials SET state = ? WHERE key = ?`, string(e.Next), a.trial); err != nil {
		return err
	}
	return charge(ctx, tx, prices, a.trial)
}
