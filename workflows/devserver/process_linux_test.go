package devserver

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The start time of a new process is the time since boot, which /proc/uptime
// gives in seconds; proc(5)'s ticks are hundredths of one.
func TestProcessStart(t *testing.T) {
	p := exec.Command("sleep", "60")
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	var uptime float64
	if _, err := fmt.Sscan(string(text), &uptime); err != nil {
		t.Fatal(err)
	}
	ticks, alive := processStart(p.Process.Pid)
	if !alive || math.Abs(float64(ticks)/100-uptime) > 2 {
		t.Errorf("started at %d ticks, alive %v; %.2f s after boot", ticks, alive, uptime)
	}
	identity := formatIdentity("gpu", p.Process.Pid)
	reused := strings.TrimSuffix(identity, fmt.Sprint(ticks)) + fmt.Sprint(ticks-1)
	if DeadHere(identity) || !DeadHere(reused) {
		t.Errorf("dead: %v, want false; dead when its pid was another's before: %v, want true", DeadHere(identity), DeadHere(reused))
	}

	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !DeadHere(identity); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a killed process that nobody has waited for counts as alive")
		}
	}
	p.Wait() // says that it was killed
	if !DeadHere(identity) {
		t.Error("a killed process counts as alive")
	}
}

func TestParseStat(t *testing.T) {
	fields := func(state string) string {
		return state + strings.Repeat(" 0", 18) + " 4711 99 98" // the state is field 3, the start time 22
	}
	for text, want := range map[string]struct {
		ticks uint64
		alive bool
	}{
		"42 (sweep) " + fields("S"):        {4711, true},
		"42 (a) S 1 (b) c) " + fields("R"): {4711, true},
		"42 (sweep) " + fields("Z"):        {4711, false},
		"42 (sweep) S 1 2":                 {0, true},
		"":                                 {0, true},
		"42 (sweep) S" + strings.Repeat(" x", 30): {0, true},
	} {
		if ticks, alive := parseStat(text); ticks != want.ticks || alive != want.alive {
			t.Errorf("%q: %d, %v; want %d, %v", text, ticks, alive, want.ticks, want.alive)
		}
	}
}
