// Package canary puts canaries into a training set, trains on it with the
// built-in loop, and scores them: the attack whose success [sweep/privacy/audit]
// turns into a lower bound on ε.
//
// A canary is an example of the auditor's making. It takes one of the N places of
// the training set, and a fair coin of its own, which only the auditor knows,
// decides whether it is there. N, the sampling rate B/N and the noise are the
// trial's, so that the ε claimed for the trial is the one that is put to the test.
// A canary that is not there adds nothing to any batch in which its place is
// drawn: neighbours differ by one example added or removed, as accounted for.
//
// # Auditing another trainer
//
// What a trainer of any kind did can be audited from a file of scores:
//
//  1. Make m canaries, some hundred at least: training examples under wrong
//     labels, or images of noise. Toss a coin for each, by a generator that the
//     trainer does not share, and keep the coins to yourself.
//
//  2. Train once on the training set and the canaries whose coin says so. Its
//     size for accounting counts all m of them.
//
//  3. Score every canary, in or out, from what the trainer released: higher
//     where it looks more as if trained on, as by how much training lowered its
//     loss. Fix how before you look at the coins.
//
//  4. Write the file, "canary,included,score" and a line for each, and run
//
//     sweep audit --scores FILE.csv --delta 1e-5 --claimed 8
//
// or `sweep audit SWEEP.yaml --scores FILE.csv` where a sweep file says what was
// done. A lower bound above the ε claimed means that trainer or accounting are
// wrong; one below it proves nothing.
package canary

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"

	"sweep/trainerplugin/dataset"
)

// A Kind is what a canary looks like.
type Kind string

const (
	// Mislabelled is a training image under a wrong label, each of the others as
	// likely. Convolutional networks must memorize it by itself.
	Mislabelled Kind = "mislabelled"
	// Random is an image whose every value is one of the two that are equally far
	// from the mean, by a fair coin, under a label drawn uniformly. Such images are
	// nearly orthogonal to each other and to any real one, so that a linear model
	// keeps what it learnt of each apart.
	Random Kind = "random"
)

// ParseKind reads the name of a kind.
func ParseKind(name string) (Kind, error) {
	switch k := Kind(name); k {
	case Mislabelled, Random:
		return k, nil
	}
	return "", fmt.Errorf("unknown canaries %q; there are %s and %s", name, Mislabelled, Random)
}

// A Set is m canaries in the last m places of a training set. It alone knows which
// of them are there.
type Set struct {
	part   *dataset.Partition
	first  int // place of the first canary
	in     []bool
	labels []int
	pixels []uint8 // of [Random] canaries, one image after another; nil where the place's own image is meant
}

// New makes m canaries for part's training set and tosses their coins; random is
// where images, labels and coins come from, [crypto/rand.Reader] unless an
// audit is to be repeated. m is 1 to the size of the training set.
func New(part *dataset.Partition, kind Kind, m int, random io.Reader) (*Set, error) {
	n := part.Train.Len()
	if m < 1 || m > n {
		return nil, fmt.Errorf("make canaries: %d of them; there may be 1 to the %d examples of the training set", m, n)
	}
	if _, err := ParseKind(string(kind)); err != nil {
		return nil, fmt.Errorf("make canaries: %w", err)
	}
	coins, err := generator(random)
	if err != nil {
		return nil, err
	}
	looks, err := generator(random)
	if err != nil {
		return nil, err
	}
	s := &Set{part: part, first: n - m, in: make([]bool, m), labels: make([]int, m)}
	for j := range m {
		s.in[j] = coins.Uint64()>>63 == 1
	}
	if kind == Random {
		s.noise(looks)
	} else {
		s.mislabel(looks)
	}
	return s, nil
}

// generator is a cryptographic generator under a key from random.
func generator(random io.Reader) (*rand.Rand, error) {
	var key [32]byte
	if _, err := io.ReadFull(random, key[:]); err != nil {
		return nil, fmt.Errorf("make canaries: draw their coins: %w", err)
	}
	return rand.New(rand.NewChaCha8(key)), nil
}

// mislabel gives the images in the canaries' places other labels.
func (s *Set) mislabel(r *rand.Rand) {
	classes := len(s.part.Train.Set().Classes)
	for j := range s.labels {
		s.labels[j] = (s.part.Train.Label(s.first+j) + 1 + r.IntN(classes-1)) % classes
	}
}

// noise draws images and labels.
func (s *Set) noise(r *rand.Rand) {
	set := s.part.Train.Set()
	s.pixels = make([]uint8, len(s.labels)*set.PixelCount())
	for j := range s.labels {
		s.labels[j] = r.IntN(len(set.Classes))
	}
	for i := range s.pixels {
		mean := 255 * set.Mean[i%set.Channels]
		far := min(mean, 255-mean)
		if r.Uint64()>>63 == 1 {
			far = -far
		}
		s.pixels[i] = uint8(math.Round(mean + far))
	}
}

// Len is m, the number of canaries.
func (s *Set) Len() int { return len(s.in) }

// Seeded is a source of randomness for audits that are to be repeated: its bytes
// follow from seed and run alone.
func Seeded(seed uint64, run int) io.Reader {
	var key [32]byte
	copy(key[:], "sweep/canary 1")
	binary.LittleEndian.PutUint64(key[16:], seed)
	binary.LittleEndian.PutUint64(key[24:], uint64(run))
	return rand.NewChaCha8(key)
}
