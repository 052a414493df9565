package dpsgd

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sweep"
	"sweep/trainerplugin"
)

// The file is taken apart as FORMAT.md says, by none of the package's readers.
func TestCheckpointFile(t *testing.T) {
	j := job(t, nil)
	events, _ := stopAt(t, j, 4)
	l := opened(t, j, blobs())
	file, err := os.ReadFile(filepath.Join(j.Dir, "step-000000004.ckpt"))
	if err != nil {
		t.Fatal(err)
	}
	if string(file[:8]) != "sweepckp" || binary.LittleEndian.Uint32(file[8:]) != 2 {
		t.Errorf("begins %q", file[:12])
	}
	at := 16 + int(binary.LittleEndian.Uint32(file[12:]))
	var head map[string]any
	if err := json.Unmarshal(file[16:at], &head); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"trial": string(j.Trial), "params": sweep.Digest("params", j.Params), "data": "sha256:b10b5",
		"step": 4.0, "noise_id": l.secret.noiseID(), "non_finite": 0.0,
		"tensors": []any{
			map[string]any{"name": "w", "shape": []any{3.0, 6.0}},
			map[string]any{"name": "b", "shape": []any{3.0}},
		},
	} {
		if !reflect.DeepEqual(head[key], want) {
			t.Errorf("header has %s = %v, want %v", key, head[key], want)
		}
	}
	if s, _ := head["seconds"].(float64); s <= 0 {
		t.Errorf("header has seconds = %v", head["seconds"])
	}
	end := len(file) - 32
	if sum := sha256.Sum256(file[:end]); !bytes.Equal(sum[:], file[end:]) {
		t.Error("does not end in its SHA-256")
	}
	if size := binary.LittleEndian.Uint64(file[at+32:]); size != uint64(end-at-40) {
		t.Errorf("tensors have %d bytes by their length, %d by the file's", size, end-at-40)
	}
	if at%8 != 0 {
		t.Errorf("secret begins at %d, tensors at %d; want multiples of 8", at, at+40)
	}
	checkTensors(t, file[at+40:end], l)

	whole := sha256.Sum256(file)
	want := trainerplugin.Checkpoint{Step: 4, File: "step-000000004.ckpt", Digest: "sha256:" + hex.EncodeToString(whole[:]), Bytes: int64(len(file))}
	if got := events[len(events)-1]; got != want {
		t.Errorf("reported %+v, want %+v", got, want)
	}
}

// A trial whose optimizer keeps moments has them beside its weights.
func TestMomentsAreInTheFile(t *testing.T) {
	j := job(t, func(j *trainerplugin.Job) { j.Params.Momentum = 0.9 })
	stopAt(t, j, 4)
	l := opened(t, j, blobs())
	file, err := os.ReadFile(filepath.Join(j.Dir, "step-000000004.ckpt"))
	if err != nil {
		t.Fatal(err)
	}
	end := len(file) - 32 // the last block is that of the last moment's last tensor, b
	for i, want := range l.moments[0][18:] {
		if got := math.Float32frombits(binary.LittleEndian.Uint32(file[end-4*(3-i):])); got != want || want == 0 {
			t.Errorf("element %d of momentum/b is %v in the file, and %v", i, got, want)
		}
	}
	if !bytes.Contains(file, []byte(`"momentum/b":{"dtype":"F32","shape":[3],"data_offsets":[324,336]}`)) {
		t.Errorf("no entry for momentum/b")
	}
}

// checkTensors reads safetensors as its specification says.
func checkTensors(t *testing.T, part []byte, l *loop) {
	t.Helper()
	n := binary.LittleEndian.Uint64(part)
	var entries map[string]struct {
		DType   string
		Shape   []int
		Offsets [2]int `json:"data_offsets"`
	}
	if err := json.Unmarshal(part[8:8+n], &entries); err != nil {
		t.Fatal(err)
	}
	data, covered := part[8+n:], 0
	if n%8 != 0 || len(entries) != 4 {
		t.Errorf("header of %d bytes with %d tensors", n, len(entries))
	}
	for name, want := range map[string]struct {
		first, size int
		shape       []int
	}{"w": {0, 18, []int{3, 6}}, "b": {18, 3, []int{3}}} {
		e, w := entries["ema/"+name], entries["weights/"+name]
		covered += e.Offsets[1] - e.Offsets[0] + w.Offsets[1] - w.Offsets[0]
		if e.DType != "F64" || w.DType != "F32" || !slices.Equal(e.Shape, want.shape) || !slices.Equal(w.Shape, want.shape) {
			t.Errorf("%s: %+v, %+v", name, e, w)
		}
		for i := range want.size {
			average := math.Float64frombits(binary.LittleEndian.Uint64(data[e.Offsets[0]+8*i:]))
			weight := math.Float32frombits(binary.LittleEndian.Uint32(data[w.Offsets[0]+4*i:]))
			if average != l.ema[want.first+i] || weight != l.weights[want.first+i] {
				t.Errorf("element %d of %s: average %v, weight %v", i, name, average, weight)
			}
		}
	}
	if covered != len(data) {
		t.Errorf("tensors cover %d of %d bytes", covered, len(data))
	}
}

