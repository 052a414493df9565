package results

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"sweep"
	"sweep/privacy"
)

// A SweepInfo is a sweep as the record knows it.
type SweepInfo struct {
	ID         sweep.SweepID      `json:"id"`
	Name       string             `json:"name"`
	Created    time.Time          `json:"created"`
	State      SweepState         `json:"state"`
	Reason     string             `json:"reason,omitempty"` // why it is in that state, if that needs words
	Cause      string             `json:"cause,omitempty"`  // the same for programs: [sweep.CauseBudget] or [sweep.CauseFailures]
	Changed    time.Time          `json:"changed"`          // when the state last changed
	Accountant privacy.Accountant `json:"accountant"`
	Delta      float64            `json:"delta"`
	Disclosure string             `json:"disclosure"`
	OwnSeeds   bool               `json:"own_seeds,omitempty"` // no other sweep's results count for it
	Revision   int                `json:"revision"`            // number of its newest file; the first is 1
	File       string             `json:"file"`                // where that was read
	Text       string             `json:"-"`                   // and what it says
	Versions   map[string]string  `json:"versions"`            // of the programs that read it
	Counts     Counts             `json:"counts"`
}

const selectSweeps = `
	SELECT s.key, s.id, s.name, s.created, s.state, s.reason, s.cause, s.changed, s.accountant, s.delta, s.disclosure, s.own_seeds,
		s.revision, r.file, r.text, r.versions
	FROM sweeps s JOIN revisions r ON r.sweep = s.key AND r.number = s.revision `

func (r *Reader) sweeps(ctx context.Context, where string, args ...any) ([]SweepInfo, error) {
	type row struct {
		key  int64
		info SweepInfo
	}
	rows, err := gather(ctx, r.db, func(rows *sql.Rows) (s row, err error) {
		i := &s.info
		var created, changed, versions string
		if err := rows.Scan(&s.key, &i.ID, &i.Name, &created, &i.State, &i.Reason, &i.Cause, &changed, &i.Accountant, &i.Delta, &i.Disclosure, &i.OwnSeeds,
			&i.Revision, &i.File, &i.Text, &versions); err != nil {
			return s, err
		}
		i.Created, i.Changed = parseTime(created), parseTime(changed)
		return s, json.Unmarshal([]byte(versions), &i.Versions)
	}, selectSweeps+where, args...)
	if err != nil {
		return nil, err
	}
	infos := make([]SweepInfo, len(rows))
	for i, row := range rows {
		infos[i] = row.info
		if infos[i].Counts, err = count(ctx, r.db, row.key); err != nil {
			return nil, err
		}
	}
	return infos, nil
}

const newestFirst = ` ORDER BY s.created DESC, s.key DESC`

// Newest is the sweep that was entered last. If there is none the error wraps [sweep.ErrNotFound].
func (r *Reader) Newest(ctx context.Context) (SweepInfo, error) {
	all, err := r.sweeps(ctx, newestFirst+` LIMIT 1`) // counting the trials of all others would take its time
	if err == nil && len(all) == 0 {
		err = sweep.ErrNotFound
	}
	if err != nil {
		return SweepInfo{}, fmt.Errorf("any sweep: %w", explain(err))
	}
	return all[0], nil
}

// Sweeps are all sweeps of the record, the newest first.
func (r *Reader) Sweeps(ctx context.Context) ([]SweepInfo, error) {
	all, err := r.sweeps(ctx, newestFirst)
	if err != nil {
		return nil, fmt.Errorf("list sweeps: %w", explain(err))
	}
	return all, nil
}

// Sweep finds a sweep by its id, its name, or the start of its id, in this
// order. If several fit the error is an [AmbiguousError]; if none does it wraps
// [sweep.ErrNotFound].
func (r *Reader) Sweep(ctx context.Context, name string) (SweepInfo, error) {
	for _, where := range []string{
		`WHERE s.id = ?`, `WHERE s.name = ?`, `WHERE substr(s.id, 1, length(?1)) = ?1 AND ?1 <> ''`,
	} {
		fit, err := r.sweeps(ctx, where+newestFirst, name)
		switch {
		case err != nil:
			return SweepInfo{}, fmt.Errorf("sweep %q: %w", name, explain(err))
		case len(fit) == 1:
			return fit[0], nil
		case len(fit) > 1:
			ids := make([]string, len(fit))
			for i, s := range fit {
				ids[i] = string(s.ID)
			}
			return SweepInfo{}, ambiguous("sweep", name, ids)
		}
	}
	return SweepInfo{}, fmt.Errorf("sweep %q: %w", name, sweep.ErrNotFound)
}

func ambiguous(what, given string, candidates []string) error {
	shown := candidates[:min(len(candidates), 10)]
	return fmt.Errorf("%s %w", what, &AmbiguousError{given, shown, len(candidates) - len(shown)})
}

// FindByName returns the newest sweep of exactly that name, which a changed
// file of this name would extend. If there is none the error wraps [sweep.ErrNotFound].
func (r *Reader) FindByName(ctx context.Context, name string) (SweepInfo, error) {
	fit, err := r.sweeps(ctx, `WHERE s.name = ?`+newestFirst, name)
	if err == nil && len(fit) == 0 {
		err = sweep.ErrNotFound
	}
	if err != nil {
		return SweepInfo{}, fmt.Errorf("sweep named %q: %w", name, explain(err))
	}
	return fit[0], nil
}

// A Revision is one text of a sweep's file.
type Revision struct {
	Number  int       `json:"number"` // from 1
	Created time.Time `json:"created"`
	File    string    `json:"file"`
	Text    string    `json:"text"`
}

// Revisions are all texts that the sweep's file has had, the first one first.
func (r *Reader) Revisions(ctx context.Context, id sweep.SweepID) ([]Revision, error) {
	all, err := gather(ctx, r.db, func(rows *sql.Rows) (v Revision, err error) {
		var created string
		err = rows.Scan(&v.Number, &created, &v.File, &v.Text)
		v.Created = parseTime(created)
		return v, err
	}, `SELECT r.number, r.created, r.file, r.text FROM sweeps s JOIN revisions r ON r.sweep = s.key WHERE s.id = ? ORDER BY r.number`, id)
	if err == nil && len(all) == 0 {
		err = sweep.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("revisions of sweep %s: %w", id, explain(err))
	}
	return all, nil
}

// parseTime reads the record's own form; anything else is the zero time.
func parseTime(s string) time.Time {
	t, _ := time.Parse(timeFormat, s)
	return t
}
