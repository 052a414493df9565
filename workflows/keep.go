package workflows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sweep"
	"sweep/trainerplugin"
	"sweep/workflows/checkpoints"
	"sweep/workflows/spool"
)

const (
	// saveLimit is how long keeping one checkpoint may take: a large one over
	// a slow line. Training goes on without it.
	saveLimit = 5 * time.Minute

	// fetchLimit is how long a store may be away before an attempt is given
	// up. To start over would spend privacy that the checkpoint would save.
	fetchLimit = 10 * time.Minute
)

// A keeper keeps one attempt's checkpoints in the sweep's store, and announces
// each in the report once it is durable there.
type keeper struct {
	store  *checkpoints.Store
	at     string // URL of the store
	spool  spool.Folder
	ref    sweep.AttemptRef
	report *spool.Report

	from     []sweep.CheckpointRef // what the trainer was given
	kept     []sweep.CheckpointRef // what is whole, of this attempt and earlier ones
	params   sweep.Params          // of the trial, by which evaluations are told apart
	accuracy float64               // of the last evaluation that decides
}

// openStore opens the store at the address, "" being the folder of the trials.
func openStore(ctx context.Context, address string, trials spool.Folder) (*checkpoints.Store, error) {
	if address == "" {
		return checkpoints.OpenFolder(string(trials))
	}
	return checkpoints.Open(ctx, address)
}

// fetch puts what the attempt can go on from into its folder. What is of no
// use is noted in the report, and the checkpoint before it serves. A store that
// cannot be read is waited for.
func (k *keeper) fetch(ctx context.Context, from []sweep.CheckpointRef) error {
	deadline := time.Now().Add(fetchLimit)
	for _, c := range from {
		err := k.fetchOne(ctx, c, deadline)
		if errors.Is(err, checkpoints.ErrDamaged) {
			err = k.flawed(c, err.Error())
		} else if err == nil {
			k.from = append(k.from, c)
		}
		if err != nil {
			return err
		}
	}
	k.kept = slices.Clone(k.from)
	return nil
}

func (k *keeper) fetchOne(ctx context.Context, c sweep.CheckpointRef, deadline time.Time) error {
	limited, cancel := context.WithDeadline(ctx, deadline) // the clouds' own libraries may try for ever
	defer cancel()
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		err := k.fetchFrom(limited, c)
		if err == nil || errors.Is(err, checkpoints.ErrDamaged) {
			return err
		}
		if time.Now().Add(wait).After(deadline) {
			return fmt.Errorf("%w: %w", errCutOff, err)
		}
		if wait == time.Second {
			if err := k.report.Append(trainerplugin.Note{Text: fmt.Sprintf("waiting for the store of checkpoints, for up to %v: %v", fetchLimit, err)}); err != nil {
				return err
			}
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// fetchFrom fetches c from the store that has it: a resumed sweep may have been
// given another one.
func (k *keeper) fetchFrom(ctx context.Context, c sweep.CheckpointRef) (err error) {
	store := k.store
	if c.Store != k.at {
		if store, err = openStore(ctx, c.Store, k.spool); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, store.Close()) }()
	}
	return store.Fetch(ctx, k.ref.Trial, c, k.spool.Work(k.ref))
}

func (k *keeper) flawed(c sweep.CheckpointRef, reason string) error {
	return errors.Join(
		k.report.Flawed(sweep.Flaw{Checkpoint: c, Reason: reason}),
		k.report.Append(trainerplugin.Note{Text: fmt.Sprintf("checkpoint of step %d by attempt %d passed over: %s", c.Step, c.Attempt, reason)}),
	)
}

// event reports what the trainer says. A checkpoint counts when it is kept. An
// attempt that was believed dead ends here, if it sees the trials' folder; if
// not, the record refuses what it says.
func (k *keeper) event(ctx context.Context, e trainerplugin.Event) error {
	if k.spool.Superseded(k.ref) {
		return sweep.ErrFenced
	}
	switch e := e.(type) {
	case trainerplugin.Started:
		if err := k.report.Append(e); err != nil {
			return err
		}
		return k.started(e)
	case trainerplugin.Evaluation:
		if e.Decides(k.params) { // no checkpoint is kept for its test figure
			k.accuracy = e.Accuracy
		}
	case trainerplugin.Checkpoint:
		return k.keep(ctx, e)
	}
	return k.report.Append(e)
}

// started notes which of the checkpoints that it was given the trainer itself
// has passed over; its own notes say why.
func (k *keeper) started(s trainerplugin.Started) error {
	for _, c := range k.from {
		if c.Step <= s.Step {
			continue
		}
		k.kept = slices.DeleteFunc(k.kept, func(x sweep.CheckpointRef) bool { return x == c })
		if err := k.report.Flawed(sweep.Flaw{Checkpoint: c, Reason: "the trainer passed it over"}); err != nil {
			return err
		}
	}
	return nil
}

// keep saves a checkpoint, and removes those that are no longer needed. One
// that cannot be saved costs the way back, not the trial.
func (k *keeper) keep(ctx context.Context, e trainerplugin.Checkpoint) error {
	c := sweep.CheckpointRef{
		Attempt: k.ref.Number, Step: e.Step, File: e.File, Digest: e.Digest, Bytes: e.Bytes, Accuracy: k.accuracy, Store: k.at,
	}
	// The last checkpoint of a trainer that is told to stop is worth most.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveLimit)
	defer cancel()
	if err := k.store.Save(ctx, k.ref.Trial, c, k.spool.Work(k.ref)); err != nil {
		return k.report.Append(trainerplugin.Note{Step: e.Step, Text: fmt.Sprintf("training goes on without a checkpoint: %v", err)})
	}
	if err := k.report.Kept(c); err != nil {
		return err
	}
	before := append(slices.DeleteFunc(k.kept, func(x sweep.CheckpointRef) bool { return x.Attempt == c.Attempt && x.File == c.File }), c)
	k.kept = sweep.KeptCheckpoints(before)
	unwanted := slices.DeleteFunc(before, func(x sweep.CheckpointRef) bool { return x.Store != k.at || slices.Contains(k.kept, x) })
	_ = k.store.Remove(ctx, k.ref.Trial, unwanted...) // what stays does no harm, and goes when the trial is recorded
	return nil
}
