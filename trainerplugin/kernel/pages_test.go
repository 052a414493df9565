package kernel

import "testing"

// Arrays that hold large pages begin at a cache line and are zero like others.
func TestLargeAlloc(t *testing.T) {
	for _, n := range []int{1 << 19, 1<<20 + 5, 3 << 19} {
		x := Alloc(n)
		if len(x) != n || cap(x) != n {
			t.Errorf("%d numbers of %d", len(x), n)
		}
		for i, v := range x {
			if v != 0 {
				t.Fatalf("number %d is %v", i, v)
			}
			x[i] = 1
		}
	}
}
