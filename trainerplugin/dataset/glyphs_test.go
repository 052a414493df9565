package dataset

import (
	"bytes"
	"context"
	"errors"
	"math"
	"testing"

	"sweep"
)

func TestGlyphsDoNotDependOnSize(t *testing.T) {
	small, large := glyphs(t, 300, 20), glyphs(t, 1000, 300)
	if !bytes.Equal(small.Train.Pixels, large.Train.Pixels[:len(small.Train.Pixels)]) {
		t.Error("training images change with the size of the set")
	}
	if !bytes.Equal(small.Test.Pixels, large.Test.Pixels[:len(small.Test.Pixels)]) {
		t.Error("test images change with the size of the set")
	}
	if bytes.Equal(large.Train.Pixels[:28*28*300], large.Test.Pixels) {
		t.Error("test images are the training images")
	}
}

func TestGlyphsAreBalancedAndDifferent(t *testing.T) {
	s := glyphs(t, 2000, 100)
	for class, n := range classCounts(s, s.Train) {
		if n != 200 {
			t.Errorf("class %d has %d of 2000 images", class, n)
		}
	}
	seen := map[string]int{}
	for i := range s.Train.Len() {
		image := string(s.image(&s.Train, i))
		if j, ok := seen[image]; ok {
			t.Errorf("images %d and %d are equal", j, i)
		}
		seen[image] = i
	}
}

// The data set is the same on every machine and for ever: a changed image
// would be another data set under the same name. The value is our own; it
// guards against change, and says nothing of correctness.
func TestGlyphsStayWhatTheyAre(t *testing.T) {
	const want = "sha256:8a5096dc92f35782a84b04969338e9f24a6e27faee58eee94652caae54a3a584"
	if got := glyphs(t, 500, 100).Digest(); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

func TestGlyphConstants(t *testing.T) {
	s := glyphs(t, 4000, 0)
	mean, std := moments(s, s.Train, 0)
	// An image's own mean has a standard deviation of about 0.09, so the
	// mean of 4,000 images has 0.0015; 0.005 is more than three of them.
	if math.Abs(mean-glyphMean) > 0.005 || math.Abs(std-glyphStd) > 0.005 {
		t.Errorf("mean %.4f and standard deviation %.4f, declared %g and %g", mean, std, glyphMean, glyphStd)
	}
}

func TestGlyphsRefuseSizes(t *testing.T) {
	for _, n := range []int{-1, GlyphMax + 1} {
		if _, err := Glyphs(t.Context(), n, 10); err == nil {
			t.Errorf("%d images: no error", n)
		}
		if _, err := Open(t.Context(), "", sweep.Data{Name: "glyphs", Train: n}); err == nil {
			t.Errorf("open %d images: no error", n)
		}
	}
}

func TestGlyphsStopWithContext(t *testing.T) {
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := Glyphs(ctx, GlyphMax, 0); !errors.Is(err, why) {
		t.Errorf("error %v, want %v", err, why)
	}
}

func BenchmarkGlyphs(b *testing.B) {
	for range b.N {
		if _, err := Glyphs(b.Context(), 10_000, 0); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/10_000, "µs/image")
}
