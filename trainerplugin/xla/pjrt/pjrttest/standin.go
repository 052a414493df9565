// Package pjrttest builds a PJRT plugin that stands in for a real one in tests:
// testdata/standin.c says what it watches.
package pjrttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"sweep/trainerplugin/xla/pjrt"
)

// Build compiles the stand-in with the machine's C compiler, in the variant that
// flags choose, and returns the path of a copy that is the test's own: it has
// counted nothing yet. Where there is no compiler the test is skipped.
func Build(t testing.TB, flags ...string) string {
	t.Helper()
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	compiler, err := exec.LookPath(cc)
	if err != nil {
		t.Skipf("no stand-in plugin: there is no C compiler: %v", err)
	}
	library, err := compile(compiler, strings.Join(flags, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "standin.so")
	if err := os.WriteFile(path, library, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var built sync.Map // flags → func() ([]byte, error)

// compile returns the library, which it makes once for each set of flags.
func compile(compiler, flags string) ([]byte, error) {
	do, _ := built.LoadOrStore(flags, sync.OnceValues(func() ([]byte, error) {
		_, here, _, _ := runtime.Caller(0)
		dir, err := os.MkdirTemp("", "standin-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		library := filepath.Join(dir, "standin.so")
		args := []string{"-shared", "-fPIC", "-fvisibility=hidden", "-Wall", "-Werror",
			"-I", filepath.Dir(filepath.Dir(here)), "-o", library, filepath.Join(filepath.Dir(here), "testdata", "standin.c")}
		if flags != "" {
			args = append(args, strings.Split(flags, "\n")...)
		}
		if out, err := exec.Command(compiler, args...).CombinedOutput(); err != nil {
			return nil, &buildError{err, string(out)}
		}
		return os.ReadFile(library)
	}))
	return do.(func() ([]byte, error))()
}

type buildError struct {
	err    error
	output string
}

func (e *buildError) Error() string {
	return "build the stand-in plugin: " + e.err.Error() + "\n" + e.output
}

// Open builds and opens the stand-in. When the test ends, all that was made with
// it must have been closed, and nothing of what it watches have gone wrong.
func Open(t testing.TB, flags ...string) *pjrt.Plugin {
	t.Helper()
	p, err := pjrt.Open(Build(t, flags...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for name, n := range Counts(t, p) {
			if n != 0 && name != "executions" {
				t.Errorf("when the test ends the stand-in counts %d %s", n, name)
			}
		}
	})
	return p
}

// Counts are what the stand-in p has counted: objects that are alive, programs
// that were run, and violations of the contract.
func Counts(t testing.TB, p *pjrt.Plugin) map[string]int64 {
	t.Helper()
	all, err := p.Attributes()
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]int64)
	for name, v := range all {
		if n, ok := v.(int64); ok {
			counts[name] = n
		}
	}
	if len(counts) < 7 {
		t.Fatalf("the plugin is no stand-in: %v", all)
	}
	return counts
}
