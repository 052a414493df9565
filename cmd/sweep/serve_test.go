package main

import (
	"context"
	"errors"
	"testing"
)

// A server that is told to end while it starts ends well; one that cannot start
// says why.
func TestServeEndsWhileItStarts(t *testing.T) {
	broken := errors.New("no room for a server")
	ctx, stop := context.WithCancel(t.Context())
	open := func(ctx context.Context, _ role) (*host, error) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, broken
	}
	if err := serveOnce(ctx, nil, role{}, open, talker{}); !errors.Is(err, broken) {
		t.Errorf("error %v, want that it cannot start", err)
	}
	stop()
	if err := serveOnce(ctx, nil, role{}, open, talker{}); err != nil {
		t.Errorf("told to end while it starts: %v", err)
	}
}
