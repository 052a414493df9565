package dataset

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"sweep"
)

// numbered is a set whose one image has a different value in every place, so
// that a view shows where each value came from.
func numbered(height, width, channels int) *Set {
	s := &Set{Name: "numbered", Classes: []string{"only"}, Height: height, Width: width, Channels: channels}
	for c := range channels {
		s.Mean, s.Std = append(s.Mean, 0.1*float64(c+1)), append(s.Std, 0.2+0.1*float64(c))
	}
	s.Train.Labels = []uint16{0}
	for i := range s.PixelCount() {
		s.Train.Pixels = append(s.Train.Pixels, uint8(i*7%251))
	}
	return s
}

// symmetricPad is numpy.pad(…, mode="symmetric") of one axis, built as numpy's
// manual describes it: the vector mirrored along its edge, on and on, is laid on
// both sides and cut to size.
func symmetricPad[T any](v []T, pad int) []T {
	mirrored := slices.Clone(v)
	slices.Reverse(mirrored)
	var before, after []T // before is nearest last
	for i := 0; len(after) < pad; i++ {
		next := mirrored
		if i%2 == 1 {
			next = v
		}
		before = slices.Concat(next, before)
		after = slices.Concat(after, next)
	}
	return slices.Concat(before[len(before)-pad:], v, after[:pad])
}

// slowView computes a view from rows of pixels by padding, cutting and reversing.
func slowView(s *Set, image []uint8, dy, dx int, flip bool) []float32 {
	var rows [][][]uint8
	for y := range s.Height {
		var row [][]uint8
		for x := range s.Width {
			row = append(row, image[(y*s.Width+x)*s.Channels:][:s.Channels])
		}
		rows = append(rows, symmetricPad(row, cropPad))
	}
	rows = symmetricPad(rows, cropPad)
	var out []float32
	for _, row := range rows[dy:][:s.Height] {
		row = slices.Clone(row[dx:][:s.Width])
		if flip {
			slices.Reverse(row)
		}
		for _, pixel := range row {
			for c, v := range pixel {
				out = append(out, float32((float64(v)/255-s.Mean[c])/s.Std[c]))
			}
		}
	}
	return out
}

// numpy's manual: np.pad([1, 2, 3, 4, 5], (2, 3), 'symmetric') is
// [2, 1, 1, 2, 3, 4, 5, 5, 4, 3]. Here with 3 on both sides.
func TestSymmetricPadIsNumpys(t *testing.T) {
	if got, want := symmetricPad([]int{1, 2, 3, 4, 5}, 3), []int{3, 2, 1, 1, 2, 3, 4, 5, 5, 4, 3}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestWarpIsPadCropFlip(t *testing.T) {
	for _, size := range [][3]int{{9, 11, 1}, {32, 32, 3}, {5, 4, 3}, {1, 1, 1}, {2, 3, 4}} {
		s := numbered(size[0], size[1], size[2])
		image := s.image(&s.Train, 0)
		got := make([]float32, s.PixelCount())
		for dy := range 2*cropPad + 1 {
			for dx := range 2*cropPad + 1 {
				for _, flip := range []bool{false, true} {
					s.warp(got, image, dy-cropPad, dx-cropPad, flip)
					if !slices.Equal(got, slowView(s, image, dy, dx, flip)) {
						t.Errorf("%v, crop at (%d, %d), flip %v: not what padding gives", size, dy, dx, flip)
					}
				}
			}
		}
	}
}

func TestPlainViewNormalises(t *testing.T) {
	for _, channels := range []int{1, 3} {
		s := numbered(6, 5, channels)
		image := s.image(&s.Train, 0)
		got := make([]float32, s.PixelCount())
		s.DrawView(got, image, "", Draw{})
		if !slices.Equal(got, slowView(s, image, cropPad, cropPad, false)) {
			t.Errorf("%d channels: a plain view differs from the image", channels)
		}
	}
}

// Each augmentation must give all its variants and no others, each as often.
// Pearson's statistic passes its bound with probability 1e-6 (the bound is the
// Wilson-Hilferty approximation to the chi-squared quantile, good to 1 %).
func TestViewsAreUniform(t *testing.T) {
	s := numbered(10, 10, 1)
	image := s.image(&s.Train, 0)
	dst := make([]float32, s.PixelCount())
	for aug, variants := range map[sweep.Augmentation]int{sweep.Flip: 2, sweep.Crop: 81, sweep.CropFlip: 162} {
		counts := map[[100]float32]int{}
		n := 0
		for step := range 10 {
			for example := range 50 {
				for view := range 40 {
					s.DrawView(dst, image, aug, Draw{Key: 7, Step: step, Example: example, View: view})
					counts[[100]float32(dst)]++
					n++
				}
			}
		}
		if len(counts) != variants {
			t.Errorf("%s: %d different views, want %d", aug, len(counts), variants)
		}
		var chi2 float64
		expected := float64(n) / float64(variants)
		for _, c := range counts {
			chi2 += (float64(c) - expected) * (float64(c) - expected) / expected
		}
		df := float64(variants - 1)
		const z = 4.753 // normal quantile of 1 - 1e-6
		bound := df * math.Pow(1-2/(9*df)+z*math.Sqrt(2/(9*df)), 3)
		if chi2 > bound {
			t.Errorf("%s: chi-squared %.1f over %g degrees of freedom, above %.1f", aug, chi2, df, bound)
		}
	}
}

// Every one of the four numbers must matter: over 64 of its values, with the
// others fixed, a CropFlip view takes more than 20 forms of its 162 (fewer has
// a probability below 1e-15 by the occupancy distribution).
func TestViewDependsOnEachNumber(t *testing.T) {
	s := numbered(8, 8, 1)
	dst := make([]float32, s.PixelCount())
	for name, draw := range map[string]func(int) Draw{
		"low half of the key":  func(i int) Draw { return Draw{Key: uint64(i)} },
		"high half of the key": func(i int) Draw { return Draw{Key: uint64(i) << 32} },
		"step":                 func(i int) Draw { return Draw{Step: i} },
		"example":              func(i int) Draw { return Draw{Example: i} },
		"view":                 func(i int) Draw { return Draw{View: i} },
	} {
		seen := map[string]bool{}
		for i := range 64 {
			s.DrawView(dst, s.image(&s.Train, 0), sweep.CropFlip, draw(i))
			seen[fmt.Sprint(dst)] = true
		}
		if len(seen) <= 20 {
			t.Errorf("%s: %d different views of 64", name, len(seen))
		}
	}
}

func TestDrawViewAllocatesNothing(t *testing.T) {
	s := numbered(32, 32, 3)
	dst := make([]float32, s.PixelCount())
	s.table()
	for _, aug := range []sweep.Augmentation{"", sweep.Flip, sweep.Crop, sweep.CropFlip} {
		if n := testing.AllocsPerRun(10, func() { s.DrawView(dst, s.Train.Pixels, aug, Draw{Step: 1}) }); n != 0 {
			t.Errorf("%q: %v allocations", aug, n)
		}
	}
}

func BenchmarkDrawView(b *testing.B) {
	s := numbered(32, 32, 3)
	dst := make([]float32, s.PixelCount())
	for _, aug := range []sweep.Augmentation{"", sweep.CropFlip} {
		b.Run("32x32x3/"+string(aug), func(b *testing.B) {
			for i := range b.N {
				s.DrawView(dst, s.Train.Pixels, aug, Draw{Example: i})
			}
		})
	}
}
