package stats

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// A Comparison is of two sets of measurements, B against A.
type Comparison struct {
	Difference float64  // mean of B less mean of A
	Interval   Interval // 95 % confidence interval of the difference
	T          float64  // test statistic
	Freedom    float64  // its degrees of freedom
	P          float64  // two-sided: how often chance alone gives a difference as large
	D          float64  // effect size in standard deviations, corrected for few measurements (Hedges' g)
}

// Welch compares two independent sets, of at least two measurements each, whose
// spreads may differ (Welch 1947). D is Cohen's d over the pooled standard
// deviation (Cohen 1988, section 2.2), with Hedges' correction. ok is false with
// fewer measurements, or where nothing varies.
func Welch(a, b []float64) (c Comparison, ok bool) {
	if len(a) < 2 || len(b) < 2 {
		return c, false
	}
	meanA, stdA := stat.MeanStdDev(a, nil)
	meanB, stdB := stat.MeanStdDev(b, nil)
	nA, nB := float64(len(a)), float64(len(b))
	vA, vB := stdA*stdA/nA, stdB*stdB/nB
	se := math.Sqrt(vA + vB)
	if !(se > 0) {
		return c, false
	}
	ν := (vA + vB) * (vA + vB) / (vA*vA/(nA-1) + vB*vB/(nB-1))
	c = tested(meanB-meanA, se, ν)
	pooled := math.Sqrt(((nA-1)*stdA*stdA + (nB-1)*stdB*stdB) / (nA + nB - 2))
	c.D = c.Difference / pooled * hedges(nA+nB-2)
	return c, true
}

// Paired compares b[i] with a[i], which differ in nothing but what is compared
// (the other hyper-parameters, say). There are at least two pairs. D is the mean
// difference over the standard deviation of differences, with Hedges' correction
// for n - 1 degrees of freedom, and NaN for two pairs. ok is false with fewer, or
// where all differences are equal.
func Paired(a, b []float64) (c Comparison, ok bool) {
	if len(a) != len(b) {
		panic("stats: pairs of which one is missing")
	}
	if len(a) < 2 {
		return c, false
	}
	diff := make([]float64, len(a))
	for i := range a {
		diff[i] = b[i] - a[i]
	}
	mean, std := stat.MeanStdDev(diff, nil)
	n := float64(len(diff))
	if !(std > 0) {
		return c, false
	}
	c = tested(mean, std/math.Sqrt(n), n-1)
	c.D = mean / std * hedges(n-1)
	return c, true
}

// WithSpread compares the means of nA and nB ≥ 1 measurements, too few to know how
// much they vary, by a standard deviation that is known from elsewhere with so many
// degrees of freedom (such as that within all points of a sweep) and taken to
// hold for both: Student's t of difference/(std·√(1/nA+1/nB)). D is the difference
// over std with Hedges' correction. ok is false where std is not positive.
func WithSpread(difference, std float64, freedom, nA, nB int) (c Comparison, ok bool) {
	if !(std > 0) || freedom < 1 {
		return c, false
	}
	ν := float64(freedom)
	c = tested(difference, std*math.Sqrt(1/float64(nA)+1/float64(nB)), ν)
	c.D = difference / std * hedges(ν)
	return c, true
}

// hedges corrects an effect size over a standard deviation with ν degrees of
// freedom for its bias: Γ(ν/2) / (√(ν/2) Γ((ν-1)/2)) (Hedges 1981, equation 6e). With one
// the effect size has no mean, so that nothing corrects it: NaN.
func hedges(ν float64) float64 {
	if ν <= 1 {
		return math.NaN()
	}
	above, _ := math.Lgamma(ν / 2)
	below, _ := math.Lgamma((ν - 1) / 2)
	return math.Exp(above-below) / math.Sqrt(ν/2)
}

// tested is the t-test of a difference with standard error se.
func tested(diff, se, ν float64) Comparison {
	t := diff / se
	half := quantileT(0.975, ν) * se
	p := 2 * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: ν}.Survival(math.Abs(t))
	return Comparison{Difference: diff, Interval: Interval{diff - half, diff + half}, T: t, Freedom: ν, P: min(1, p)}
}

// Holm are p-values corrected for there being several of them (Holm 1979): to call
// those below a level true differences is then wrong about any of them with at
// most that probability, however they depend on each other.
func Holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	corrected, least := make([]float64, len(p)), 0.0
	for rank, i := range order {
		least = max(least, min(1, float64(len(p)-rank)*p[i]))
		corrected[i] = least
	}
	return corrected
}
