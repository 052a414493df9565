package pjrt_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sweep/trainerplugin/xla/pjrt"
	"sweep/trainerplugin/xla/pjrt/pjrttest"
)

// twice gives up its first argument for its first result.
const twice = `func.func public @main(%a: tensor<2x3xf32> {tf.aliasing_output = 0 : i32}, %b: tensor<4xui8>) -> (tensor<2x3xf32>, tensor<f64>) {
  stand-in
}`

func newClient(t *testing.T, p *pjrt.Plugin, options map[string]any) *pjrt.Client {
	t.Helper()
	c, err := p.NewClient(options)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func closing(t *testing.T, all ...interface{ Close() error }) {
	t.Helper()
	for _, c := range all {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Every call arrives as a plugin wants it, donation is seen on both sides, and
// all that was made is freed: [pjrttest.Open] counts it.
func TestCalls(t *testing.T) {
	p := pjrttest.Open(t)
	if p.Major != 0 || p.Minor != 81 {
		t.Errorf("version %d.%d", p.Major, p.Minor)
	}
	again, err := pjrt.Open(p.Path)
	if err != nil || again != p {
		t.Errorf("opened anew: %v, error %v", again, err)
	}
	attributes, err := p.Attributes()
	if err != nil || attributes["name"] != "stand-in" || attributes["share"] != 0.75 || attributes["fast"] != true ||
		!slices.Equal(attributes["stablehlo_current_version"].([]int64), []int64{1, 13, 3}) {
		t.Errorf("attributes %v, error %v", attributes, err)
	}
	c := newClient(t, p, map[string]any{"devices": int64(2), "allocator": true, "memory_fraction": 0.5})
	if c.Platform != "standin" || c.PlatformVersion != "stand-in 1" || len(c.Devices) != 2 || c.Devices[1].ID != 1 || c.Devices[0].Kind != "Stand-in 9000" {
		t.Errorf("client %+v", c)
	}
	e, err := c.Compile(twice, pjrt.CompileOptions{Device: c.Devices[0]})
	if err != nil {
		t.Fatal(err)
	}
	if f, err := e.Footprint(); err != nil || f != (pjrt.Footprint{Arguments: 28, Outputs: 32, Aliased: 24}) || f.Total() != 36 {
		t.Errorf("footprint %+v, error %v", f, err)
	}
	want := []float32{1, 2, 3, 4, 5, 6}
	a, err := pjrt.Put(c.Devices[0], pjrt.F32, want, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	b, err := pjrt.Put(c.Devices[0], pjrt.U8, []uint8{1, 2, 3, 4}, 4)
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Start([]*pjrt.Buffer{a, b})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Wait(); err != nil {
		t.Fatal(err)
	}
	got, scalar := make([]float32, 6), []float64{7}
	if err := errors.Join(pjrt.Get(r.Outputs[0], got), pjrt.Get(r.Outputs[1], scalar)); err != nil || !slices.Equal(got, want) || scalar[0] != 0 {
		t.Errorf("got %v and %v, error %v", got, scalar, err)
	}
	goneA, errA := a.Deleted()
	goneB, errB := b.Deleted()
	if !goneA || goneB || errA != nil || errB != nil {
		t.Errorf("deleted: %t, %t; want the donated argument alone", goneA, goneB)
	}
	if err := pjrt.Get(a, got); err == nil {
		t.Error("a donated buffer was read")
	}
	if m, err := c.Devices[0].Memory(); err != nil || m != (pjrt.Memory{InUse: 4 + 32, Peak: 24 + 4 + 24, Limit: 1 << 30}) {
		t.Errorf("memory %+v, error %v", m, err)
	}
	if n := pjrttest.Counts(t, p); n["live_buffers"] != 4 || n["live_executables"] != 2 || n["live_clients"] != 1 {
		t.Errorf("counts %v", n)
	}
	closing(t, r, a, b, e, c)
	closing(t, a, r) // a second time does nothing
}

// What a plugin answers becomes an error that names the call and the code, and
// leaves nothing behind.
func TestErrors(t *testing.T) {
	p := pjrttest.Open(t)
	for _, c := range []struct {
		options map[string]any
		code    pjrt.Code
		message string
	}{
		{map[string]any{"fail": "no device\nvisible"}, pjrt.FailedPrecondition, "no device\nvisible"},
		{map[string]any{"preallocate": int64(1)}, pjrt.InvalidArgument, "unexpected option name passed to PJRT_Client_Create: preallocate"},
	} {
		_, err := p.NewClient(c.options)
		e, ok := errors.AsType[*pjrt.Error](err)
		if !ok || *e != (pjrt.Error{Call: "PJRT_Client_Create", Code: c.code, Message: c.message}) {
			t.Errorf("options %v: error %v", c.options, err)
		}
	}
	if _, err := p.NewClient(map[string]any{"x": 1}); err == nil || err.Error() != "option x of a PJRT client has type int" {
		t.Errorf("error %v", err)
	}
	c := newClient(t, p, map[string]any{"devices": int64(1), "oom_at": int64(1), "oom_times": int64(1), "late_oom_at": int64(3)})
	if _, err := c.Compile("func.func @other()", pjrt.CompileOptions{}); err == nil || err.Error() != "PJRT_Client_Compile: INVALID_ARGUMENT: no function @main" {
		t.Errorf("compile: error %v", err)
	}
	if _, err := c.Compile("", pjrt.CompileOptions{}); err == nil {
		t.Error("an empty program was compiled")
	}
	e, err := c.Compile(twice, pjrt.CompileOptions{Device: c.Devices[0]})
	if err != nil {
		t.Fatal(err)
	}
	a, err := pjrt.Put(c.Devices[0], pjrt.F32, make([]float32, 6), 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	b, err := pjrt.Put(c.Devices[0], pjrt.U8, make([]uint8, 4), 4)
	if err != nil {
		t.Fatal(err)
	}
	// Out of memory at once; then none; then found while the program runs.
	for i, want := range []string{"trying to allocate 34359738368 bytes", "", "found late"} {
		r, err := e.Start([]*pjrt.Buffer{a, b})
		if err == nil {
			err = r.Wait()
			closing(t, r)
			closing(t, a)
			var put error
			if a, put = pjrt.Put(c.Devices[0], pjrt.F32, make([]float32, 6), 2, 3); put != nil {
				t.Fatal(put)
			}
		}
		failure, ok := errors.AsType[*pjrt.Error](err)
		if (want == "") != (err == nil) || want != "" && (!ok || failure.Code != pjrt.ResourceExhausted ||
			failure.Call != "PJRT_LoadedExecutable_Execute" || !strings.Contains(failure.Message, want)) {
			t.Errorf("run %d: error %v", i+1, err)
		}
	}
	if _, err := e.Start([]*pjrt.Buffer{b, a}); err == nil || !strings.Contains(err.Error(), "argument 0 has 4 bytes of type 6") {
		t.Errorf("arguments in a wrong order: error %v", err)
	}
	if _, err := e.Start([]*pjrt.Buffer{a}); err == nil || !strings.Contains(err.Error(), "supplied 1 buffers but compiled program expected 2") {
		t.Errorf("too few arguments: error %v", err)
	}
	closing(t, b)
	if _, err := e.Start([]*pjrt.Buffer{a, b}); err == nil || !strings.Contains(err.Error(), "argument 1 is a closed buffer") {
		t.Errorf("closed argument: error %v", err)
	}
	if _, err := pjrt.Put(c.Devices[0], pjrt.F32, make([]float32, 5), 2, 3); err == nil || !strings.Contains(err.Error(), "20 bytes for an array [2 3]") {
		t.Errorf("put: error %v", err)
	}
	if err := pjrt.Get(a, make([]float32, 5)); err == nil || !strings.Contains(err.Error(), "has 24 bytes; there is room for 20") {
		t.Errorf("get: error %v", err)
	}
	closing(t, a, e, c)
}

// A library that is no plugin, or one of another time, is told apart before
// anything is called.
func TestOpenRefuses(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text.so")
	if err := os.WriteFile(text, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, path := range map[string]string{
		"the path is not absolute":  "standin.so",
		"cannot open shared object": filepath.Join(t.TempDir(), "none.so"),
		"text.so":                   text,
		"version 0.12 of the PJRT C API; 0.46 or a later 0.x is needed": pjrttest.Build(t, "-DMINOR=12"),
		"does not have PJRT_Buffer_ToHostBuffer":                        pjrttest.Build(t, "-DLACKS_TO_HOST"),
		"no function GetPjrtApi: it is a library, but no PJRT plugin":   pjrttest.Build(t, "-DGetPjrtApi=GetSomething"),
	} {
		if _, err := pjrt.Open(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", want, err)
		}
	}
	t.Setenv("STANDIN_FAIL_INITIALIZE", "1")
	if _, err := pjrt.Open(pjrttest.Build(t)); err == nil || !strings.Contains(err.Error(), "PJRT_Plugin_Initialize: FAILED_PRECONDITION: no driver") {
		t.Errorf("initialize: error %v", err)
	}
}

// A table that ends before the newest calls is enough.
func TestOlderPlugin(t *testing.T) {
	p := pjrttest.Open(t, "-DENDS_EARLY", "-DMINOR=50")
	c := newClient(t, p, nil)
	e, err := c.Compile(twice, pjrt.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, errF := e.Footprint()
	_, errM := c.Devices[0].Memory()
	for _, err := range []error{errF, errM} {
		if e, ok := errors.AsType[*pjrt.Error](err); !ok || e.Code != pjrt.Unimplemented {
			t.Errorf("error %v", err)
		}
	}
	closing(t, e, c)
}

// The stand-in that is built with the real header, which checks the sizes of its
// own blocks, takes the same calls.
func TestRealHeader(t *testing.T) {
	p := pjrttest.Open(t, "-DREAL_HEADER="+quoted(realHeader(t)))
	c := newClient(t, p, map[string]any{"devices": int64(1)})
	e, err := c.Compile(twice, pjrt.CompileOptions{Device: c.Devices[0]})
	if err != nil {
		t.Fatal(err)
	}
	a, err := pjrt.Put(c.Devices[0], pjrt.F32, []float32{1, 2, 3, 4, 5, 6}, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	b, err := pjrt.Put(c.Devices[0], pjrt.U8, make([]uint8, 4), 4)
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Start([]*pjrt.Buffer{a, b})
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float32, 6)
	if err := errors.Join(r.Wait(), pjrt.Get(r.Outputs[0], got)); err != nil || got[5] != 6 {
		t.Errorf("got %v, error %v", got, err)
	}
	if f, err := e.Footprint(); err != nil || f.Arguments != 28 || f.Aliased != 24 {
		t.Errorf("footprint %+v, error %v", f, err)
	}
	if m, err := c.Devices[0].Memory(); err != nil || m.Limit != 1<<30 || m.Peak != 52 {
		t.Errorf("memory %+v, error %v", m, err)
	}
	closing(t, r, a, b, e, c)
}

func quoted(path string) string {
	text, _ := json.Marshal(path) // a C string, for any path that there is
	return string(text)
}
