package trainerplugin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sweep"
	"sweep/trainerplugin"
	"sweep/trainerplugin/trainertest"
)

// The test binary is also the shim, the trainers, and the host that is killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "shim" {
		os.Exit(trainerplugin.RunShim(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == "host" {
		os.Exit(runHost(os.Args[2]))
	}
	trainertest.ServeFromEnv()
	os.Exit(m.Run())
}

// runHost is a host in a process of its own: it launches a trainer, trains a
// long trial, says when it is under way, and waits to be killed.
func runHost(mode string) int {
	path, err := os.Executable()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	p, err := trainerplugin.Launch(context.Background(), trainerplugin.LaunchOptions{
		Command: []string{path},
		Shim:    []string{path, "shim"},
		Env:     []string{trainertest.Variable + "=" + mode, tagName + "=" + os.Getenv(tagName)},
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer p.Close()
	j := baseJob()
	j.Params.Options = map[string]string{trainertest.StepTimeOption: "1h"}
	j.Trial, j.Dir = j.Params.ID(), os.TempDir()
	_, err = p.Train(context.Background(), j, func(trainerplugin.Event) error {
		fmt.Println("training")
		return nil
	})
	fmt.Println(err)
	return 1
}

// job is a trial of the fake trainer that takes about 0.1 s.
func job(t *testing.T) trainerplugin.Job {
	t.Helper()
	j := baseJob()
	j.Dir = t.TempDir()
	return j
}

func baseJob() trainerplugin.Job {
	p := sweep.Params{
		Data: sweep.Data{Name: "glyphs", Train: 1000, Validation: 200}, Model: "fake", Batch: 100, Clip: 1, Noise: 1.5,
		LearnRate: 2, Steps: 40, EMA: 0.9, NoiseFrom: sweep.Seeded, Seed: 7,
		Options: map[string]string{trainertest.StepTimeOption: "2ms"},
	}
	return trainerplugin.Job{Trial: p.ID(), Params: p, Threads: 1}
}

func self(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// options launch this binary as the trainer named.
func options(t testing.TB, mode string) trainerplugin.LaunchOptions {
	return trainerplugin.LaunchOptions{
		Command:      []string{self(t)},
		Shim:         []string{self(t), "shim"},
		Env:          []string{trainertest.Variable + "=" + mode, tagName + "=" + newTag()},
		StartTimeout: 30 * time.Second,
		StopGrace:    5 * time.Second,
	}
}

// launch starts a trainer and, after the test, checks that nothing is left of it.
func launch(t *testing.T, o trainerplugin.LaunchOptions) *trainerplugin.Process {
	t.Helper()
	p, err := trainerplugin.Launch(t.Context(), o)
	if err != nil {
		if launch, ok := errors.AsType[*trainerplugin.LaunchError](err); ok {
			t.Log(launch.LogTail)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		nothingLeft(t, tagOf(o))
	})
	return p
}

// tagName names the variable by which a test recognises what one launch
// started: all descendants inherit it.
const tagName = "SWEEP_TEST_TAG"

var tags atomic.Int64

func newTag() string { return fmt.Sprintf("%d/%d", os.Getpid(), tags.Add(1)) }

func tagOf(o trainerplugin.LaunchOptions) string {
	for _, pair := range o.Env {
		if tag, ok := strings.CutPrefix(pair, tagName+"="); ok {
			return tag
		}
	}
	return ""
}

// tagged lists the live processes that carry the tag.
func tagged(t testing.TB, tag string) (pids []int) {
	t.Helper()
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil || len(environs) == 0 {
		t.Skip("this system has no /proc to look for processes in")
	}
	for _, path := range environs {
		env, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(append([]byte{0}, env...), []byte("\x00"+tagName+"="+tag+"\x00")) {
			continue // gone, another user's, or none of ours
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func nothingLeft(t testing.TB, tag string) {
	t.Helper()
	// A killed process may take a moment to be gone.
	for limit := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		left := tagged(t, tag)
		if len(left) == 0 {
			return
		}
		if time.Now().After(limit) {
			t.Errorf("processes left running: %v", left)
			return
		}
	}
}
