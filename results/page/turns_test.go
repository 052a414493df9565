package page

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestPagesTakeTurns holds as many pages as are made at once: one more waits until
// one of them is done, and whoever leaves meanwhile is let go.
func TestPagesTakeTurns(t *testing.T) {
	s := &Site{turns: make(chan struct{}, pagesAtOnce)}
	begun, finish := make(chan struct{}, pagesAtOnce+1), make(chan struct{})
	page := s.inTurn(func(http.ResponseWriter, *http.Request) error {
		begun <- struct{}{}
		<-finish
		return nil
	})
	ended := make(chan error, pagesAtOnce+1)
	visit := func(ctx context.Context) {
		ended <- page(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/", nil))
	}
	for range pagesAtOnce {
		go visit(t.Context())
	}
	for range pagesAtOnce {
		<-begun
	}
	ctx, leave := context.WithCancel(t.Context())
	go visit(ctx)
	leave()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("a visitor who left while all turns were taken was told %v", err)
	}
	go visit(t.Context())
	select {
	case <-begun:
		t.Error("a page began while all turns were taken")
	default:
	}
	finish <- struct{}{}
	<-begun // the waiting one has its turn now
	close(finish)
	for range pagesAtOnce + 1 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
