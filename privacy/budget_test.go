package privacy

import (
	"math"
	"strconv"
	"testing"
)

func TestRoundUp(t *testing.T) {
	for _, c := range []struct {
		x        float64
		digits   int
		up, down float64
	}{
		{0.98768251, 4, 0.9877, 0.9876},
		{7.4941342, 3, 7.50, 7.49},
		{9.9991, 4, 10, 9.999},
		{3, 4, 3, 3},
		{1.2345e-7, 2, 1.3e-7, 1.2e-7},
		{0, 3, 0, 0},
		{math.Inf(1), 3, math.Inf(1), math.Inf(1)},
	} {
		if up := RoundUp(c.x, c.digits); up != c.up {
			t.Errorf("RoundUp(%v, %d) = %v, want %v", c.x, c.digits, up, c.up)
		}
		if down := RoundDown(c.x, c.digits); down != c.down {
			t.Errorf("RoundDown(%v, %d) = %v, want %v", c.x, c.digits, down, c.down)
		}
	}
}

func FuzzRoundUp(f *testing.F) {
	f.Add(0.9877, 4)
	f.Add(1e-310, 2)
	f.Fuzz(func(t *testing.T, x float64, digits int) {
		if !(x > 0) || x > 1e300 || digits < 1 || digits > 15 {
			t.Skip()
		}
		up := RoundUp(x, digits)
		if up < x {
			t.Errorf("RoundUp(%v, %d) = %v is below it", x, digits, up)
		}
		if x > 1e-300 && up-x > x*math.Pow10(1-digits)*(1+1e-12) {
			t.Errorf("RoundUp(%v, %d) = %v is more than a unit of the last digit away", x, digits, up)
		}
		if read, _ := strconv.ParseFloat(FormatEpsilon(x, digits), 64); read < x {
			t.Errorf("FormatEpsilon(%v, %d) reads %v, which is no bound", x, digits, read)
		}
	})
}

func TestBudgetCheck(t *testing.T) {
	for _, b := range []Budget{{-1, 1e-5}, {math.NaN(), 1e-5}, {1, 1}, {1, -1e-9}, {1, math.NaN()}} {
		if b.Check() == nil {
			t.Errorf("budget %+v is accepted", b)
		}
	}
	if err := (Budget{0, 0}).Check(); err != nil {
		t.Errorf("budget of perfect privacy: %v", err)
	}
}
