package builtin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"sweep"
	"sweep/trainerplugin"
	"sweep/trainerplugin/dataset"
	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/kernel"
	"sweep/trainerplugin/model"
)

// shared keeps the glyphs that all tests read.
var shared Trainer

// job is a small trial on glyphs.
func job(t *testing.T, change func(*sweep.Params)) trainerplugin.Job {
	t.Helper()
	p := sweep.Params{
		Data: sweep.Data{Name: "glyphs", Train: 1000, Validation: 200}, Model: "linear",
		Batch: 32, Clip: 1, Noise: 0.5, LearnRate: 0.5, Steps: 4, EMA: 0.9,
		NoiseFrom: sweep.Seeded, Seed: 11,
	}
	if change != nil {
		change(&p)
	}
	return trainerplugin.Job{Trial: p.ID(), Params: p, Dir: t.TempDir(), Threads: 1}
}

func ignore(trainerplugin.Event) error { return nil }

func TestDescribe(t *testing.T) {
	d, err := shared.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d.Name != "sweep-builtin" || d.Version == "" || d.Devices[0] != "cpu" {
		t.Errorf("%+v", d)
	}
	if !slices.Contains(d.Models, "tanh-cnn") || !slices.Contains(d.Datasets, "glyphs") || !slices.Contains(d.Datasets, "mnist") {
		t.Errorf("%+v", d)
	}
}

func TestCheck(t *testing.T) {
	e, err := shared.Check(t.Context(), job(t, func(p *sweep.Params) { p.Model = "tanh-cnn" }))
	if err != nil {
		t.Fatal(err)
	}
	// 26,010 weights: Papernot et al. 2021, table 1. Their weights, sum and
	// average, and the pixels, are the least that there is to hold.
	least := int64(26010*16 + (1200+dataset.GlyphTest)*28*28)
	if e.Parameters != 26010 || e.TrainExamples != 1200 || e.MemoryBytes < least || e.MemoryBytes > 1<<30 ||
		e.ExampleFLOP < 1e6 || e.Microbatch < 1 || !strings.HasPrefix(e.DataDigest, "sha256:") {
		t.Errorf("%+v", e)
	}
}

// Wide ResNets have names beyond the list that Describe gives.
func TestCheckKnowsFamilies(t *testing.T) {
	j := job(t, func(p *sweep.Params) { p.Model = "wrn-10-1" })
	if e, err := shared.Check(t.Context(), j); err != nil || e.Parameters < 70_000 {
		t.Errorf("%+v, error %v", e, err)
	}
}

