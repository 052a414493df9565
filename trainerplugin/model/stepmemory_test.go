//go:build linux

package model

import (
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"syscall"
	"testing"
)

// stepVariable gives the batch of TestStepInItsOwnProcess; fullVariable asks
// BenchmarkStepMemory for the paper's batch, which takes a quarter of an hour.
const (
	stepVariable = "SWEEP_STEP_BATCH"
	fullVariable = "SWEEP_BENCH_FULL"
)

// TestStepInItsOwnProcess is the process that BenchmarkStepMemory measures: one
// clipped sum of WRN-16-4 with 16 views on two threads, with the garbage collector
// set as in a trainer's process.
func TestStepInItsOwnProcess(t *testing.T) {
	batch, err := strconv.Atoi(os.Getenv(stepVariable))
	if err != nil {
		t.Skip("only BenchmarkStepMemory runs it")
	}
	debug.SetGCPercent(25)
	e := open(t, "wrn-16-4", Input{32, 32, 3, 10}, 2)
	_, stats := clippedSum(t, e, e.Init(1), noisyBatch(batch, 16, 10), 1)
	if stats.NonFinite > 0 || len(stats.Norms) != batch {
		t.Errorf("%d norms, %d of them not finite", len(stats.Norms), stats.NonFinite)
	}
}

// BenchmarkStepMemory reports the most memory that the whole process of a step
// ever held. It must not grow with the batch.
func BenchmarkStepMemory(b *testing.B) {
	batches := []int{16, 256}
	if os.Getenv(fullVariable) != "" {
		batches = append(batches, 4096)
	}
	for _, n := range batches {
		b.Run(fmt.Sprintf("wrn-16-4/K=16/B=%d", n), func(b *testing.B) {
			var peak int64
			for b.Loop() {
				cmd := exec.Command(os.Args[0], "-test.run=^TestStepInItsOwnProcess$", "-test.timeout=0")
				cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", stepVariable, n))
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
				peak = max(peak, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
			}
			b.ReportMetric(float64(peak)/1024, "peak-MiB") // Maxrss is in KiB on Linux
		})
	}
}
