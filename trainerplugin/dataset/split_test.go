package dataset

import (
	"slices"
	"strings"
	"testing"

	"sweep"
)

func glyphs(t *testing.T, train, test int) *Set {
	t.Helper()
	s, err := Glyphs(t.Context(), train, test)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSplitIsDisjointAndNested(t *testing.T) {
	s := glyphs(t, 1000, 10)
	small, err := s.Split(300, 100)
	if err != nil {
		t.Fatal(err)
	}
	large, err := s.Split(900, 100)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(large.Train.index[:300], small.Train.index) {
		t.Error("a smaller training subset does not lie within a larger one")
	}
	if !slices.Equal(large.Validation.index, small.Validation.index) {
		t.Error("validation depends on how many are trained on")
	}
	all := slices.Sorted(slices.Values(slices.Concat(large.Train.index, large.Validation.index)))
	if !slices.Equal(all, identity(1000)) {
		t.Error("training and validation together are not each example once")
	}
	if large.Test.Len() != 10 || small.Part(sweep.Validation).Len() != 100 || small.Part(sweep.Train).Len() != 300 {
		t.Error("subsets have other sizes than asked for")
	}
}

// A training subset is a simple random sample: of 10,000 images, 1,000 in each
// of 10 classes, 2,000 are taken. A class's count is hypergeometric with mean
// 200 and standard deviation 12.0 (√(2000·0.1·0.9·0.8)), so one of ten lies
// more than 60 away with probability below 1e-5.
func TestSplitIsRepresentative(t *testing.T) {
	s := &Set{Name: "labels", Classes: digitNames, Height: 1, Width: 1, Channels: 1, Mean: []float64{0}, Std: []float64{1}}
	for i := range 10_000 {
		s.Train.Labels = append(s.Train.Labels, uint16(i/1000)) // sorted by class, as archives are
	}
	s.Train.Pixels = make([]uint8, 10_000)
	p, err := s.Split(2000, 1000)
	if err != nil {
		t.Fatal(err)
	}
	counts := make([]int, 10)
	for i := range p.Train.Len() {
		counts[p.Train.Label(i)]++
	}
	for class, n := range counts {
		if n < 140 || n > 260 {
			t.Errorf("class %d: %d of 2000", class, n)
		}
	}
}

func TestSplitRefuses(t *testing.T) {
	s := glyphs(t, 50, 10)
	untested := glyphs(t, 50, 0)
	for _, c := range []struct {
		set               *Set
		train, validation int
		want              string
	}{
		{s, 41, 10, "train 41 and validation 10 ask for more than its 50 training examples"},
		{s, 51, 0, "more than its 50 training examples"},
		{s, 1 << 62, 1 << 62, "more than its 50 training examples"},
		{s, 0, 10, "at least 1 example"},
		{s, 10, -1, "validation -1"},
		{untested, 10, 0, "set validation above 0"},
	} {
		if _, err := c.set.Split(c.train, c.validation); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("train %d, validation %d: error %v, want one that says %q", c.train, c.validation, err, c.want)
		}
	}
}

func TestDigestCoversContentAndSplit(t *testing.T) {
	digest := func(change func(*Set), train, validation int) string {
		s := glyphs(t, 40, 10)
		change(s)
		p, err := s.Split(train, validation)
		if err != nil {
			t.Fatal(err)
		}
		return p.Digest
	}
	none := func(*Set) {}
	want := digest(none, 20, 10)
	if !strings.HasPrefix(want, "sha256:") || len(want) != len("sha256:")+64 {
		t.Errorf("digest %q", want)
	}
	same := func(s *Set) { s.Name, s.Source = "other", "another format" }
	if got := digest(same, 20, 10); got != want {
		t.Error("the digest depends on a name or a format")
	}
	for what, got := range map[string]string{
		"a training pixel": digest(func(s *Set) { s.Train.Pixels[5]++ }, 20, 10),
		"a test pixel":     digest(func(s *Set) { s.Test.Pixels[5]++ }, 20, 10),
		"a training label": digest(func(s *Set) { s.Train.Labels[5] = 7 }, 20, 10),
		"a test label":     digest(func(s *Set) { s.Test.Labels[5] = 7 }, 20, 10),
		"the image's size": digest(func(s *Set) { s.Height, s.Width = 14, 56 }, 20, 10),
		"the classes":      digest(func(s *Set) { s.Classes = append(s.Classes[:10:10], "ten") }, 20, 10),
		"train":            digest(none, 21, 10),
		"validation":       digest(none, 20, 11),
	} {
		if got == want {
			t.Errorf("%s: not in the digest", what)
		}
	}
}
