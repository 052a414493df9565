package xla

import (
	"encoding/binary"
)

// A StepInput is what differs between calls of one program.
type StepInput struct {
	Count int // examples of the batch, the first of Indices; 0 is a batch like any other

	Step    int      // t, counted from 1; views are drawn for it
	ViewKey uint64   // the trial's; see dataset.Draw
	Noise   [32]byte // key of the step's noise, of LowerStep; secret

	Clip float64 // C; not used by automatic clipping

	// The rest is LowerStep's alone.

	NoiseStd    float64 // σ·Δ: standard deviation of the noise in the sum; 0 is none
	Batch       float64 // B: the nominal batch
	LearnRate   float64 // η_t
	WeightDecay float64 // λ
	EMA         float64 // μ_t

	Momentum       float64 // of SGD that has some
	Beta1, Beta2   float64 // of Adam
	AdamEps        float64
	Share1, Share2 float64 // 1 - β₁ᵗ and 1 - β₂ᵗ
}

// Numbers of the words and scalars of a step.
const (
	WordCount   = 12
	ScalarCount = 12
)

// Places of words.
const (
	wordCount   = 0
	wordStep    = 1
	wordViewKey = 2 // two: low, high
	wordNoise   = 4 // eight, little-endian
)

// Words are the argument [Words]. They hold the noise key.
func (s StepInput) Words() []uint32 {
	w := make([]uint32, WordCount)
	w[wordCount], w[wordStep] = uint32(s.Count), uint32(s.Step)
	w[wordViewKey], w[wordViewKey+1] = uint32(s.ViewKey), uint32(s.ViewKey>>32)
	for i := range 8 {
		w[wordNoise+i] = binary.LittleEndian.Uint32(s.Noise[4*i:])
	}
	return w
}

// Places of scalars.
const (
	scalarClip = iota
	scalarNoiseStd
	scalarBatch
	scalarLearnRate
	scalarWeightDecay
	scalarEMA
	scalarMomentum
	scalarBeta1
	scalarBeta2
	scalarAdamEps
	scalarShare1
	scalarShare2
)

// Scalars are the argument [Scalars].
func (s StepInput) Scalars() []float64 {
	x := make([]float64, ScalarCount)
	x[scalarClip], x[scalarNoiseStd], x[scalarBatch] = s.Clip, s.NoiseStd, s.Batch
	x[scalarLearnRate], x[scalarWeightDecay], x[scalarEMA] = s.LearnRate, s.WeightDecay, s.EMA
	x[scalarMomentum], x[scalarBeta1], x[scalarBeta2] = s.Momentum, s.Beta1, s.Beta2
	x[scalarAdamEps], x[scalarShare1], x[scalarShare2] = s.AdamEps, s.Share1, s.Share2
	return x
}

// A Summary is what a call saw of its batch, in sums. It comes from private data
// and has no noise.
type Summary struct {
	NonFinite    int     // gradients that were not finite and counted as zero
	NormSum      float64 // of the others' norms
	NormMax      float64
	Clipped      int     // gradients that were made shorter
	LossSum      float64 // of losses that are finite
	FiniteLosses int
	SumSquares   float64 // ‖Σ c_i‖²
	Diverged     bool    // a weight or moment is no longer finite; false from LowerGradients
}

// ReportCount is how many numbers a report has.
const ReportCount = 8

// ParseReport reads the result [Report].
func ParseReport(r []float64) Summary {
	return Summary{
		NonFinite: int(r[0]), NormSum: r[1], NormMax: r[2], Clipped: int(r[3]),
		LossSum: r[4], FiniteLosses: int(r[5]), SumSquares: r[6], Diverged: r[7] != 0,
	}
}
