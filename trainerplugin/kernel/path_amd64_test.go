package kernel

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// A path runs only where every instruction of its kernels exists. The
// assembler names the extensions of each function's instructions, by Intel's
// tables; those of registers are checked besides: EVEX forms of X and Y
// registers, which alone reach numbers 16 and above, need AVX512VL.
func TestDispatchAsksForWhatKernelsUse(t *testing.T) {
	source, err := os.ReadFile("kernels_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	function := regexp.MustCompile(`(?m)^// Requires: (.*)\nTEXT ·(\w+)\(SB\)((?:.*\n)+?\tRET)$`)
	wide := regexp.MustCompile(`\b(Z[0-9]+|K[0-7])\b`)
	high := regexp.MustCompile(`\b[XY](1[6-9]|2[0-9]|3[01])\b`)
	found := function.FindAllStringSubmatch(string(source), -1)
	if all := strings.Count(string(source), "\nTEXT "); len(found) != all || all == 0 {
		t.Fatalf("%d functions, of which %d say what they require", all, len(found))
	}
	for _, f := range found {
		requires, name, code := strings.Split(f[1], ", "), f[2], f[3]
		asked := needsAVX2
		if strings.Contains(name, "AVX512") {
			asked = needsAVX512
		} else if m := wide.FindString(code); m != "" {
			t.Errorf("%s uses %s on the AVX2 path", name, m)
		}
		if m := high.FindString(code); m != "" {
			t.Errorf("%s uses %s, of AVX512VL, which no path asks for", name, m)
		}
		names := map[string]bool{"SSE": true, "SSE2": true} // every amd64 has them
		for _, e := range asked {
			names[e.name] = true
		}
		for _, r := range requires {
			if !names[r] {
				t.Errorf("%s requires %s, which its path does not ask for", name, r)
			}
		}
	}
}
