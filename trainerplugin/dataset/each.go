package dataset

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// eachChunk calls do(from, to) for consecutive pieces of 0 … n-1, of at most size
// each, on as many goroutines as may run at once. It returns the first error by
// place, or context.Cause(ctx) if ctx ended before all pieces were done.
func eachChunk(ctx context.Context, n, size int, do func(from, to int) error) error {
	chunks := (n + size - 1) / size
	errs := make([]error, chunks)
	var next atomic.Int64
	var failed atomic.Bool
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), chunks) {
		workers.Go(func() {
			for !failed.Load() && ctx.Err() == nil {
				c := int(next.Add(1)) - 1
				if c >= chunks {
					return
				}
				if errs[c] = do(c*size, min((c+1)*size, n)); errs[c] != nil {
					failed.Store(true)
				}
			}
		})
	}
	workers.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}
