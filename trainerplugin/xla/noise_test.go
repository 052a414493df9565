package xla

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"testing"

	"golang.org/x/crypto/chacha20"
)

// RFC 8439, appendix A.1, test vectors 1 to 4: those whose nonce is zero.
func TestChaChaVectors(t *testing.T) {
	p := &Program{
		Name:    "chacha",
		Args:    []Spec{{Name: "key", Element: U32, Shape: []int{8}}, {Name: "counter", Element: U32, Shape: []int{1}}},
		Results: []Spec{{Name: "block", Element: U32, Shape: []int{16}}},
	}
	function(p, func(e *emitter, in map[string]value) map[string]value {
		words := chacha(e, in["key"], in["counter"])
		return map[string]value{"block": e.concat(0, words[:]...)}
	})
	for _, v := range []struct {
		key     string // of 32 bytes: the rest is zero
		last    byte
		counter uint32
		block   string
	}{
		{"", 0, 0, "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"},
		{"", 0, 1, "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"},
		{"", 1, 1, "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0"},
		{"00ff", 0, 2, "72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096"},
	} {
		key := make([]byte, 32)
		prefix, _ := hex.DecodeString(v.key)
		copy(key, prefix)
		key[31] |= v.last
		eachMachine(t, func(t *testing.T, m machine) {
			got := call(t, m, p, values{"key": StepInput{Noise: [32]byte(key)}.Words()[wordNoise:], "counter": []uint32{v.counter}})
			var block []byte
			for _, w := range got["block"].([]uint32) {
				block = binary.LittleEndian.AppendUint32(block, w)
			}
			if hex.EncodeToString(block) != v.block {
				t.Errorf("counter %d: %x\nwant %s", v.counter, block, v.block)
			}
		})
	}
}

var noiseKey = [32]byte([]byte("a key of 256 bits, of no secret."))

// reference are n normal numbers of the key's stream, from another implementation
// of ChaCha20 and of Box and Muller's formula: dpsgd's noise.go says why there are
// four terms in each.
func reference(t *testing.T, key [32]byte, n int) []float64 {
	t.Helper()
	stream, err := chacha20.NewUnauthenticatedCipher(key[:], make([]byte, chacha20.NonceSize))
	if err != nil {
		t.Fatal(err)
	}
	z := make([]float64, n)
	for i := 0; i < n; i += 2 {
		var block [64]byte
		stream.XORKeyStream(block[:], block[:])
		var even, odd float64
		for j := 0; j < 64; j += 16 {
			u := (float64(binary.LittleEndian.Uint64(block[j:])) + 0.5) * 0x1p-64
			v := float64(binary.LittleEndian.Uint64(block[j+8:])>>11) * 0x1p-53
			r := math.Sqrt(-2 * math.Log(u))
			even += r * math.Cos(2*math.Pi*v)
			odd += r * math.Sin(2*math.Pi*v)
		}
		z[i] = even / 2
		if i+1 < n {
			z[i+1] = odd / 2
		}
	}
	return z
}

func normalsProgram(n int) *Program {
	p := &Program{
		Name:    "noise",
		Args:    []Spec{{Name: Words, Element: U32, Shape: []int{WordCount}}},
		Results: []Spec{{Name: "z", Element: F64, Shape: []int{n}}},
	}
	function(p, func(e *emitter, in map[string]value) map[string]value {
		return map[string]value{"z": normals(e, in[Words], n)}
	})
	return p
}

// 5,001 coordinates are 2,501 blocks; the last half-block is dropped.
func TestNormals(t *testing.T) {
	const n = 5001
	p, want := normalsProgram(n), reference(t, noiseKey, n)
	eachMachine(t, func(t *testing.T, m machine) {
		z := call(t, m, p, values{Words: StepInput{Noise: noiseKey}.Words()}).f64("z")
		var sum, squares float64
		for i, x := range z {
			if math.Abs(x-want[i]) > 1e-14*(1+math.Abs(want[i])) {
				t.Fatalf("coordinate %d is %v, want %v", i, x, want[i])
			}
			sum += x
			squares += x * x
		}
		// Mean and mean square of n normal numbers: within 5 standard deviations,
		// which 1 key in 10⁶ exceeds; this one does not.
		if mean, square := sum/n, squares/n; math.Abs(mean) > 5/math.Sqrt(n) || math.Abs(square-1) > 5*math.Sqrt(2.0/n) {
			t.Errorf("mean %v, mean square %v", mean, square)
		}
	})
}

// The stream goes on from chunk to chunk.
func TestNormalsInChunks(t *testing.T) {
	before := noiseChunk
	noiseChunk = 4
	defer func() { noiseChunk = before }()
	const n = 21
	want := reference(t, noiseKey, n)
	for i, x := range call(t, interpreter{}, normalsProgram(n), values{Words: StepInput{Noise: noiseKey}.Words()}).f64("z") {
		if math.Abs(x-want[i]) > 1e-14*(1+math.Abs(want[i])) {
			t.Errorf("coordinate %d is %v, want %v", i, x, want[i])
		}
	}
}
