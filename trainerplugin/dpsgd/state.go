package dpsgd

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"

	"sweep"
)

// A state is all that a trial's next update depends on beside its Params and
// its data, and so what a checkpoint holds. Sampling, noise and views are
// numbered by step and need no state of their own.
type state struct {
	step      int // updates made
	secret    secret
	weights   []float32
	ema       []float64   // in float64: at μ = 0.99999 a float32 would lose small changes for ever
	moments   [][]float32 // what the optimizer keeps, by momentNames
	nonFinite int64       // per-example gradients counted as zero
	seconds   float64     // spent training, over all attempts that led here
	program   string      // what computed it
}

// newState is where a trial with parameters p starts, with the given weights.
func newState(p sweep.Params, weights []float32) *state {
	ema := make([]float64, len(weights))
	for j, w := range weights {
		ema[j] = float64(w)
	}
	return &state{secret: newSecret(p), weights: weights, ema: ema, moments: newMoments(p, len(weights))}
}

// newMoments are n zeros for each of p's moments.
func newMoments(p sweep.Params, n int) [][]float32 {
	moments := make([][]float32, len(momentNames(p)))
	for i := range moments {
		moments[i] = make([]float32, n)
	}
	return moments
}

// averaged is the moving average as an engine takes it.
func (s *state) averaged() []float32 {
	weights := make([]float32, len(s.ema))
	for j, w := range s.ema {
		weights[j] = float32(w)
	}
	return weights
}

// weightsDigest is the SHA-256 of weights as little-endian float32.
func weightsDigest(weights []float32) string {
	h := sha256.New()
	_ = writeFloat32s(h, weights) // a hash takes all
	return digestString(h)
}

func digestString(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }

// writeFloats writes each value as put appends it, in pieces.
func writeFloats[T float32 | float64](w io.Writer, values []T, put func([]byte, T) []byte) error {
	var buf []byte
	for part := range slices.Chunk(values, 8192) {
		buf = buf[:0]
		for _, v := range part {
			buf = put(buf, v)
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return nil
}

// checkLayout says whether tensors describe a weight vector of n elements, each
// under a name of its own.
func checkLayout(tensors []Tensor, n int) error {
	seen, total := make(map[string]bool), 0
	for _, t := range tensors {
		if seen[t.Name] {
			return fmt.Errorf("engine names two tensors %q", t.Name)
		}
		seen[t.Name] = true
		total += t.Size()
	}
	if total != n {
		return fmt.Errorf("engine's tensors have %d elements and its weights %d", total, n)
	}
	return nil
}

// MemoryBytes is what the loop allocates for a trial of p and a model with the
// given number of weights: weights, their sum of gradients, the average and a
// rounded copy of it to evaluate, what the optimizer keeps, pre-trained weights
// and each thread's noise.
func MemoryBytes(p sweep.Params, parameters int64, threads int) int64 {
	perWeight := int64(4 + 4 + 8 + 4 + 4*len(momentNames(p)))
	if p.Init != (sweep.Init{}) {
		perWeight += 4
	}
	return parameters*perWeight + int64(threads)*chunk*(8+noiseBytes)
}