// Stopped at any step, by any number of threads, and gone on with by another: the
// bits are those of the run that was never stopped. Secure trials share one
// secret here by starting from one checkpoint of step 0.
func TestResumeAnywhere(t *testing.T) {
	for _, source := range []sweep.NoiseSource{sweep.Seeded, sweep.Secure} {
		first := job(t, func(j *trainerplugin.Job) { j.Params.NoiseFrom = source })
		if _, err := stopAt(t, first, 0); err == nil {
			t.Fatal("no error")
		}
		fresh := func(threads int) trainerplugin.Job {
			j := first
			j.Dir, j.Threads = t.TempDir(), threads
			if err := os.CopyFS(j.Dir, os.DirFS(first.Dir)); err != nil {
				t.Fatal(err)
			}
			return j
		}
		want, _ := run(t, fresh(1))
		for step := range first.Params.Steps + 1 {
			j := fresh(2)
			if _, err := stopAt(t, j, step); err == nil {
				t.Fatal("no error")
			}
			j.Threads = 7
			got, events := run(t, j)
			started := trainerplugin.Started{Step: step, NoiseID: events[0].(trainerplugin.Started).NoiseID, Checkpoint: checkpointName(step)}
			if events[0] != started {
				t.Errorf("%s: stopped at %d: %+v", source, step, events[0])
			}
			got.Seconds = want.Seconds
			if got != want {
				t.Errorf("%s: stopped at %d: %+v, want %+v", source, step, got, want)
			}
		}
	}
}

func TestStops(t *testing.T) {
	j := job(t, nil)
	events, err := stopAt(t, j, 2)
	if err == nil || !strings.Contains(err.Error(), "stopped after step 2: host asked to stop") {
		t.Errorf("error %v", err)
	}
	if c, ok := events[len(events)-1].(trainerplugin.Checkpoint); !ok || c.Step != 2 {
		t.Errorf("last event %+v", events[len(events)-1])
	}
}

func TestSecureTrialsSaveTheirSecretFirst(t *testing.T) {
	j := job(t, func(j *trainerplugin.Job) { j.Params.NoiseFrom, j.CheckpointEvery = sweep.Secure, 1<<40 })
	_, events := run(t, j)
	if c, ok := events[1].(trainerplugin.Checkpoint); !ok || c.Step != 0 {
		t.Errorf("second event %+v", events[1])
	}
	_, again := run(t, j)
	if events[0].(trainerplugin.Started).NoiseID != again[0].(trainerplugin.Started).NoiseID {
		t.Error("a retry has another noise stream")
	}
}

// encoded returns a checkpoint and the identity it belongs to.
func encoded(t testing.TB) ([]byte, identity) {
	p := sweep.Params{NoiseFrom: sweep.Seeded, Seed: 1, Optimizer: sweep.Adam}
	id := identity{"trial", "params", "sha256:data", small.Tensors(), momentNames(p)}
	s := newState(p, small.Init(1))
	s.step = 5
	var buf bytes.Buffer
	if _, err := encode(&buf, id, s); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes(), id
}

// A bit flipped anywhere, or an end missing, is noticed.
func TestVerifyNoticesEverything(t *testing.T) {
	whole, _ := encoded(t)
	if err := verify(bytes.NewReader(whole), int64(len(whole))); err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 1 << (i % 8)
		if verify(bytes.NewReader(damaged), int64(len(damaged))) == nil {
			t.Errorf("byte %d damaged and not noticed", i)
		}
		if i >= sha256.Size && verify(bytes.NewReader(whole[:i]), int64(i)) == nil {
			t.Errorf("cut at %d and not noticed", i)
		}
	}
}

// A state that is decoded encodes to the bytes it came from, whatever they are;
// all else is an error.
func FuzzDecode(f *testing.F) {
	whole, id := encoded(f)
	f.Add(whole)
	for _, n := range []int{0, 8, 12, 16, 40, len(whole) / 2, len(whole) - 33} {
		f.Add(whole[:n])
	}
	long := bytes.Clone(whole)
	binary.LittleEndian.PutUint32(long[12:], math.MaxUint32)
	f.Add(long)
	f.Fuzz(func(t *testing.T, file []byte) {
		s, err := decode(bytes.NewReader(file), id)
		if err != nil {
			return
		}
		var again bytes.Buffer
		if _, err := encode(&again, id, s); err != nil {
			t.Fatal(err)
		}
		back, err := decode(&again, id)
		if err != nil || !reflect.DeepEqual(back, s) {
			t.Errorf("decoded %+v, and again %+v, error %v", s, back, err)
		}
	})
}
