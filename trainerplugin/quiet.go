package trainerplugin

import (
	"sync/atomic"
	"time"
)

// quietTicks is into how many ticks a silence is divided.
const quietTicks = 16

// A quiet counts silence in ticks instead of reading the clock. Time in which
// this process was itself frozen, or the machine asleep, is then one tick
// however long it was, and not held against the trainer.
type quiet struct {
	limit  time.Duration
	ticker *time.Ticker
	ticks  atomic.Int32
}

func newQuiet(limit time.Duration) *quiet {
	return &quiet{limit: limit, ticker: time.NewTicker(max(limit/quietTicks, 1))}
}

func (q *quiet) tick() <-chan time.Time { return q.ticker.C }
func (q *quiet) reset()                 { q.ticks.Store(0) }
func (q *quiet) stop()                  { q.ticker.Stop() }

// over counts a tick and says whether the limit is reached.
func (q *quiet) over() bool { return q.ticks.Add(1) > quietTicks }
