package trainerplugin

import "testing"

func TestMemoryKills(t *testing.T) {
	for text, want := range map[string]int64{
		"drop_slab 0\noom_kill 3\nhtlb_buddy_alloc_success 0\n": 3,
		"oom_kill 12": 12, "oom_kill_other 4\n": 0, "": 0, "oom_kill x\n": 0,
	} {
		if got := memoryKillsIn([]byte(text)); got != want {
			t.Errorf("%q: %d kills, want %d", text, got, want)
		}
	}
}
