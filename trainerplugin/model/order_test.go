package model

import (
	"errors"
	"slices"
	"testing"
)

func TestOrder(t *testing.T) {
	o := newOrder(4)
	for want := range 4 {
		if piece, ok := o.claim(); !ok || piece != want {
			t.Fatalf("claimed %d, %v; want %d", piece, ok, want)
		}
	}
	if piece, ok := o.claim(); ok {
		t.Errorf("claimed piece %d of 4", piece)
	}
	var used []int
	commit := func(piece int) { o.commit(piece, func() { used = append(used, piece) }) }
	commit(2)
	commit(1)
	if used != nil {
		t.Errorf("used %v before piece 0 was there", used)
	}
	commit(0)
	if !slices.Equal(used, []int{0, 1, 2}) {
		t.Errorf("used %v, want 0, 1 and 2", used)
	}
	reason := errors.New("enough")
	o.fail(reason)
	o.fail(errors.New("again"))
	commit(3)
	if o.err != reason || len(used) != 3 {
		t.Errorf("after a failure: error %v, used %v", o.err, used)
	}
	<-o.failed
	if _, ok := o.claim(); ok {
		t.Error("a piece was claimed after a failure")
	}
}
