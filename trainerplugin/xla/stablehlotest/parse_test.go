package stablehlotest

import (
	"slices"
	"strings"
	"testing"
)

const head = "module @m attributes {a = 1 : i32} {\n  func.func public @main(%a: tensor<2x3xf32>, %b: tensor<3xf32>) -> (tensor<2x3xf32>) {\n"

// The examples of the specification, by hand.
func TestRun(t *testing.T) {
	p, err := Parse(head + `
    %0 = "stablehlo.broadcast_in_dim"(%b) <{broadcast_dimensions = array<i64: 1>}> : (tensor<3xf32>) -> tensor<2x3xf32>
    %1 = "stablehlo.add"(%a, %0) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    "func.return"(%1) : (tensor<2x3xf32>) -> ()
  }
}`)
	if err != nil {
		t.Fatal(err)
	}
	a := &Tensor{Type{"f32", []int{2, 3}}, []float64{1, 2, 3, 4, 5, 6}, nil}
	b := &Tensor{Type{"f32", []int{3}}, []float64{10, 20, 30}, nil}
	out, err := p.Run(a, b)
	if err != nil || !slices.Equal(out[0].Floats, []float64{11, 22, 33, 14, 25, 36}) {
		t.Errorf("%v, %v", out, err)
	}
	if _, err := p.Run(b, a); err == nil || !strings.Contains(err.Error(), "argument 0 is tensor<3xf32>, not tensor<2x3xf32>") {
		t.Errorf("error %v", err)
	}
}

// A program that says other types than follow from its operands does not run.
func TestTypesMustFollow(t *testing.T) {
	for want, line := range map[string]string{
		"line 3: stablehlo.transpose: result tensor<2x3xf32>; it follows tensor<3x2xf32>": `%0 = "stablehlo.transpose"(%a) <{permutation = array<i64: 1, 0>}> : (tensor<2x3xf32>) -> tensor<2x3xf32>`,
		"operand %b is tensor<3xf32>, not tensor<2x3xf32>":                                `%0 = "stablehlo.add"(%a, %b) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>`,
		"no value %c": `%0 = "stablehlo.add"(%a, %c) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>`,
		"stablehlo.sort: not known to this interpreter": `%0 = "stablehlo.sort"(%a) : (tensor<2x3xf32>) -> tensor<2x3xf32>`,
	} {
		p, err := Parse(head + line + "\n\"func.return\"(%0) : (tensor<2x3xf32>) -> ()\n}\n}")
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		args := []*Tensor{newTensor(Type{"f32", []int{2, 3}}), newTensor(Type{"f32", []int{3}})}
		if _, err := p.Run(args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
	if _, err := Parse(head + "%0 = stablehlo.add %a, %a : tensor<2x3xf32>\n}\n}"); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("error %v", err)
	}
}

// bfloat16 rounds to nearest, ties to even: 1 + 2⁻⁸ is half-way to 1 + 2⁻⁷.
func TestBFloat16(t *testing.T) {
	bf16 := Type{Element: "bf16"}
	for x, want := range map[float64]float64{1 + 0x1p-8: 1, 1 + 3*0x1p-8: 1 + 0x1p-6, 1 + 0x1.01p-8: 1 + 0x1p-7, -3.14159: -3.140625} {
		if got := bf16.rounded(x); got != want {
			t.Errorf("%v is rounded to %v, want %v", x, got, want)
		}
	}
}
