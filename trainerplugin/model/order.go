package model

import "sync"

// An order lets goroutines that work on numbered pieces hand in their results
// by number, so that a sum of floats does not depend on who was faster.
type order struct {
	mu      sync.Mutex
	turn    sync.Cond
	pieces  int
	claimed int
	done    int
	err     error // the first failure; it ends the work
}

func newOrder(pieces int) *order {
	o := &order{pieces: pieces}
	o.turn.L = &o.mu
	return o
}

// claim returns the next piece to work on. Pieces are claimed by rising
// number, so whoever waits in commit waits for someone at work.
func (o *order) claim() (piece int, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil || o.claimed == o.pieces {
		return 0, false
	}
	o.claimed++
	return o.claimed - 1, true
}

// commit calls do once all pieces before this one are committed, unless the
// work failed.
func (o *order) commit(piece int, do func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.done != piece && o.err == nil {
		o.turn.Wait()
	}
	if o.err != nil {
		return
	}
	do()
	o.done++
	o.turn.Broadcast()
}

// fail ends the work.
func (o *order) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
	o.turn.Broadcast()
}
