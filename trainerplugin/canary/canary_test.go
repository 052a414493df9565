package canary

import (
	"context"
	"crypto/rand"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"sweep"
	"sweep/trainerplugin"
	"sweep/trainerplugin/dpsgd"
)

// Over 4000 coins a share off by more than 0.05 has a chance below 1e-9.
func TestCoinsAreFair(t *testing.T) {
	part, err := glyphs()
	if err != nil {
		t.Fatal(err)
	}
	heads := 0
	for range 2 {
		s, err := New(part, Mislabelled, examples, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range s.in {
			if in {
				heads++
			}
		}
	}
	if share := float64(heads) / (2 * examples); math.Abs(share-0.5) > 0.05 {
		t.Errorf("%.3f of the canaries are in", share)
	}
}

func TestMislabelledKeepTheirImages(t *testing.T) {
	part, err := glyphs()
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(part, Mislabelled, 300, Seeded(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	got, want := make([]float32, 28*28), make([]float32, 28*28)
	batch := s.canaries()
	seen := map[int]bool{}
	for j := range s.Len() {
		label, right := batch.View(j, 0, got), part.Train.At(examples-300+j, want)
		seen[(label-right+10)%10] = true
		if label == right || label < 0 || label > 9 || !slices.Equal(got, want) {
			t.Fatalf("canary %d of class %d has label %d, and its image changed: %v", j, right, label, !slices.Equal(got, want))
		}
	}
	if len(seen) != 9 {
		t.Errorf("labels are off by %v; 300 draws of 9 leave one out with a chance below 1e-14", seen)
	}
}

// Values of noise images are ±a with a mean of zero, so that images of n values have
// cosines of standard deviation 1/√n: of 11,175 pairs none reaches 7 of them but
// with a chance below 1e-6, and the seed is fixed.
func TestRandomAreNearlyOrthogonal(t *testing.T) {
	part, err := glyphs()
	if err != nil {
		t.Fatal(err)
	}
	const m, n = 150, 28 * 28
	s, err := New(part, Random, m, Seeded(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	batch := s.canaries()
	images := make([][]float32, m)
	for j := range images {
		images[j] = make([]float32, n)
		batch.View(j, 0, images[j])
	}
	for j, a := range images {
		for _, b := range images[:j] {
			var ab, aa, bb float64
			for i := range a {
				ab, aa, bb = ab+float64(a[i]*b[i]), aa+float64(a[i]*a[i]), bb+float64(b[i]*b[i])
			}
			if cos := ab / math.Sqrt(aa*bb); math.Abs(cos) > 7/math.Sqrt(n) {
				t.Fatalf("canary %d has a cosine of %.3f to another", j, cos)
			}
		}
	}
}

// The sum over a batch with absent canaries is the sum over those that are there,
// to the bit, and examples that are no canaries are themselves.
func TestAbsentCanariesAddNothing(t *testing.T) {
	p, part, e := trial(t, 1, 1)
	p.AugMult, p.Augment = 2, sweep.CropFlip
	s, err := New(part, Random, 50, Seeded(3, 0))
	if err != nil {
		t.Fatal(err)
	}
	view := s.data(p).View
	var members, there []int
	for i := examples - 100; i < examples; i++ {
		members = append(members, i)
		if j := i - (examples - 50); j < 0 || s.in[j] {
			there = append(there, i)
		}
	}
	if len(there) == len(members) {
		t.Fatal("no canary is absent")
	}
	sum := func(e dpsgd.Engine, members []int) []float32 {
		total := make([]float32, 7850)
		stats, err := e.ClippedSum(t.Context(), make([]float32, 7850), dpsgd.Batch{Len: len(members), Views: 2, View: func(i, k int, img []float32) int {
			return view(4, members[i], k, img)
		}}, 1, total)
		if err != nil || len(stats.Losses) != len(there) {
			t.Fatalf("%d losses, %v; want %d", len(stats.Losses), err, len(there))
		}
		return total
	}
	if !slices.Equal(sum(&witness{Engine: e}, members), sum(e, there)) {
		t.Error("absent canaries changed the sum")
	}
	a, b := make([]float32, 28*28), make([]float32, 28*28)
	if view(4, 17, 0, nil) != part.Train.Label(17) {
		t.Error("an example without an image has another label")
	}
	p.Augment = ""
	if s.data(p).View(4, 17, 0, a) != part.Train.At(17, b) || !slices.Equal(a, b) {
		t.Error("an example that is no canary is another one")
	}
}

func TestEqualSeedsMakeEqualCanaries(t *testing.T) {
	part, err := glyphs()
	if err != nil {
		t.Fatal(err)
	}
	draw := func(seed uint64, run int) *Set {
		s, err := New(part, Random, 100, Seeded(seed, run))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a, b, c, d := draw(1, 0), draw(1, 0), draw(1, 1), draw(2, 0)
	if !slices.Equal(a.in, b.in) || !slices.Equal(a.pixels, b.pixels) {
		t.Error("equal seeds make other canaries")
	}
	if slices.Equal(a.in, c.in) || slices.Equal(a.in, d.in) || slices.Equal(c.pixels, d.pixels) {
		t.Error("another seed or run makes the same canaries")
	}
}

func TestNewRefuses(t *testing.T) {
	part, err := glyphs()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		kind Kind
		m    int
		from string
		want string
	}{
		{Random, 0, strings.Repeat("x", 64), "0 of them"},
		{Random, examples + 1, strings.Repeat("x", 64), "1 to the 2000 examples"},
		{"yellow", 10, strings.Repeat("x", 64), `"yellow"`},
		{Random, 10, "short", "coins"},
	} {
		if _, err := New(part, c.kind, c.m, strings.NewReader(c.from)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d %s canaries: %v; want %q", c.m, c.kind, err, c.want)
		}
	}
}

func TestTrainRefuses(t *testing.T) {
	p, part, e := trial(t, 1, 1)
	s, err := New(part, Random, 10, Seeded(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	stop := errors.New("enough")
	for _, c := range []struct {
		change func(*Run)
		want   string
	}{
		{func(r *Run) { r.Score = "guess" }, "last, averaged and trajectory"},
		{func(r *Run) { r.Job.Params.Data.Train = 1000 }, "trains on 1000"},
		{func(r *Run) { r.Report = func(trainerplugin.Event) error { return stop } }, "enough"},
	} {
		r := Run{Job: trainerplugin.Job{Trial: p.ID(), Params: p, Dir: t.TempDir(), Threads: 1}, Engine: e, Score: LastLoss}
		c.change(&r)
		if _, _, err := s.Train(t.Context(), dpsgd.Train, r); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v; want %q", err, c.want)
		}
	}
}

// The scores are of the weights that were released: a trainer that evaluates others
// is found out.
func TestTrainWantsTheWeightsOfTheOutcome(t *testing.T) {
	p, part, e := trial(t, 1, 1)
	s, err := New(part, Random, 10, Seeded(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	p.Steps = 2
	for _, c := range []struct {
		train Trainer
		want  string
	}{
		{func(ctx context.Context, j trainerplugin.Job, e dpsgd.Engine, d dpsgd.Data, report func(trainerplugin.Event) error) (sweep.Outcome, error) {
			o, err := dpsgd.Train(ctx, j, e, d, report)
			o.WeightsDigest = "sha256:0"
			return o, err
		}, "are not the outcome's, sha256:0"},
		{func(context.Context, trainerplugin.Job, dpsgd.Engine, dpsgd.Data, func(trainerplugin.Event) error) (sweep.Outcome, error) {
			return sweep.Outcome{}, nil
		}, "made no update"},
	} {
		r := Run{Job: trainerplugin.Job{Trial: p.ID(), Params: p, Dir: t.TempDir(), Threads: 1}, Engine: e, Score: LastLoss}
		if _, _, err := s.Train(t.Context(), c.train, r); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v; want %q", err, c.want)
		}
	}
}
