package chart

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// A Scale takes values to places along an axis, from A to B in a drawing's units.
// With Names it is for values 0, 1, 2, … that stand for them.
type Scale struct {
	Low, High float64
	Log       bool // Low > 0
	Names     []string
	Marks     []float64 // values to label, where they stand apart
	A, B      float64
}

// At is where v stands.
func (s Scale) At(v float64) float64 {
	if len(s.Names) > 0 {
		return s.A + (s.B-s.A)*(v+0.5)/float64(len(s.Names))
	}
	low, high := s.Low, s.High
	if s.Log {
		v, low, high = math.Log(v), math.Log(low), math.Log(high)
	}
	if high == low {
		return (s.A + s.B) / 2
	}
	return s.A + (s.B-s.A)*(v-low)/(high-low)
}

// A tick is a value that an axis is labelled at; without a label it is only marked.
type tick struct {
	value float64
	label string
}

// ticks are about n round values within the scale or its Marks, where those stand
// apart and cover half of the axis.
func (s Scale) ticks(n int) []tick {
	if len(s.Names) > 0 {
		all := make([]tick, len(s.Names))
		for i, name := range s.Names {
			all[i] = tick{float64(i), name}
		}
		return all
	}
	values := s.within(s.Marks)
	if len(values) == 0 || math.Abs(s.At(values[len(values)-1])-s.At(values[0])) < math.Abs(s.B-s.A)/2 || !s.apart(values) {
		values = s.round(n)
	}
	var all []tick
	for _, v := range values {
		all = append(all, tick{v, Number(v)})
	}
	return all
}

func (s Scale) within(values []float64) (inside []float64) {
	for _, v := range slices.Compact(slices.Sorted(slices.Values(values))) {
		if v >= s.Low && v <= s.High {
			inside = append(inside, v)
		}
	}
	return inside
}

// apart says whether labels at the values would not run into one another.
func (s Scale) apart(values []float64) bool {
	for i := 1; i < len(values); i++ {
		room := 18.0 // between two lines
		if s.A < s.B {
			room = (textWidth(Number(values[i]), 12)+textWidth(Number(values[i-1]), 12))/2 + 8
		}
		if math.Abs(s.At(values[i])-s.At(values[i-1])) < room {
			return false
		}
	}
	return true
}

// round are round values: on a logarithmic scale 1, 2 and 5 of each decade, or
// as many of them as there is room for.
func (s Scale) round(n int) []float64 {
	if s.Log && s.High/s.Low > 3 {
		for _, multiples := range [][]float64{{1, 2, 5}, {1, 3}, {1}} {
			if values := s.decades(multiples); len(values) >= 2 && len(values) <= 2*n && s.apart(values) {
				return values
			}
		}
		values := s.decades([]float64{1})
		if len(values) < 2 {
			return s.linear(n)
		}
		stride := (len(values) + n - 1) / max(1, n)
		var some []float64
		for i := 0; i < len(values); i += max(1, stride) {
			some = append(some, values[i])
		}
		return some
	}
	return s.linear(n)
}

// linear are multiples of 1, 2 or 5 times a power of ten.
func (s Scale) linear(n int) []float64 {
	span := s.High - s.Low
	if span <= 0 {
		return []float64{s.Low}
	}
	step := math.Pow(10, math.Floor(math.Log10(span/float64(n))))
	for _, wider := range []float64{1, 2, 5, 10} {
		if span/(step*wider) <= float64(n) {
			step *= wider
			break
		}
	}
	var values []float64
	for i := math.Ceil(s.Low/step - 1e-9); i*step <= s.High+1e-9*span; i++ {
		values = append(values, i*step)
	}
	return values
}

// decades are the multiples m·10^k within the scale, rising.
func (s Scale) decades(multiples []float64) (all []float64) {
	for k := math.Floor(math.Log10(s.Low)); k <= math.Ceil(math.Log10(s.High)); k++ {
		for _, m := range multiples {
			if v := m * math.Pow(10, k); v >= s.Low*(1-1e-9) && v <= s.High*(1+1e-9) {
				all = append(all, v)
			}
		}
	}
	return all
}

// Number is x for people: four significant digits, powers of ten in full up to
// a million, a true minus sign.
func Number(x float64) string {
	switch {
	case math.IsNaN(x):
		return "–"
	case math.IsInf(x, 1):
		return "∞"
	case x == 0 || math.Abs(x) < 1e-15:
		return "0"
	}
	var s string
	if a := math.Abs(x); a >= 1e-4 && a < 1e7 {
		digits := max(0, 3-int(math.Floor(math.Log10(a))))
		s = strconv.FormatFloat(x, 'f', digits, 64)
		if strings.Contains(s, ".") {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
	} else {
		s = strconv.FormatFloat(x, 'g', 3, 64)
		s = strings.NewReplacer("e-0", "e-", "e+0", "e").Replace(s)
	}
	return trueMinus(s)
}

// trueMinus is the number with the sign that typesetters use.
func trueMinus(number string) string { return strings.Replace(number, "-", "−", 1) }
