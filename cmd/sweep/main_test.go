package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sweep/trainerplugin"
	"sweep/trainerplugin/trainertest"
)

// These shorten, for the sweeps that a process starts, how long a worker may be
// silent, how long a background server waits for the next sweep, and how long a
// sweep has to end when it is told to.
const (
	lostAfterVariable = "SWEEP_TEST_LOST_AFTER"
	idleForVariable   = "SWEEP_TEST_IDLE_FOR"
	endWithinVariable = "SWEEP_TEST_END_WITHIN"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == shimVerb { // of a trainer that this very process has launched
		os.Exit(trainerplugin.RunShim(os.Args[2:]))
	}
	testscript.Main(m, map[string]func(){
		"sweep": func() {
			for name, limit := range map[string]*time.Duration{lostAfterVariable: &lostAfter, idleForVariable: &idleFor, endWithinVariable: &endWithin} {
				if text, ok := os.LookupEnv(name); ok {
					var err error
					if *limit, err = time.ParseDuration(text); err != nil {
						panic(err)
					}
				}
			}
			main()
		},
		"witness":        serveWitness,
		"broken-trainer": trainertest.ServeFromEnv,
		"fake-trainer":   func() { trainerplugin.Serve(trainertest.Fake{}) },
		"tattler":        func() { trainerplugin.Serve(tattler{}) },
	})
}

// fakeTrainer is what a sweep file says of the fake as an external trainer,
// for tests whose trials have to last a certain time.
func fakeTrainer(t *testing.T) string {
	t.Helper()
	return externalTrainer(t, "fake-trainer")
}

func externalTrainer(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`trainer: {command: [%q], sha256: "%x"}`, path, h.Sum(nil))
}

// slow skips a test that takes half a minute, unless it was asked for.
func slow(t *testing.T) {
	t.Helper()
	if os.Getenv("SWEEP_SLOW") == "" {
		t.Skip("SKIPPED: it takes half a minute; `make slow`, which .ci/run runs, or `make slower`")
	}
}

// TestScripts runs what people type; the scripts are in testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			for _, name := range []string{"TEMPORAL_ADDRESS", "TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE", "SWEEP_DB"} {
				e.Setenv(name, "")
			}
			e.Setenv("SWEEP_DATA_DIR", e.WorkDir+"/data")
			e.Setenv(idleForVariable, "3s")
			return nil
		},
	})
}
