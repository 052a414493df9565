package dataset

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sweep"
)

// realDir is where real data are looked for: $SWEEP_DATA_DIR or shared/data
// beside the project.
func realDir() string {
	if dir := os.Getenv("SWEEP_DATA_DIR"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "..", "shared", "data")
}

// openReal opens a real data set, or skips the test where it is absent.
func openReal(t *testing.T, name string) *Set {
	t.Helper()
	s, err := Open(t.Context(), realDir(), sweep.Data{Name: name})
	if errors.Is(err, ErrMissing) {
		t.Skipf("no real data: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// moments returns the mean and standard deviation of channel c over p, of
// pixels divided by 255, from exact integer sums.
func moments(s *Set, p Part, c int) (mean, std float64) {
	var sum, squares, n uint64
	for i := c; i < len(p.Pixels); i += s.Channels {
		v := uint64(p.Pixels[i])
		sum += v
		squares += v * v
		n++
	}
	mean = float64(sum) / float64(n)
	return mean / 255, math.Sqrt(float64(squares)/float64(n)-mean*mean) / 255
}

// classCounts counts the images of each class.
func classCounts(s *Set, p Part) []int {
	counts := make([]int, len(s.Classes))
	for _, l := range p.Labels {
		counts[l]++
	}
	return counts
}

// The published MNIST: counts by class as given by LeCun, Cortes and Burges's
// files and quoted widely; mean and standard deviation as PyTorch's example has
// them, to the four digits given there.
func TestRealMNIST(t *testing.T) {
	s := openReal(t, "mnist")
	if s.Height != 28 || s.Width != 28 || s.Channels != 1 {
		t.Errorf("images of %dx%dx%d, want 28x28x1", s.Height, s.Width, s.Channels)
	}
	if got, want := classCounts(s, s.Train), []int{5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949}; !slices.Equal(got, want) {
		t.Errorf("training images by class %v, want %v", got, want)
	}
	if got, want := classCounts(s, s.Test), []int{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}; !slices.Equal(got, want) {
		t.Errorf("test images by class %v, want %v", got, want)
	}
	mean, std := moments(s, s.Train, 0)
	if math.Abs(mean-0.1307) > 5e-5 || math.Abs(std-0.3081) > 5e-5 {
		t.Errorf("mean %.5f, std %.5f; want 0.1307, 0.3081", mean, std)
	}
}

// CIFAR-10: 5,000 training and 1,000 test images of each class. The mean is the
// paper's, over the published pixels, so other encodings may miss it a little.
func TestRealCIFAR10(t *testing.T) {
	if testing.Short() {
		t.Skip("decoding 60,000 images takes seconds")
	}
	s := openReal(t, "cifar10")
	if s.Height != 32 || s.Width != 32 || s.Channels != 3 {
		t.Errorf("images of %dx%dx%d, want 32x32x3", s.Height, s.Width, s.Channels)
	}
	for class := range 10 {
		if n := classCounts(s, s.Train)[class]; n != 5000 {
			t.Errorf("%s: %d training images, want 5000", s.Classes[class], n)
		}
		if n := classCounts(s, s.Test)[class]; n != 1000 {
			t.Errorf("%s: %d test images, want 1000", s.Classes[class], n)
		}
	}
	for c := range 3 {
		mean, std := moments(s, s.Train, c)
		if math.Abs(mean-cifarMean[c]) > 0.003 || math.Abs(std-cifarStd[c]) > 0.01 {
			t.Errorf("channel %d: mean %.5f, std %.5f; want about %.5f, %.5f", c, mean, std, cifarMean[c], cifarStd[c])
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, name := range []string{"mnist", "cifar10"} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				_, err := Open(b.Context(), realDir(), sweep.Data{Name: name})
				if errors.Is(err, ErrMissing) {
					b.Skip(err)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
