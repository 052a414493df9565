package main

import (
	"context"
	"log/slog"
	"time"

	"sweep/results"
	"sweep/workflows/devserver"
)

const (
	lookForDead = 2 * time.Second // between two looks
	reapTimes   = 3               // of one worker: a workflow that has just begun is not yet in the server's list
)

// watchWorkers ends the attempts of workers on this machine as soon as their
// process is dead, until the host is closed: others then go on from their
// checkpoints within seconds, and not when ten have passed without a
// heartbeat. Of workers on other machines nothing but their heartbeat is known.
func (h *host) watchWorkers(record *results.Reader, logger *slog.Logger) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	h.closers = append(h.closers, func() error {
		stop()
		<-ended
		return nil
	})
	go func() {
		defer close(ended)
		tick := time.NewTicker(lookForDead)
		defer tick.Stop()
		reaped := map[string]int{}
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := h.reapDead(ctx, record, reaped); err != nil && ctx.Err() == nil {
				logger.Warn("attempts of workers that have died end when their heartbeat is missed", "reason", err.Error())
			}
		}
	}()
}

// reapDead is one look. It counts in reaped how often each worker was found dead.
func (h *host) reapDead(ctx context.Context, record *results.Reader, reaped map[string]int) error {
	workers, err := record.OpenWorkers(ctx)
	if err != nil {
		return err
	}
	died := false
	for _, w := range workers {
		if reaped[w] < reapTimes && devserver.DeadHere(w) {
			reaped[w]++
			died = true
		}
	}
	if !died {
		return nil
	}
	_, err = devserver.Reap(ctx, h.client, h.namespace, devserver.DeadHere)
	return err
}
