package dpsgd

import (
	"encoding/binary"
	"io"
	"math"
)

// widths are the kinds of numbers that files of weights may have, in bytes.
var widths = map[string]int{"F64": 8, "F32": 4, "F16": 2, "BF16": 2}

// readAs fills values from numbers of the given kind; see [widths].
func readAs(r io.Reader, dtype string, values []float32) error {
	get := func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }
	switch dtype {
	case "F64":
		get = func(b []byte) float32 { return float32(math.Float64frombits(binary.LittleEndian.Uint64(b))) }
	case "F16":
		get = func(b []byte) float32 { return fromHalf(binary.LittleEndian.Uint16(b)) }
	case "BF16": // the upper half of a float32
		get = func(b []byte) float32 { return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16) }
	}
	return readFloats(r, values, widths[dtype], get)
}

// fromHalf is the value of an IEEE 754 binary16 number: 1 bit of sign, 5 of
// exponent, 10 of fraction.
func fromHalf(h uint16) float32 {
	exponent, fraction := int(h>>10&31), float64(h&1023)
	x := math.Ldexp(1024+fraction, exponent-25)
	switch exponent {
	case 0:
		x = math.Ldexp(fraction, -24)
	case 31:
		x = math.Inf(1)
		if fraction > 0 {
			x = math.NaN()
		}
	}
	if h>>15 == 1 {
		x = -x
	}
	return float32(x)
}
