package xla

import (
	"errors"
	"fmt"

	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/xla/pjrt"
)

// ClippedGradients is the first half of a step on the device, to be compared with
// the CPU engine's: the clipped sum over the given members, with views drawn for
// the given step.
func (x *Executor) ClippedGradients(weights []float32, members []int, step int) (sum []float32, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	p, err := LowerGradients(x.at(max(1, x.given)))
	if err != nil {
		return nil, err
	}
	c, err := x.device.compile(p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := x.stage(x.staged, c, x.train); err != nil {
		return nil, err
	}
	in, err := x.inputs(c, &dpsgd.Update{Step: step, Members: members})
	if err == nil {
		in[Weights], err = put(x.device, p.Args[p.Arg(Weights)], weights)
	}
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	out, err := c.run(x.staged, in)
	if err = errors.Join(err, in.Close()); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	sum = make([]float32, len(weights))
	return sum, errors.Join(pjrt.Get(out[Sum], sum), out.Close())
}

// MultiplyRate measures how many floating-point operations d makes in a second,
// a multiply-add being two, where it multiplies square matrices of bfloat16 with
// n rows, adding up in float32, rounds times in one program.
func (d *Device) MultiplyRate(n, rounds int, clock func() float64) (rate float64, err error) {
	square := tensorType(BF16, []int{n, n})
	p := &Program{
		Name: "multiply", Args: []Spec{{Name: "a", Element: BF16, Shape: []int{n, n}}, {Name: "b", Element: BF16, Shape: []int{n, n}}},
		Results: []Spec{{Name: "c", Element: BF16, Shape: []int{n, n}}},
		Text: fmt.Sprintf(`module @multiply {
  func.func public @main(%%a: %[1]s, %%b: %[1]s) -> (%[1]s) {
    %%zero = stablehlo.constant dense<0> : tensor<i32>
    %%end = stablehlo.constant dense<%[2]d> : tensor<i32>
    %%r:2 = stablehlo.while(%%i = %%zero, %%x = %%b) : tensor<i32>, %[1]s
    cond {
      %%more = stablehlo.compare LT, %%i, %%end : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %%more : tensor<i1>
    } do {
      %%one = stablehlo.constant dense<1> : tensor<i32>
      %%next = stablehlo.add %%i, %%one : tensor<i32>
      %%y = stablehlo.dot_general %%a, %%x, contracting_dims = [1] x [0] : (%[1]s, %[1]s) -> %[1]s
      stablehlo.return %%next, %%y : tensor<i32>, %[1]s
    }
    return %%r#1 : %[1]s
  }
}
`, square, rounds),
	}
	c, err := d.compile(p)
	if err != nil {
		return 0, err
	}
	in := make(buffers)
	defer func() { err = errors.Join(err, in.Close(), c.Close()) }()
	for i, s := range p.Args {
		if in[s.Name], err = put(d, s, orthogonal(n, i)); err != nil {
			return 0, err
		}
	}
	for range 2 { // the first time warms up
		began := clock()
		out, err := c.run(in)
		if err := errors.Join(err, out.Close()); err != nil {
			return 0, err
		}
		rate = float64(rounds) * 2 * float64(n) * float64(n) * float64(n) / (clock() - began)
	}
	return rate, nil
}

// orthogonal is a matrix of bfloat16 that nearly keeps lengths: entries
// are ±2^-e by a counter's bits, near 1/√n, so that products neither grow nor
// vanish, and the device has real numbers to multiply.
func orthogonal(n, seed int) []byte {
	exponent := 0
	for 1<<(2*exponent) < n {
		exponent++
	}
	high := uint16(127-exponent) << 7
	out := make([]byte, 0, 2*n*n)
	state := uint64(seed)*0x9E3779B97F4A7C15 + 1
	for range n * n {
		state ^= state << 13 // xorshift64, Marsaglia 2003
		state ^= state >> 7
		state ^= state << 17
		v := high | uint16(state>>63)<<15
		out = append(out, byte(v), byte(v>>8))
	}
	return out
}
