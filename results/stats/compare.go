package stats

import (
	"math"

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

// Win says whether B is better than A beyond the noise of seeds: whether the
// 95 % interval of the difference lies above 0.
func (c Comparison) Win() bool { return c.Interval.Low > 0 }

// Welch compares two independent sets, of at least two measurements each, whose
// spreads may differ (Welch 1947). D is Cohen's d over the pooled standard
// deviation (Cohen 1988, section 2.2), times Hedges' 1981 correction
// 1 - 3/(4(n_A+n_B-2) - 1). ok is false with fewer measurements, or where
// nothing varies.
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
	c.D = c.Difference / pooled * (1 - 3/(4*(nA+nB-2)-1))
	return c, true
}

// Paired compares b[i] with a[i], which differ in nothing but what is compared
// (the other hyper-parameters, say). There are at least two pairs. D is the mean
// difference over the standard deviation of differences, with Hedges' correction
// for n - 1 degrees of freedom. ok is false with fewer, or where all differences
// are equal.
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
	c.D = mean / std * (1 - 3/(4*(n-1)-1))
	return c, true
}

// WithSpread compares the means of nA and nB ≥ 1 measurements, too few to know how
// much they vary, by a standard deviation that is known from elsewhere with so many
// degrees of freedom (such as [PooledStd], of all points of a sweep) and taken to
// hold for both: Student's t of difference/(std·√(1/nA+1/nB)). D is the difference
// over std with Hedges' correction. ok is false where std is not positive.
func WithSpread(difference, std float64, freedom, nA, nB int) (c Comparison, ok bool) {
	if !(std > 0) || freedom < 1 {
		return c, false
	}
	ν := float64(freedom)
	c = tested(difference, std*math.Sqrt(1/float64(nA)+1/float64(nB)), ν)
	c.D = difference / std * (1 - 3/(4*ν-1))
	return c, true
}

// tested is the t-test of a difference with standard error se.
func tested(diff, se, ν float64) Comparison {
	t := diff / se
	half := quantileT(0.975, ν) * se
	p := 2 * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: ν}.Survival(math.Abs(t))
	return Comparison{Difference: diff, Interval: Interval{diff - half, diff + half}, T: t, Freedom: ν, P: min(1, p)}
}
