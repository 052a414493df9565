package results

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// meanInterval is the 95 % confidence interval of a mean of n ≥ 2 accuracies
// with standard deviation std,
//
//	mean ± t(0.975, n-1) · std / √n,
//
// within 0 to 1. It takes accuracies to be normally distributed over seeds, and
// with few seeds it is wide: t(0.975, 1) = 12.7.
func meanInterval(mean, std float64, n int) (low, high float64) {
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(n - 1)}.Quantile(0.975)
	half := t * std / math.Sqrt(float64(n))
	return max(0, mean-half), min(1, mean+half)
}