func TestCheckRefuses(t *testing.T) {
	empty := t.TempDir()
	damaged := t.TempDir()
	if err := os.Mkdir(filepath.Join(damaged, "mnist"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"} {
		if err := os.WriteFile(filepath.Join(damaged, "mnist", name), []byte("no images"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for want, change := range map[string]func(*trainerplugin.Job){
		`unknown model "tanh-cn"; did you mean "tanh-cnn"?`:                       func(j *trainerplugin.Job) { j.Params.Model = "tanh-cn" },
		`unknown data set "glyph"`:                                                func(j *trainerplugin.Job) { j.Params.Data.Name = "glyph" },
		"batch_size: 1001; the expected batch is 1 to the 1000 training examples": func(j *trainerplugin.Job) { j.Params.Batch = 1001 },
		filepath.Join(empty, "mnist"): func(j *trainerplugin.Job) {
			j.Params.Data.Name, j.DataDir = "mnist", empty
		},
		filepath.Join(damaged, "mnist", "train-images-idx3-ubyte"): func(j *trainerplugin.Job) {
			j.Params.Data.Name, j.DataDir = "mnist", damaged
		},
		"options: sweep-builtin has no dropout; sweep-builtin has no width; remove": func(j *trainerplugin.Job) {
			j.Params.Options = map[string]string{"width": "2", "dropout": "0.1"}
		},
		"threads: 0":                          func(j *trainerplugin.Job) { j.Threads = 0 },
		"2000200 images; may be 0 to 1000000": func(j *trainerplugin.Job) { j.Params.Data.Train = 2e6 },
		"learning_rate: 0":                    func(j *trainerplugin.Job) { j.Params.LearnRate = 0 },
		`clipping: "psac"; there are`:         func(j *trainerplugin.Job) { j.Params.Clipping = "psac" },
		`augment: ""; augmult`:                func(j *trainerplugin.Job) { j.Params.AugMult = 4 },
	} {
		t.Run(want, func(t *testing.T) {
			j := job(t, nil)
			change(&j)
			var fresh Trainer
			_, err := fresh.Check(t.Context(), j)
			if !errors.Is(err, trainerplugin.ErrRefused) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("check: error %v", err)
			}
			_, err = fresh.Train(t.Context(), j, func(e trainerplugin.Event) error {
				t.Errorf("reported %+v", e)
				return nil
			})
			if !errors.Is(err, trainerplugin.ErrRefused) || !strings.Contains(err.Error(), want) {
				t.Errorf("train: error %v", err)
			}
		})
	}
}

func TestCheckRefusesWhatDoesNotFit(t *testing.T) {
	j := job(t, nil)
	j.Threads = 1e8
	_, err := shared.Check(t.Context(), j)
	if !errors.Is(err, trainerplugin.ErrRefused) || !strings.Contains(err.Error(), "MB; take a smaller model, fewer threads than 100000000,") {
		t.Errorf("error %v", err)
	}
}

// A host that leaves says nothing of the trial.
func TestCheckDoesNotRefuseForGood(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("host is leaving"))
	var fresh Trainer
	_, err := fresh.Check(ctx, job(t, nil))
	if err == nil || errors.Is(err, trainerplugin.ErrRefused) || !errors.Is(err, context.Cause(ctx)) {
		t.Errorf("cancelled: error %v", err)
	}
}

// A trial learns digits; private or not, one with less noise learns more.
func TestTrainLearns(t *testing.T) {
	var accuracy []float64
	for _, noise := range []float64{20, 0.5} {
		j := job(t, func(p *sweep.Params) {
			p.Batch, p.Steps, p.LearnRate, p.Noise = 200, 30, 2, noise
		})
		j.Threads = 2
		o, err := shared.Train(t.Context(), j, ignore)
		if err != nil {
			t.Fatal(err)
		}
		if o.Trainer != "sweep-builtin 1+"+kernel.Path() || o.Examples != 200 || o.Split != sweep.Validation || o.Steps != 30 {
			t.Errorf("%+v", o)
		}
		accuracy = append(accuracy, o.Accuracy)
	}
	if accuracy[1] < 0.25 || accuracy[1] < accuracy[0]+0.05 { // chance is 0.1
		t.Errorf("accuracy %v at noise 20 and %v at noise 0.5", accuracy[0], accuracy[1])
	}
}

// The real engine, stopped after two steps and gone on with by more threads.
func TestTrainResumes(t *testing.T) {
	change := func(p *sweep.Params) {
		p.Model, p.AugMult, p.Augment, p.Batch = "tanh-cnn", 2, sweep.CropFlip, 24
	}
	want, err := shared.Train(t.Context(), job(t, change), ignore)
	if err != nil {
		t.Fatal(err)
	}
	j := job(t, change)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("spot instance reclaimed")
	_, err = shared.Train(ctx, j, func(e trainerplugin.Event) error {
		if p, ok := e.(trainerplugin.Progress); ok && p.Step == 2 {
			cancel(stop)
		}
		return nil
	})
	if !errors.Is(err, stop) {
		t.Fatalf("error %v", err)
	}
	j.Threads = 3
	got, err := new(Trainer).Train(t.Context(), j, func(e trainerplugin.Event) error {
		if s, ok := e.(trainerplugin.Started); ok && s.Step != 2 {
			t.Errorf("%+v", s)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got.Seconds = want.Seconds
	if got != want {
		t.Errorf("resumed %+v\nwant    %+v", got, want)
	}
}

// Weights that one trial keeps are where another starts: fine-tuning on other
// data, with the last layer anew or as it was.
func TestPretrain(t *testing.T) {
	first := job(t, func(p *sweep.Params) { p.Model, p.Noise, p.Steps, p.LearnRate, p.Batch = "tanh-cnn", 0, 40, 4, 64 })
	first.KeepWeights = true
	o, err := shared.Train(t.Context(), first, ignore)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(first.Dir, trainerplugin.WeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(file)
	second := job(t, func(p *sweep.Params) {
		p.Model, p.Steps, p.LearnRate, p.Seed = "tanh-cnn", 1, 1e-6, 12
		p.Init = sweep.Init{File: trainerplugin.WeightsFile, Digest: "sha256:" + hex.EncodeToString(sum[:])}
	})
	second.DataDir = first.Dir
	same, err := shared.Train(t.Context(), second, ignore)
	if err != nil || same.Accuracy != o.Accuracy {
		t.Errorf("after a step too small to matter accuracy is %v, and was %v; error %v", same.Accuracy, o.Accuracy, err)
	}
	second.Params.Init.Classifier, second.Dir = sweep.ResetClassifier, t.TempDir()
	reset, err := shared.Train(t.Context(), second, ignore)
	if err != nil || reset.Accuracy > o.Accuracy-0.1 {
		t.Errorf("with a fresh classifier accuracy is %v, and was %v; error %v", reset.Accuracy, o.Accuracy, err)
	}
	second.Params.Init.Classifier, second.Params.Model = "", "linear"
	_, err = shared.Check(t.Context(), second)
	if !errors.Is(err, trainerplugin.ErrRefused) || !strings.Contains(err.Error(), "classifier/w is [32 10], and the model's [784 10]; ") {
		t.Errorf("weights of another model: error %v", err)
	}
}

// Training the last layer alone, with much noise: the kept weights are those of
// the file but for the classifier's.
func TestTrainsSomeLayers(t *testing.T) {
	engine, err := model.New("tanh-cnn", model.Input{Height: 28, Width: 28, Channels: 1, Classes: 10}, 1)
	if err != nil {
		t.Fatal(err)
	}
	dir, given := t.TempDir(), engine.Init(77)
	var file bytes.Buffer
	if err := dpsgd.WriteWeights(&file, engine.Tensors(), given, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "given.safetensors"), file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(file.Bytes())
	j := job(t, func(p *sweep.Params) {
		p.Model, p.Noise, p.EMA, p.Layers = "tanh-cnn", 100, 0, "classifier"
		p.Init = sweep.Init{File: "given.safetensors", Digest: "sha256:" + hex.EncodeToString(sum[:])}
	})
	j.DataDir, j.KeepWeights = dir, true
	if _, err := shared.Train(t.Context(), j, ignore); err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(filepath.Join(j.Dir, trainerplugin.WeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	weights := make([]float32, len(given))
	if err := dpsgd.ReadWeights(bytes.NewReader(kept), int64(len(kept)), engine.Tensors(), func(string) bool { return false }, weights); err != nil {
		t.Fatal(err)
	}
	for _, tensor := range engine.Tensors() {
		same := slices.Equal(weights[:tensor.Size()], given[:tensor.Size()])
		if trained := strings.HasPrefix(tensor.Name, "classifier/"); same == trained {
			t.Errorf("%s is as it was: %t", tensor.Name, same)
		}
		weights, given = weights[tensor.Size():], given[tensor.Size():]
	}
	j.Params.Layers = "conv3+classifier"
	if _, err := shared.Check(t.Context(), j); !errors.Is(err, trainerplugin.ErrRefused) || !strings.Contains(err.Error(), `there is no layer "conv3"`) {
		t.Errorf("a layer that is not there: error %v", err)
	}
}

// Views are drawn for (seed, step, example, view), as the data set documents.
func TestViews(t *testing.T) {
	j := job(t, func(p *sweep.Params) { p.AugMult, p.Augment = 3, sweep.Crop })
	s, err := shared.setUp(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	part, err := shared.open(t.Context(), dataDir(""), j.Params.Data)
	if err != nil {
		t.Fatal(err)
	}
	got, want := make([]float32, 28*28), make([]float32, 28*28)
	label := s.data.View(7, 42, 2, got)
	if l := part.Train.View(want, sweep.Crop, dataset.Draw{Key: 11, Step: 7, Example: 42, View: 2}); l != label || !slices.Equal(got, want) {
		t.Error("view differs from the data set's own")
	}
	if part.Train.At(42, want); slices.Equal(got, want) {
		t.Error("view is the plain image")
	}
	if s.data.View(8, 42, 2, want); slices.Equal(got, want) {
		t.Error("another step has the same view") // 1 of 81 draws would
	}
	plain, err := shared.setUp(t.Context(), job(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	plain.data.View(7, 42, 0, got)
	if part.Train.At(42, want); !slices.Equal(got, want) {
		t.Error("view without augmentation is not the plain image")
	}
}

func TestHeldOutIsWhatWasAskedFor(t *testing.T) {
	p := job(t, nil).Params
	part, err := shared.open(t.Context(), dataDir(""), p.Data)
	if err != nil {
		t.Fatal(err)
	}
	if got := adapt(part, p).Held.Len; got != 200 {
		t.Errorf("%d examples held out for validation, want 200", got)
	}
	p.Data.Validation = 0
	if got := adapt(part, p).Held.Len; got != dataset.GlyphTest {
		t.Errorf("%d examples of the test part, want %d", got, dataset.GlyphTest)
	}
}

func TestGPUsAreNotedAsIdle(t *testing.T) {
	j := job(t, func(p *sweep.Params) { p.Options = map[string]string{"device": "cpu"} })
	j.Devices = []string{"0", "1"}
	var events []trainerplugin.Event
	_, err := shared.Train(t.Context(), j, func(e trainerplugin.Event) error {
		events = append(events, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := events[0].(trainerplugin.Started); !ok {
		t.Errorf("first event %+v", events[0])
	}
	if n, ok := events[1].(trainerplugin.Note); !ok || !strings.Contains(n.Text, "GPU 0, 1 is not used") {
		t.Errorf("second event %+v", events[1])
	}
}

// A heap of 100 MB is collected at 200 MB by default, at 125 MB with GOGC=25
// (https://go.dev/doc/gc-guide).
func TestPeakFollowsTheCollector(t *testing.T) {
	before := debug.SetGCPercent(25)
	defer debug.SetGCPercent(before)
	if got := peakBytes(100<<20) - processBytes; got != 125<<20 {
		t.Errorf("25 %%: %d MB", got>>20)
	}
	debug.SetGCPercent(100)
	if got := peakBytes(100<<20) - processBytes; got != 200<<20 {
		t.Errorf("100 %%: %d MB", got>>20)
	}
}

func TestMemoryLimit(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"no system":    {nil, 0},
		"machine only": {map[string]string{"proc/meminfo": "MemTotal:  2048 kB\nMemFree: 1 kB\n"}, 2 << 20},
		"version 2, limit of a parent": {map[string]string{
			"proc/meminfo":                         "MemTotal:  2048 kB\n",
			"proc/self/cgroup":                     "0::/slice/job\n",
			"sys/fs/cgroup/slice/job/memory.max":   "max\n",
			"sys/fs/cgroup/slice/memory.max":       "1000000\n",
			"sys/fs/cgroup/slice/other/memory.max": "7\n",
		}, 1000000},
		"version 1": {map[string]string{
			"proc/meminfo":     "MemTotal:  2048 kB\n",
			"proc/self/cgroup": "5:cpu:/a\n4:memory:/docker/x\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":          "9223372036854771712\n",
			"sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes": "500000\n",
		}, 500000},
		"unreadable": {map[string]string{"proc/meminfo": "MemTotal:  many kB\n"}, 0},
	} {
		root := t.TempDir()
		for file, text := range c.files {
			path := filepath.Join(root, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := memoryLimit(root); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// The real engine keeps the promise that σ is calibrated for: no gradient's part
// in the sum is longer than 1, and short ones are not made longer.
func TestSumsAreBounded(t *testing.T) {
	for _, clip := range []float64{1e-3, 1, 1e3} {
		j := job(t, func(p *sweep.Params) { p.Model, p.Batch, p.Clip, p.Noise, p.Steps = "tanh-cnn", 100, clip, 1, 1 })
		var m trainerplugin.Progress
		_, err := shared.Train(t.Context(), j, func(e trainerplugin.Event) error {
			if p, ok := e.(trainerplugin.Progress); ok {
				m = p
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		// Signal to noise is ‖Σ c_i‖ over √P at σ = 1.
		if sum := m.SignalToNoise * math.Sqrt(26010); sum > float64(m.BatchSize)*min(1, m.GradNormMax/clip)*(1+1e-6) || m.BatchSize < 50 {
			t.Errorf("clip %v: %d gradients sum to norm %v", clip, m.BatchSize, sum)
		}
		if clipped := map[float64]float64{1e-3: 1, 1e3: 0}; clip != 1 && m.ClippedShare != clipped[clip] {
			t.Errorf("clip %v: share clipped is %v, mean norm %v", clip, m.ClippedShare, m.GradNormMean)
		}
	}
}
