package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"

	"sweep"
	"sweep/results"
	"sweep/search"
	"sweep/trainerplugin"
	"sweep/workflows"
	"sweep/workflows/spool"
)

// suggester has the strategies of sweeps add trials to the record.
func suggester(store *results.Store) func(context.Context, sweep.SweepID, int) (bool, error) {
	suggesters := &suggesters{of: map[sweep.SweepID]*search.Suggester{}}
	return func(ctx context.Context, id sweep.SweepID, n int) (bool, error) {
		info, err := store.Sweep(ctx, string(id))
		if err != nil {
			return false, err
		}
		g, err := suggesters.take(info)
		if err != nil || !g.Sweep().Adaptive() {
			return false, err
		}
		for {
			more, err := suggest(ctx, store, id, g, n)
			if errors.Is(err, results.ErrGrown) && ctx.Err() == nil {
				continue
			}
			if more {
				suggesters.keep(id, g)
			}
			return more, err
		}
	}
}

// suggesters remember for each sweep what its strategy worked out. Each serves
// one caller at a time: a second one makes its own.
type suggesters struct {
	mu sync.Mutex
	of map[sweep.SweepID]*search.Suggester
}

// take takes the sweep's suggester, a new one if its file has changed.
func (s *suggesters) take(info results.SweepInfo) (*search.Suggester, error) {
	s.mu.Lock()
	g := s.of[info.ID]
	delete(s.of, info.ID)
	s.mu.Unlock()
	if g != nil && g.Sweep().Text == info.Text {
		return g, nil
	}
	parsed, err := search.Parse(info.File, []byte(info.Text))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", workflows.ErrBadFile, err) // another version wrote it
	}
	if info.OwnSeeds {
		parsed = parsed.WithOwnSeeds(info.ID)
	}
	return search.NewSuggester(parsed, calibrate), nil
}

func (s *suggesters) keep(id sweep.SweepID, g *search.Suggester) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[id] = g
}

// suggest adds about n trials, if the strategy has any at this point, and
// reports whether it may have others later.
func suggest(ctx context.Context, store *results.Store, id sweep.SweepID, g *search.Suggester, n int) (more bool, err error) {
	known, err := knownTrials(ctx, store.Reader, id)
	if err != nil {
		return false, err
	}
	trials, done, err := g.Suggest(known, n)
	if err != nil {
		return false, fmt.Errorf("%w: %w", workflows.ErrBadFile, err)
	}
	if len(trials) > 0 {
		_, err = store.AddTrials(ctx, id, len(known), records(slices.Values(trials)))
	}
	return !done, err
}

// knownTrials are the sweep's trials as its strategy has to know them.
func knownTrials(ctx context.Context, record *results.Reader, id sweep.SweepID) ([]search.Known, error) {
	asked, err := record.Asked(ctx, id)
	known := make([]search.Known, len(asked))
	for i, t := range asked {
		known[i] = search.Known(t)
	}
	return known, err
}

// keptTrials are trials that the strategy of a sweep asked for earlier, in so far
// as s, which may be a changed text of its file, still has room for them.
func keptTrials(ctx context.Context, record *results.Reader, id sweep.SweepID, s *search.Sweep) ([]search.Trial, error) {
	if !s.Adaptive() {
		return nil, nil
	}
	known, err := knownTrials(ctx, record, id)
	if errors.Is(err, sweep.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return s.Keep(known, calibrate)
}

// trialRecords yields the trials that s lists, and the kept ones, in the record's
// terms; of a private selection, what stands for it in the sweep of that id.
func trialRecords(id sweep.SweepID, s *search.Sweep, kept []search.Trial) func(yield func(results.TrialRecord, error) bool) {
	if s.Disclosure == sweep.PrivateSelect {
		return selectionRecords(id, s)
	}
	return func(yield func(results.TrialRecord, error) bool) {
		for t, err := range s.Trials(calibrate) {
			if !yield(recordOf(t), err) {
				return
			}
		}
		records(slices.Values(kept))(yield)
	}
}

func records(trials func(func(search.Trial) bool)) func(yield func(results.TrialRecord, error) bool) {
	return func(yield func(results.TrialRecord, error) bool) {
		for t := range trials {
			if !yield(recordOf(t), nil) {
				return
			}
		}
	}
}

func recordOf(t search.Trial) results.TrialRecord {
	return results.TrialRecord{
		Params: t.Params, Index: t.Index, Repeat: t.Repeat, Label: t.Label,
		TargetEpsilon: t.Target.Epsilon, Delta: t.Target.Delta, Asked: t.Asked, Proxy: t.Proxy,
	}
}

func selectionRecords(id sweep.SweepID, s *search.Sweep) func(yield func(results.TrialRecord, error) bool) {
	return func(yield func(results.TrialRecord, error) bool) {
		all, err := s.Selections(id, calibrate)
		if err != nil {
			yield(results.TrialRecord{}, err)
			return
		}
		for _, sel := range all {
			r := recordOf(sel.Slot)
			r.Select = &sel.Event
			if !yield(r, nil) {
				return
			}
		}
	}
}

// drawTrials draws the trials of a private selection.
func drawTrials(sel sweep.Selection) ([]spool.Drawn, error) {
	s, err := search.Parse(sel.File, []byte(sel.Text))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", trainerplugin.ErrRefused, err) // another version wrote it
	}
	trials, err := s.Draw(sel.Target, calibrate, rand.Reader)
	drawn := make([]spool.Drawn, len(trials))
	for i, t := range trials {
		drawn[i] = spool.Drawn{Params: t.Params, Label: t.Label}
	}
	return drawn, err
}
