package audit

import (
	"math"
	"math/rand/v2"
	"testing"

	"sweep/privacy"
)

// Mechanisms whose privacy is known, audited many times. A bound above the truth
// is a false alarm; there may be 5 % of them at the significance 0.05. Of 100 audits
// 14 or more have a chance below 5e-4 at that rate, and the seeds are fixed.
const (
	audits    = 100
	tooMany   = 14
	mostFalse = 0.05
)

// falseAlarms counts the audits that find more than ε, and the mean bound.
func falseAlarms(t *testing.T, epsilon, delta float64, run func(rng *rand.Rand) []Canary) (alarms int, mean float64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(29, 31))
	for range audits {
		f, err := Search(run(rng), delta, mostFalse)
		if err != nil {
			t.Fatal(err)
		}
		mean += f.Epsilon / audits
		if f.Epsilon > epsilon {
			alarms++
		}
	}
	return alarms, mean
}

func TestSearchCovers(t *testing.T) {
	gaussian := func(μ, delta float64) float64 {
		ε, err := privacy.Exact.Epsilon(privacy.Gaussian{Noise: 1 / μ, Count: 1}, delta)
		if err != nil {
			t.Fatal(err)
		}
		return ε
	}
	for _, c := range []struct {
		name           string
		epsilon, delta float64
		run            func(*rand.Rand) []Canary
		finds          float64 // mean bound that is reached at least; 0 where nothing can be
	}{
		{"coins", 0, 0, func(rng *rand.Rand) []Canary { return sample(rng, 300, 0) }, 0},
		{"randomized response, all scores tied", 1, 0, func(rng *rand.Rand) []Canary { return response(rng, 200, 1, 0) }, 0.3},
		{"randomized response that leaks a coin with δ", 1, 1e-4, func(rng *rand.Rand) []Canary { return response(rng, 200, 1, 1e-4) }, 0.05},
		{"all coins published with δ", 0, 0.04, published, 0},
		{"Gaussian", gaussian(1, 1e-5), 1e-5, func(rng *rand.Rand) []Canary { return sample(rng, 200, 1) }, 0.1},
		{"one noisy sum of all canaries", gaussian(2, 1e-5), 1e-5, noisySum, 0.1},
	} {
		t.Run(c.name, func(t *testing.T) {
			alarms, mean := falseAlarms(t, c.epsilon, c.delta, c.run)
			t.Logf("%d of %d bounds above ε = %.3g; mean %.3g", alarms, audits, c.epsilon, mean)
			if alarms >= tooMany || mean < c.finds {
				t.Errorf("%d of %d bounds above ε = %v, mean %v; want under %d, and a mean of %v", alarms, audits, c.epsilon, mean, tooMany, c.finds)
			}
		})
	}
}

// What published does costs δ = 0.04: audited as if it cost less it is found out
// whenever it happens, 4 % of times. None or more than 12 of 100 have a chance of
// 2 % and below 1e-3; the seeds are fixed.
func TestSearchMindsDelta(t *testing.T) {
	if alarms, _ := falseAlarms(t, 0, 1e-6, published); alarms < 1 || alarms > 12 {
		t.Errorf("%d of %d audits find that all coins are published with the chance 0.04", alarms, audits)
	}
}

// response publishes each coin by randomized response of ε, which tells the truth
// with the chance e^ε/(1+e^ε); with the chance δ it publishes the coin, and that it did.
func response(rng *rand.Rand, m int, epsilon, delta float64) []Canary {
	out := make([]Canary, m)
	for i := range out {
		in := rng.IntN(2) == 0
		says, sure := in, rng.Float64() < delta
		if !sure && rng.Float64() > 1/(1+math.Exp(-epsilon)) {
			says = !in
		}
		out[i] = Canary{Score: -1, In: in}
		if says {
			out[i].Score = 1
		}
		if sure {
			out[i].Score *= 2
		}
	}
	return out
}

// published tells all coins with the chance 0.04 and nothing otherwise, which is
// (0, 0.04)-private.
func published(rng *rand.Rand) []Canary {
	out := sample(rng, 100, 0)
	if rng.Float64() < 0.04 {
		for i := range out {
			out[i].Score = float64(btoi(out[i].In))
		}
	}
	return out
}

// noisySum is a mechanism like one step of training: each canary is a direction of
// length 1, those that are in are added up, and Gaussian noise of σ = 1/2 is added
// to the sum. A canary's score is the sum's component in its direction, which the
// other canaries disturb.
func noisySum(rng *rand.Rand) []Canary {
	const m, dim, σ = 100, 300, 0.5
	out := make([]Canary, m)
	directions := make([][]float64, m)
	sum := make([]float64, dim)
	for j := range sum {
		sum[j] = σ * rng.NormFloat64()
	}
	for i := range out {
		out[i].In = rng.IntN(2) == 0
		x := make([]float64, dim)
		var square float64
		for j := range x {
			x[j] = rng.NormFloat64()
			square += x[j] * x[j]
		}
		for j := range x {
			x[j] /= math.Sqrt(square)
			if out[i].In {
				sum[j] += x[j]
			}
		}
		directions[i] = x
	}
	for i, x := range directions {
		for j := range x {
			out[i].Score += x[j] * sum[j]
		}
	}
	return out
}

// A threshold chosen on one run and tried on others gives bounds that hold: each
// canary is a Gaussian release of its own, so that they are independent indeed.
func TestRepeatedCovers(t *testing.T) {
	rng := rand.New(rand.NewPCG(37, 41))
	const μ, delta = 1.5, 1e-5
	truth, err := privacy.Exact.Epsilon(privacy.Gaussian{Noise: 1 / μ, Count: 1}, delta)
	if err != nil {
		t.Fatal(err)
	}
	var alarms int
	var mean float64
	for range audits {
		_, r, err := Repeated([][]Canary{sample(rng, 200, μ), sample(rng, 200, μ), sample(rng, 200, μ)}, delta, mostFalse)
		if err != nil {
			t.Fatal(err)
		}
		if r.In+r.Out != 400 {
			t.Fatalf("rates %+v are not of the two later runs", r)
		}
		ε, err := r.Epsilon(delta, mostFalse)
		if err != nil {
			t.Fatal(err)
		}
		mean += ε / audits
		if ε > truth {
			alarms++
		}
	}
	if alarms >= tooMany || mean < 0.8 {
		t.Errorf("%d of %d bounds above %v, mean %v", alarms, audits, truth, mean)
	}
}
