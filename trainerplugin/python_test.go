package trainerplugin_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sweep"
	"sweep/trainerplugin"
	"sweep/trainerplugin/trainertest"
)

// python finds an interpreter that has what the example imports.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("SWEEP_TEST_PYTHON"), "../.venv/bin/python3", "python3"} {
		path, err := exec.LookPath(name)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err == nil && exec.Command(path, "-c", "import grpc, google.protobuf, cryptography").Run() == nil {
			return path
		}
	}
	t.Skip("SKIPPED: the Python example was not run: no python3 with grpcio, protobuf and cryptography; " +
		"`python3 -m venv .venv && .venv/bin/pip install grpcio protobuf cryptography` at the top of the repository makes one")
	return ""
}

// The example of the README keeps the whole contract, its script verified.
func TestPythonExample(t *testing.T) {
	t.Parallel()
	interpreter := python(t)
	script, err := filepath.Abs("testdata/python/trainer.py")
	if err != nil {
		t.Fatal(err)
	}
	p := sweep.Params{
		Trainer: "sha256:" + digestOfFile(t, script),
		Data:    sweep.Data{Name: "points", Train: 1000}, Model: "logistic", Batch: 100, Clip: 1, Noise: 1,
		LearnRate: 1, Steps: 60, EMA: 0.9, NoiseFrom: sweep.Seeded, Seed: 7,
	}
	o := options(t, "")
	o.Command, o.SHA256 = []string{interpreter, script}, p.Trainer
	open := func(t *testing.T) trainerplugin.Trainer {
		o := o
		o.Env = []string{tagName + "=" + newTag(), "PYTHONDONTWRITEBYTECODE=1"}
		return launch(t, o)
	}
	trainertest.Run(t, open, trainerplugin.Job{Params: p, Threads: 1})
}
