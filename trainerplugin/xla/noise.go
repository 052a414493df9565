package xla

import (
	"math"
)

// Noise on the device is ChaCha20's key stream (RFC 8439, section 2.3) with block
// counter 0, 1, … and a nonce of zeros, under a key of the step's own. Block i makes
// coordinates 2i and 2i+1 of a standard normal vector, as dpsgd makes them of 64
// bytes of its stream: half the sum of four numbers by Box and Muller, in float64,
// for the reasons that stand there. The CPU's stream is AES in counter mode, which
// processors have instructions for and compilers of StableHLO have not; either is a
// cryptographic generator with a key of 256 bits.

// noiseChunk is how many blocks are drawn at once: what they take at a time is
// 0.4 GB, whatever the model.
var noiseChunk = 1 << 20

// normals are n independent standard normal numbers, F64 [n].
func normals(e *emitter, words value, n int) value {
	pairs := (n + 1) / 2
	chunk := min(pairs, noiseChunk)
	chunks := (pairs + chunk - 1) / chunk
	key := e.slice(words, cut{wordNoise, wordNoise + 8, 1})
	zero := e.constant(I32, nil, 0)
	state := []value{zero, e.constant(F64, []int{chunks * chunk * 2}, 0)}
	state = e.while(state, []value{key},
		func(state []value) value {
			return e.compare("LT", state[0], e.like(state[0], float64(chunks)))
		},
		func(state, constant []value) []value {
			i := state[0]
			first := e.times(i, float64(chunk))
			counter := e.add(e.iota(U32, []int{chunk}, 0), e.broadcast(e.convert(first, U32), []int{chunk}))
			drawn := normalPairs(e, chacha(e, constant[0], counter))
			return []value{e.plus(i, 1), e.put(state[1], drawn, e.times(first, 2))}
		})
	return e.slice(state[1], cut{0, n, 1})
}

// chachaRounds are the double rounds of ChaCha20.
const chachaRounds = 10

// chacha is the 16 words of each block of the key stream, U32 [blocks], for
// counters U32 [blocks] and a key of 8 words.
func chacha(e *emitter, key, counter value) [16]value {
	var start []value
	for _, c := range []float64{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574} { // "expand 32-byte k"
		start = append(start, e.like(counter, c))
	}
	for i := range 8 {
		start = append(start, e.broadcast(e.at(key, i), counter.shape))
	}
	start = append(start, counter, e.like(counter, 0), e.like(counter, 0), e.like(counter, 0))
	round := e.constant(I32, nil, 0)
	state := e.while(append([]value{round}, start...), nil,
		func(state []value) value {
			return e.compare("LT", state[0], e.like(state[0], chachaRounds))
		},
		func(state, _ []value) []value {
			x := [16]value(state[1:])
			for i := range 4 { // columns, then diagonals
				quarterRound(e, &x, i, 4+i, 8+i, 12+i)
			}
			for i := range 4 {
				quarterRound(e, &x, i, 4+(i+1)%4, 8+(i+2)%4, 12+(i+3)%4)
			}
			return append([]value{e.plus(state[0], 1)}, x[:]...)
		})
	var out [16]value
	for i := range out {
		out[i] = e.add(state[1+i], start[i])
	}
	return out
}

func quarterRound(e *emitter, x *[16]value, a, b, c, d int) {
	step := func(sum, by, turned int, bits float64) {
		x[sum] = e.add(x[sum], x[by])
		v := e.binary("xor", x[turned], x[sum])
		left := e.binary("shift_left", v, e.like(v, bits))
		x[turned] = e.binary("or", left, e.binary("shift_right_logical", v, e.like(v, 32-bits)))
	}
	step(a, b, d, 16)
	step(c, d, b, 12)
	step(a, b, d, 8)
	step(c, d, b, 7)
}

// normalPairs makes of each block's 16 words two normal numbers: F64 [2·blocks].
func normalPairs(e *emitter, words [16]value) value {
	wide := func(i int) value {
		low, high := e.convert(words[i], U64), e.convert(words[i+1], U64)
		return e.binary("or", low, e.binary("shift_left", high, e.like(high, 32)))
	}
	var even, odd value
	for i := 0; i < 16; i += 4 {
		u := e.times(e.plus(e.convert(wide(i), F64), 0.5), 0x1p-64)
		bits := wide(i + 2)
		v := e.times(e.convert(e.binary("shift_right_logical", bits, e.like(bits, 11)), F64), 0x1p-53)
		r := e.unary("sqrt", e.times(e.unary("log", u), -2))
		angle := e.times(v, 2*math.Pi)
		even = e.accumulate(even, e.mul(r, e.unary("cosine", angle)))
		odd = e.accumulate(odd, e.mul(r, e.unary("sine", angle)))
	}
	blocks := even.shape[0]
	pairs := e.concat(1, e.reshape(e.times(even, 0.5), blocks, 1), e.reshape(e.times(odd, 0.5), blocks, 1))
	return e.reshape(pairs, 2*blocks)
}
