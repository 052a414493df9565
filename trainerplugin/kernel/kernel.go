// Package kernel does the arithmetic of training on the CPU, in float32, on
// arrays blocked by [Lanes] channels. One small matrix product, [Tile], serves
// convolutions and dense layers forward and backward, those of 3×3 filters, and of
// 4×4 filters with stride 2, by way of Winograd's maps; the rest is element-wise.
//
// Every function has a plain Go form, and faster ones where the processor has
// them; [Path] names what runs. One path repeats its own bits for ever, on any
// number of threads. Two paths differ in the last bits, since they add in
// another order and round products differently.
//
// Tests run every path that the processor has. Where it has no AVX-512, `make
// emulate-avx512` runs them, and those of packages op and model, in the
// emulator Bochs; see gen/emulate.
package kernel

import "unsafe"

// Lanes is the number of channels in a block. Element-wise functions take
// arrays whose lengths are multiples of it.
const Lanes = 16

// Alloc returns n zeros that begin at a cache line.
func Alloc(n int) []float32 {
	const line = 64
	b := make([]float32, n+line/4)
	large(b)
	skip := int(-uintptr(unsafe.Pointer(&b[0])) % line / 4)
	return b[skip : skip+n : skip+n]
}
