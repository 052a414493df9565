package privacy

import (
	"math"
	"slices"
	"sync"
)

// A renyi prices events by their Rényi divergences: a mechanism whose
// divergence of order α is at most r(α) is (ε, δ)-private for
//
//	ε = r(α) + ln(1 - 1/α) - ln(δα)/(α-1),   every α > 1
//
// (Canonne, Kamath, Steinke 2020, arXiv:2004.00010, Proposition 12), and
// divergences add up under composition (Mironov 2017, arXiv:1702.07476). The
// least over the orders tried is a bound, so more orders could only lower it.
type renyi struct {
	parts []renyiPart
}

type renyiPart struct {
	divergence func(α float64) float64 // r(α) of one step; +Inf where unknown
	times      float64
}

func newRenyi(q Question) (renyi, error) {
	var r renyi
	for _, p := range phases(q.Event) {
		d, err := divergence(p.step, q.relation())
		if err != nil {
			return renyi{}, err
		}
		r.parts = append(r.parts, renyiPart{d, float64(p.times)})
	}
	return r, nil
}

// at is the divergence of the whole composition at order α.
func (r renyi) at(α float64) float64 {
	var sum float64
	for _, p := range r.parts {
		sum += p.times * p.divergence(α)
	}
	return sum
}

// epsilon is the bound at the best order. Since (α-1)·r(α) is convex and so is
// what the conversion adds to it, the bound is quasi-convex in α and a descent
// finds its minimum.
func (r renyi) epsilon(delta float64) (float64, error) {
	if len(r.parts) == 0 {
		return 0, nil
	}
	if delta == 0 {
		return math.Inf(1), nil
	}
	orders := renyiOrders()
	least := minimum(len(orders), r.guess(orders, -math.Log(delta)), func(i int) float64 {
		α := orders[i]
		return r.at(α) + math.Log1p(-1/α) - math.Log(delta*α)/(α-1)
	})
	return max(least, 0), nil
}

// delta is the bound of Proposition 12 solved for δ:
//
//	ln δ = (α-1)(r(α) - ε + ln(1 - 1/α)) - ln α
func (r renyi) delta(epsilon float64) (float64, error) {
	if len(r.parts) == 0 {
		return 0, nil
	}
	if math.IsInf(epsilon, 1) {
		return 0, nil
	}
	orders := renyiOrders()
	least := minimum(len(orders), r.guess(orders, epsilon), func(i int) float64 {
		α := orders[i]
		return (α-1)*(r.at(α)-epsilon+math.Log1p(-1/α)) - math.Log(α)
	})
	return math.Exp(min(least, 0)), nil
}

// guess is the order that would be best if the divergence grew in proportion
// to the order, as a Gaussian's does, with x nats to be paid for: -ln δ when
// asked for ε, and about ε itself when asked for δ.
func (r renyi) guess(orders []float64, x float64) int {
	i, _ := slices.BinarySearch(orders, 1+math.Sqrt(2*x/r.at(2)))
	return min(i, len(orders)-1)
}

const (
	lowestOrder   = 1.01
	largestOrder  = 1 << 20 // enough for ε near 1e-5; only a full batch gets there cheaply
	integersFrom  = 64      // above it, orders between integers gain nothing
	orderSpacing  = 1.005   // of α-1 below integersFrom; within 4e-6 of the best real order
	largerSpacing = 1.01
)

// renyiOrders are the orders that are tried, rising. They are fixed, so that
// the bound is monotone in whatever each divergence is monotone in.
var renyiOrders = sync.OnceValue(func() []float64 {
	var orders []float64
	for α := lowestOrder; α < integersFrom; α = 1 + (α-1)*orderSpacing {
		orders = append(orders, α)
	}
	for α := float64(integersFrom); α <= largestOrder; α = max(α+1, math.Round(α*largerSpacing)) {
		orders = append(orders, α)
	}
	return orders
})

// minimum returns the least of f(0), …, f(n-1), where f falls and then rises,
// and is +Inf at most at the end. From start it descends in strides that shrink.
func minimum(n, start int, f func(int) float64) float64 {
	at, least := start, f(start)
	for math.IsInf(least, 1) && at > 0 {
		at /= 2
		least = f(at)
	}
	for stride := 64; stride > 0; stride /= 4 {
		for dir := range 2 {
			step := stride * (2*dir - 1)
			for i := at + step; i >= 0 && i < n; i += step {
				v := f(i)
				if !(v < least) {
					break
				}
				at, least = i, v
			}
		}
	}
	return least
}
