package model

import (
	"math"
	"slices"
	"strings"
	"testing"

	"sweep"
	"sweep/trainerplugin/dpsgd"
)

func sumClipped(t testing.TB, e *Engine, w []float32, b dpsgd.Batch, c dpsgd.Clipping) ([]float32, dpsgd.GradStats) {
	t.Helper()
	sum := make([]float32, len(w))
	stats, err := e.SumClipped(t.Context(), w, b, c, sum)
	if err != nil {
		t.Fatal(err)
	}
	return sum, stats
}

// layerRanges is where each layer's weights lie, from the tensors' names.
func layerRanges(e *Engine) map[string][2]int {
	ranges := map[string][2]int{}
	at := 0
	for _, tensor := range e.Tensors() {
		name := tensor.Name[:strings.LastIndex(tensor.Name, "/")]
		r, ok := ranges[name]
		if !ok {
			r[0] = at
		}
		at += tensor.Size()
		r[1] = at
		ranges[name] = r
	}
	return ranges
}

// Every kind against its formula, applied in float64 to gradients computed
// one by one: automatic g/(‖g‖ + 0.01) (Bu et al. 2023), per-layer each of L
// layers to C/√L and divided by C (McMahan et al. 2018), and norms as flat.
func TestClippings(t *testing.T) {
	const clip = 0.3
	for _, model := range []string{"tanh-cnn", "wrn-10-1"} {
		in := Input{15, 14, 2, 4}
		e := open(t, model, in, 2)
		w := perturbed(e, 5)
		layers := layerRanges(e)
		for _, views := range []int{1, 2} {
			b := noisyBatch(7, views, in.Classes)
			want := map[sweep.Clipping][]float64{sweep.Automatic: make([]float64, len(w)), sweep.PerLayer: make([]float64, len(w))}
			var norms []float64
			clipped := 0
			for i := range b.Len {
				const huge = 1 << 20
				g, _ := clippedSum(t, e, w, one(b, i), huge)
				whole := huge * norm(g)
				norms = append(norms, whole)
				short := false
				for _, r := range layers {
					n := huge * norm(g[r[0]:r[1]])
					root := math.Sqrt(float64(len(layers)))
					short = short || n > clip/root
					for j := r[0]; j < r[1]; j++ {
						v := huge * float64(g[j])
						want[sweep.PerLayer][j] += v * min(1, clip/root/n) / clip
						want[sweep.Automatic][j] += v / (whole + 0.01)
					}
				}
				if short {
					clipped++
				}
			}
			for kind, sum := range want {
				got, stats := sumClipped(t, e, w, b, dpsgd.Clipping{Kind: kind, Norm: clip})
				off := 0.0
				for j := range sum {
					off += (float64(got[j]) - sum[j]) * (float64(got[j]) - sum[j])
				}
				if off = math.Sqrt(off); off > 1e-5*norm64(sum) {
					t.Errorf("%s, %s: sum is off by %v of %v", model, kind, off, norm64(sum))
				}
				count := 0
				for i, n := range stats.Norms {
					if math.Abs(n-norms[i]) > 1e-5*n {
						t.Errorf("%s, %s: norm %v, want %v", model, kind, n, norms[i])
					}
					if stats.Clipped[i] {
						count++
					}
				}
				if kind == sweep.PerLayer && count != clipped {
					t.Errorf("%s: %d gradients clipped in some layer, want %d", model, count, clipped)
				}
			}
		}
	}
}

// One example's part has norm at most the sensitivity that its kind states,
// whatever the clipping norm.
func TestClippingSensitivity(t *testing.T) {
	e := open(t, "wrn-10-1", Input{8, 8, 3, 10}, 1)
	w := perturbed(e, 1)
	for _, kind := range []sweep.Clipping{sweep.Flat, sweep.Automatic, sweep.PerLayer} {
		for _, clip := range []float64{1e-3, 0.5, 1, 1e3} {
			c := dpsgd.Clipping{Kind: kind, Norm: clip}
			part, _ := sumClipped(t, e, w, one(noisyBatch(3, 1, 10), 2), c)
			if n := norm(part); n > c.Sensitivity()+1e-6 || n == 0 {
				t.Errorf("%s clipping to %v leaves a norm of %v", kind, clip, n)
			}
		}
	}
}

func TestClippingThreadsDoNotChangeBits(t *testing.T) {
	for _, kind := range []sweep.Clipping{sweep.Automatic, sweep.PerLayer} {
		var first []float32
		for _, threads := range []int{1, 2, 7} {
			e := open(t, "tanh-cnn", mnist, threads)
			sum, _ := sumClipped(t, e, perturbed(e, 1), noisyBatch(70, 1, 10), dpsgd.Clipping{Kind: kind, Norm: 0.7})
			if first == nil {
				first = sum
			}
			if !slices.Equal(sum, first) {
				t.Errorf("%s: %d threads gave other bits than 1", kind, threads)
			}
		}
	}
}

func TestBadClippings(t *testing.T) {
	e := open(t, "linear", mnist, 1)
	w := e.Init(1)
	for want, c := range map[string]dpsgd.Clipping{
		`clipping "soft" is not flat, automatic or per-layer`: {Kind: "soft", Norm: 1},
		"clipping norm 0 is not positive":                     {Kind: sweep.PerLayer},
	} {
		if _, err := e.SumClipped(t.Context(), w, noisyBatch(1, 1, 10), c, make([]float32, len(w))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}
