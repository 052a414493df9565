package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"math/rand/v2"

	"sweep"
)

// A Partition is a data set divided for one trial.
type Partition struct {
	Train      Subset // what is trained on
	Validation Subset // held out of the training part; empty if none was asked for
	Test       Subset // the data set's own test part
	Digest     string // "sha256:…" of pixels, labels, sizes and split
}

// Part returns one of p's three subsets.
func (p *Partition) Part(name sweep.Split) Subset {
	switch name {
	case sweep.Train:
		return p.Train
	case sweep.Validation:
		return p.Validation
	case sweep.Test:
		return p.Test
	}
	panic(fmt.Sprintf("dataset: no split %q", name))
}

// Split chooses train examples to train on and validation others to hold out,
// both from s's training part of n images. The choice is one fixed permutation
// of 0 … n-1, the same for everyone: training takes its first train members,
// validation its last, so neither depends on how many the other takes and a
// smaller training subset lies within a larger one. It looks at no pixel and no
// label, and so gives nothing of them away.
//
// It is an error to ask for more examples than there are, for no training
// examples, or for no validation where there is no test part to measure on.
func (s *Set) Split(train, validation int) (*Partition, error) {
	n := s.Train.Len()
	switch {
	case train < 1 || validation < 0:
		return nil, fmt.Errorf("split %s: train %d and validation %d; training takes at least 1 example", s.Name, train, validation)
	case train > n || validation > n-train:
		return nil, fmt.Errorf("split %s: train %d and validation %d ask for more than its %d training examples", s.Name, train, validation, n)
	case validation == 0 && s.Test.Len() == 0:
		return nil, fmt.Errorf("split %s: it has no test part to measure accuracy on; set validation above 0", s.Name)
	}
	order := permutation(n)
	return &Partition{
		Train:      Subset{set: s, part: &s.Train, index: order[:train:train]},
		Validation: Subset{set: s, part: &s.Train, index: order[n-validation:]},
		Test:       Subset{set: s, part: &s.Test, index: identity(s.Test.Len())},
		Digest:     splitDigest(s.Digest(), train, validation),
	}, nil
}

// permutation returns the fixed permutation of 0 … n-1: Fisher and Yates'
// shuffle, drawing from ChaCha8 under a key that spells its purpose. An index is
// the high word of random·(i+1), so no chance is off by more than 2⁻³².
func permutation(n int) []int32 {
	random := rand.NewChaCha8([32]byte([]byte("sweep/dataset permutation, v. 1\n")))
	order := identity(n)
	for i := n - 1; i > 0; i-- {
		j, _ := bits.Mul64(random.Uint64(), uint64(i)+1)
		order[i], order[j] = order[j], order[i]
	}
	return order
}

func identity(n int) []int32 {
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	return order
}

// Digest is "sha256:…" of s's content: image size, number of classes, and the
// pixels and labels of both parts in their order. Names, and the format of the
// files that were read, are not in it. It is computed once.
func (s *Set) Digest() string {
	s.digestOnce.Do(func() {
		h := sha256.New()
		h.Write([]byte("sweep/dataset content 1\n"))
		writeInts(h, s.Height, s.Width, s.Channels, len(s.Classes), s.Train.Len(), s.Test.Len())
		for _, p := range []*Part{&s.Train, &s.Test} {
			h.Write(p.Pixels)
			labels := make([]byte, 0, 2*p.Len())
			for _, l := range p.Labels {
				labels = binary.LittleEndian.AppendUint16(labels, l)
			}
			h.Write(labels)
		}
		s.digest = "sha256:" + hex.EncodeToString(h.Sum(nil))
	})
	return s.digest
}

// splitDigest names content as it is divided. The permutation follows from the
// number of training examples, which the content's digest covers.
func splitDigest(content string, train, validation int) string {
	h := sha256.New()
	h.Write([]byte("sweep/dataset split 1\n" + content + "\n"))
	writeInts(h, train, validation)
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

func writeInts(w interface{ Write([]byte) (int, error) }, values ...int) {
	for _, v := range values {
		w.Write(binary.LittleEndian.AppendUint64(nil, uint64(v))) // a hash never fails
	}
}
