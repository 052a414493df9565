package main

import (
	"context"
	"errors"
	"time"

	"sweep/workflows"
)

// errStale says that the embedded server of this process must start afresh, with
// an empty database: the clock of the machine was set back.
var errStale = errors.New("the embedded server must start afresh")

// carried are the sweeps that ran in a server which starts afresh, each with what
// another workflow has to know to go on as it did.
type carried struct{ sweeps []workflows.SweepInput }

// take asks the workflows that run in the server of h. They answer while its timers
// stand still. One that does not can be resumed by hand.
func (k *carried) take(h *host, r role) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ids, err := openSweeps(ctx, h)
	for _, id := range ids {
		in, asking := workflows.Input(ctx, h.client, id)
		if asking == nil {
			k.sweeps = append(k.sweeps, in)
		}
		err = errors.Join(err, asking)
	}
	if err != nil {
		r.logger.Warn("a sweep that ran is not started again; `sweep resume` does", "reason", err.Error())
	}
}

// start starts them again in the server of h.
func (k *carried) start(ctx context.Context, h *host) error {
	if k == nil {
		return nil
	}
	for _, in := range k.sweeps {
		if err := workflows.Start(ctx, h.client, h.namespace, h.served(workflows.SweepQueue), in); err != nil {
			return err
		}
	}
	k.sweeps = nil
	return nil
}

// stale is closed when the server of this process must start afresh; nil if it
// runs none.
func (h *host) stale() <-chan struct{} {
	if h.server == nil {
		return nil
	}
	return h.server.Stale()
}

func (h *host) isStale() bool {
	select {
	case <-h.stale():
		return true
	default:
		return false
	}
}
