package model

import "sync"

// An order lets goroutines that work on numbered pieces hand in their results
// by number, so that a sum of floats does not depend on who was faster.
type order struct {
	pieces int
	failed chan struct{} // closed by the first failure

	mu      sync.Mutex
	claimed int
	done    int            // pieces whose results were used
	results map[int]func() // of pieces that wait for one before them
	using   bool           // somebody uses results
	err     error          // the first failure; it ends the work
}

func newOrder(pieces int) *order {
	return &order{pieces: pieces, failed: make(chan struct{}), results: map[int]func(){}}
}

// claim returns the next piece to work on. Pieces are claimed by rising number.
func (o *order) claim() (piece int, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil || o.claimed == o.pieces {
		return 0, false
	}
	o.claimed++
	return o.claimed - 1, true
}

// commit hands in a piece. Use is called once all pieces before it were used,
// by whoever handed in the last of them; commit waits for nobody. Unless the
// work fails, all have been used when every commit has returned.
func (o *order) commit(piece int, use func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.results[piece] = use
	if o.using {
		return
	}
	o.using = true
	for next := o.results[o.done]; next != nil && o.err == nil; next = o.results[o.done] {
		delete(o.results, o.done)
		o.mu.Unlock()
		next()
		o.mu.Lock()
		o.done++
	}
	o.using = false
}

// fail ends the work.
func (o *order) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
		close(o.failed)
	}
}
