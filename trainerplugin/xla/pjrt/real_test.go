package pjrt

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

// realClient is one of the plugin that SWEEP_PJRT_PLUGIN names: XLA's own, with
// a real compiler. Without one these tests are skipped; docs/gpu.md says where a
// plugin for CPUs is to be had.
func realClient(t *testing.T) *Client {
	t.Helper()
	path := os.Getenv(PluginVariable)
	if path == "" {
		t.Skipf("no real plugin: %s is not set", PluginVariable)
	}
	p, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.NewClient(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestRealPluginComputes(t *testing.T) {
	c := realClient(t)
	attributes, err := c.Plugin.Attributes()
	if err != nil {
		t.Error(err)
	}
	t.Logf("API %d.%d, platform %s, version %s, attributes %v", c.Plugin.Major, c.Plugin.Minor, c.Platform, c.PlatformVersion, attributes)
	e, err := c.Compile(`module @sums {
  func.func public @main(%x: tensor<2x3xf32> {tf.aliasing_output = 1 : i32}, %y: tensor<2x3xf32>) -> (tensor<2xf32>, tensor<2x3xf32>) {
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %s = stablehlo.add %x, %y : tensor<2x3xf32>
    %r = stablehlo.reduce(%s init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<2x3xf32>, tensor<f32>) -> tensor<2xf32>
    return %r, %s : tensor<2xf32>, tensor<2x3xf32>
  }
}`, CompileOptions{Device: c.Devices[0]})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if f, err := e.Footprint(); err != nil || f.Arguments != 48 || f.Outputs < 32 || f.Aliased != 24 {
		t.Errorf("footprint %+v, error %v", f, err)
	}
	x, err := Put(c.Devices[0], F32, []float32{1, 2, 3, 4, 5, 6}, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	y, err := Put(c.Devices[0], F32, []float32{10, 20, 30, 40, 50, 60}, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer y.Close()
	r, err := e.Start([]*Buffer{x, y})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Wait(); err != nil {
		t.Fatal(err)
	}
	rows, all := make([]float32, 2), make([]float32, 6)
	if err := errors.Join(Get(r.Outputs[0], rows), Get(r.Outputs[1], all)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(rows, []float32{66, 165}) || !slices.Equal(all, []float32{11, 22, 33, 44, 55, 66}) {
		t.Errorf("rows %v, sum %v", rows, all)
	}
	if gone, err := x.Deleted(); err != nil || !gone {
		t.Errorf("the donated argument is deleted: %t, error %v", gone, err)
	}
	if gone, err := y.Deleted(); err != nil || gone {
		t.Errorf("the other is deleted: %t, error %v", gone, err)
	}
}

func TestRealPluginRefuses(t *testing.T) {
	c := realClient(t)
	_, err := c.Compile("func.func @main() { nonsense }", CompileOptions{})
	if e, ok := errors.AsType[*Error](err); !ok || e.Call != "PJRT_Client_Compile" || e.Code == 0 || e.Message == "" {
		t.Errorf("compile: error %v", err)
	}
	program := "func.func public @main(%x: tensor<2xf32>) -> tensor<2xf32> { return %x : tensor<2xf32> }"
	_, err = c.Compile(program, CompileOptions{Overrides: map[string]any{"xla_no_such_flag": true}})
	if err == nil || !strings.Contains(err.Error(), "xla_no_such_flag") {
		t.Errorf("unknown flag: error %v", err)
	}
	e, err := c.Compile(program, CompileOptions{Overrides: map[string]any{
		"xla_gpu_cuda_data_dir": "/usr/local/cuda", "xla_backend_optimization_level": int64(1), "xla_cpu_enable_fast_math": false,
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	x, err := Put(c.Devices[0], F32, []float32{1, 2, 3}, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if r, err := e.Start([]*Buffer{x}); err == nil {
		if err := r.Wait(); err == nil {
			t.Error("an argument of another shape was taken")
		}
	} else if e, ok := errors.AsType[*Error](err); !ok || e.Call != "PJRT_LoadedExecutable_Execute" || e.Code != InvalidArgument {
		t.Errorf("wrong shape: error %v", err)
	}
	if err := Get(x, make([]float32, 2)); err == nil || !strings.Contains(err.Error(), "has 12 bytes; there is room for 8") {
		t.Errorf("get: error %v", err)
	}
}
