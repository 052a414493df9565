package privacy

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Budget is an (ε, δ) guarantee, or the wish for one.
type Budget struct {
	Epsilon float64 `json:"epsilon"` // ε, in nats; ≥ 0
	Delta   float64 `json:"delta"`   // δ: chance that ε is exceeded, roughly; [0, 1)
}

// Check complains about a budget that is no guarantee.
func (b Budget) Check() error {
	if err := checkEpsilon(b.Epsilon); err != nil {
		return err
	}
	return checkDelta(b.Delta)
}

func checkEpsilon(ε float64) error {
	if math.IsNaN(ε) || ε < 0 {
		return fmt.Errorf("epsilon %v is not a privacy loss; it must be at least 0", ε)
	}
	return nil
}

func checkDelta(δ float64) error {
	if !(δ >= 0 && δ < 1) {
		return fmt.Errorf("delta %v is not a probability below 1; choose one well under 1/(number of examples), as 1e-5", δ)
	}
	return nil
}

// ErrInfeasible marks a budget that no value of the calibrated parameter meets.
var ErrInfeasible = errors.New("privacy target is infeasible")

// RoundUp returns the smallest decimal of so many significant digits (1 to 17)
// that is at least x, so that a printed ε is still a bound. It returns x itself
// if x is 0, infinite or NaN. The result is the float64 nearest to that decimal.
func RoundUp(x float64, digits int) float64 {
	return roundTo(x, digits, func(y float64) bool { return y < x }, +1)
}

// RoundDown is [RoundUp] in the other direction, for lower bounds.
func RoundDown(x float64, digits int) float64 {
	return roundTo(x, digits, func(y float64) bool { return y > x }, -1)
}

// FormatEpsilon prints a bound with so many significant digits, rounded up.
func FormatEpsilon(epsilon float64, digits int) string {
	if math.IsInf(epsilon, 1) {
		return "∞"
	}
	return fmt.Sprintf("%.*g", digits, RoundUp(epsilon, digits))
}

// roundTo rounds x to a decimal of so many significant digits. It starts from
// the nearest one and moves a unit in the last place if that lies on the wrong
// side of x.
func roundTo(x float64, digits int, wrong func(rounded float64) bool, unit int64) float64 {
	if x == 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return x
	}
	digits = min(max(digits, 1), 17)
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(x, 'e', digits-1, 64), "e")
	m, _ := strconv.ParseInt(strings.Replace(mantissa, ".", "", 1), 10, 64)
	e, _ := strconv.Atoi(exponent)
	y := decimal(m, e-digits+1)
	if wrong(y) {
		y = decimal(m+unit, e-digits+1)
	}
	return y
}

// decimal is the float64 nearest to m·10^e.
func decimal(m int64, e int) float64 {
	x, _ := strconv.ParseFloat(fmt.Sprintf("%de%d", m, e), 64) // only overflow fails, to ±Inf as it should
	return x
}
