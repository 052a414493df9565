package results

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"

	"sweep"
)

// Collect takes over what an attempt has reported. A reading that is in the
// record is passed over; one that does not begin where the record ends is
// refused with [ErrOffset]. A reading may still come after its attempt's end.
//
// Of an attempt that was superseded Collect takes over nothing but the steps
// it made and the name of its noise stream, which count towards epsilon whoever
// wrote last, and returns [sweep.ErrFenced].
func (s *Store) Collect(ctx context.Context, ref sweep.AttemptRef, r sweep.Reading) error {
	fenced := false
	what := "collect report of " + nameOf(ref)
	err := s.inTx(ctx, what, func(ctx context.Context, tx *sql.Tx) error {
		a, err := findAttempt(ctx, tx, ref)
		if err != nil {
			return err
		}
		fenced = a.superseded()
		return takeOver(ctx, tx, s.prices, a, r)
	})
	if err == nil && fenced {
		return fmt.Errorf("%s: %w", what, sweep.ErrFenced)
	}
	return err
}

func takeOver(ctx context.Context, tx *sql.Tx, prices priceList, a attempt, r sweep.Reading) error {
	if !a.superseded() {
		if r.Offset <= a.offset {
			return nil
		}
		if r.From != a.offset {
			return fmt.Errorf("it covers bytes %d to %d, the record ends at %d: %w", r.From, r.Offset, a.offset, ErrOffset)
		}
		if err := errors.Join(addMetrics(ctx, tx, a, r.Metrics), addCheckpoints(ctx, tx, a, r.Checkpoints), addFlaws(ctx, tx, a, r.Flaws), addNotes(ctx, tx, a, r.Notes)); err != nil {
			return err
		}
		a.offset = r.Offset
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE attempts SET report_bytes = ?, last_step = max(last_step, ?),
			from_step = coalesce(?, from_step), noise_id = coalesce(?, noise_id), worker = coalesce(?, worker)
		WHERE trial = ? AND number = ?`,
		a.offset, furthest(r), given(r.FromStep, r.Started), given(clean(r.NoiseID), r.NoiseID != ""), given(clean(r.Worker), r.Worker != ""),
		a.trial, a.number); err != nil {
		return err
	}
	if err := noteDraw(ctx, tx, a.trial, clean(r.NoiseID)); err != nil {
		return err
	}
	if a.state == sweep.Running && !a.superseded() {
		return settle(ctx, tx, a.trial) // priced when it ends
	}
	return charge(ctx, tx, prices, a.trial)
}

// maxStep keeps sums of steps exact, whatever a broken trainer reports.
const maxStep = 1 << 40

// furthest is the last step that r shows to have been made. Whatever names a
// step counts, so that one can be charged too many but never too few.
func furthest(r sweep.Reading) int {
	step := max(r.Step, r.FromStep)
	for _, m := range r.Metrics {
		step = max(step, m.Step)
	}
	for _, c := range r.Checkpoints {
		step = max(step, c.Step)
	}
	return min(step, maxStep)
}

func given[T any](v T, ok bool) any {
	if ok {
		return v
	}
	return nil
}

func addMetrics(ctx context.Context, tx *sql.Tx, a attempt, metrics []sweep.Metric) error {
	if len(metrics) == 0 {
		return nil
	}
	add, err := tx.PrepareContext(ctx, `
		INSERT INTO metrics (trial, name, attempt, step, value) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET value = excluded.value`)
	if err != nil {
		return err
	}
	defer add.Close()
	names := map[string]int64{}
	for _, m := range metrics {
		name, ok := names[m.Name]
		if !ok {
			if name, err = metricName(ctx, tx, m.Name); err != nil {
				return err
			}
			names[m.Name] = name
		}
		if _, err := add.ExecContext(ctx, a.trial, name, a.number, m.Step, given(m.Value, !math.IsNaN(m.Value))); err != nil {
			return fmt.Errorf("metric %s of step %d: %w", m.Name, m.Step, err)
		}
	}
	return nil
}

func metricName(ctx context.Context, tx *sql.Tx, name string) (key int64, err error) {
	name = clean(name)
	err = tx.QueryRowContext(ctx, `SELECT key FROM metric_names WHERE name = ?`, name).Scan(&key)
	if !errors.Is(err, sql.ErrNoRows) {
		return key, err
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO metric_names (name) VALUES (?)`, name)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

func addNotes(ctx context.Context, tx *sql.Tx, a attempt, notes []sweep.Note) error {
	for _, n := range notes {
		if _, err := tx.ExecContext(ctx, `INSERT INTO notes (trial, attempt, step, text) VALUES (?, ?, ?, ?)`,
			a.trial, a.number, n.Step, clean(n.Text)); err != nil {
			return fmt.Errorf("note of step %d: %w", n.Step, err)
		}
	}
	return nil
}

// clean makes a trainer's words text that every reader can take.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
