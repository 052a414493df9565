package strategy

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// peers are values of SciPy, Optuna and scikit-learn: testdata/peers.py makes them.
type peers struct {
	Sobol  [][]float64
	Parzen []struct {
		Points  []Point
		Weights []float64
		At      []Point
		Log     []float64
	}
	GP []struct {
		X             []Point
		Y             []float64
		Q             []Point
		Lengths       []float64
		Signal, Noise float64
		Mean, Std     []float64
		LogLikelihood float64 `json:"log_likelihood"`
	}
	Quadratic []struct {
		X         []Point
		Y, Fitted []float64
	}
}

func readPeers(t *testing.T) (p peers) {
	t.Helper()
	text, err := os.ReadFile("testdata/peers.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	if len(p.Sobol) == 0 || len(p.Parzen) == 0 || len(p.GP) == 0 || len(p.Quadratic) == 0 {
		t.Fatal("peers.json lacks something")
	}
	return p
}

// The sequence without scrambling is SciPy's, in all dimensions.
func TestSobolAgreesWithSciPy(t *testing.T) {
	all := readPeers(t).Sobol
	next := sobol(len(all[0]))
	for i, want := range all {
		for j, x := range next() {
			if got := float64(x) / (1 << 32); got != want[j] {
				t.Fatalf("point %d, dimension %d: %g, SciPy has %g", i, j+1, got, want[j])
			}
		}
	}
}

// Densities are those of Optuna's multivariate estimator.
func TestParzenAgreesWithOptuna(t *testing.T) {
	space := Space{Dims: []Dim{{}, {Levels: 5}, {Levels: 3, Unordered: true}}}
	for _, c := range readPeers(t).Parzen {
		p := newParzen(space, c.Points, c.Weights)
		for i, x := range c.At {
			if got := p.logDensity(x); math.Abs(got-c.Log[i]) > 1e-9 {
				t.Errorf("%d points, at %v: log density %.12g, Optuna has %.12g", len(c.Points), x, got, c.Log[i])
			}
		}
	}
}

// Surfaces are scikit-learn's.
func TestQuadraticAgreesWithScikitLearn(t *testing.T) {
	dims := []Dim{{}, {}, {Levels: 3, Unordered: true}}
	for _, c := range readPeers(t).Quadratic {
		fitted, ok := quadratic(dims, c.X, c.Y)
		for i := range fitted {
			if math.Abs(fitted[i]-c.Fitted[i]) > 1e-9 {
				t.Errorf("%d points: %g at %v, scikit-learn has %g", len(c.X), fitted[i], c.X[i], c.Fitted[i])
			}
		}
		if !ok || len(fitted) != len(c.X) {
			t.Errorf("%d points: %d fitted, %v", len(c.X), len(fitted), ok)
		}
	}
	if _, ok := quadratic(dims, []Point{{0, 0, 0}}, []float64{1}); ok {
		t.Error("a surface through one point")
	}
}

// Predictions are scikit-learn's, and so is the likelihood, up to the prior.
func TestProcessAgreesWithScikitLearn(t *testing.T) {
	for _, c := range readPeers(t).GP {
		p := &process{dims: make([]Dim, len(c.Lengths)), x: c.X, scale: 1}
		for _, l := range c.Lengths {
			p.θ = append(p.θ, math.Log(l))
		}
		p.θ = append(p.θ, math.Log(c.Signal), math.Log(c.Noise))
		p.condition(c.Y)
		for i, q := range c.Q {
			m, s := p.predict(q)
			if math.Abs(m-c.Mean[i]) > 1e-6 || math.Abs(s-c.Std[i]) > 1e-6 {
				t.Errorf("%d points, at %v: %g ± %g, scikit-learn has %g ± %g", len(c.X), q, m, s, c.Mean[i], c.Std[i])
			}
		}
		loss, _ := p.loss(p.θ, c.Y)
		for i, θ := range p.θ {
			m, s := p.prior(i)
			loss -= (θ - m) * (θ - m) / (2 * s * s)
		}
		loss += float64(len(c.Y)) / 2 * math.Log(2*math.Pi)
		if math.Abs(loss+c.LogLikelihood) > 1e-5 {
			t.Errorf("%d points: log likelihood %g, scikit-learn has %g", len(c.X), -loss, c.LogLikelihood)
		}
	}
}

// The gradient is that of finite differences.
func TestProcessGradient(t *testing.T) {
	for _, c := range readPeers(t).GP {
		p := &process{dims: []Dim{{}, {Levels: 3, Unordered: true}}, x: c.X}
		θ := []float64{-0.7, 0.2, 0.3, -2}
		_, grad := p.loss(θ, c.Y)
		for i := range θ {
			const h = 1e-5
			up, down := append([]float64{}, θ...), append([]float64{}, θ...)
			up[i] += h
			down[i] -= h
			a, _ := p.loss(up, c.Y)
			b, _ := p.loss(down, c.Y)
			if want := (a - b) / (2 * h); math.Abs(grad[i]-want) > 1e-5*(1+math.Abs(want)) {
				t.Errorf("%d points: derivative %d is %g, by differences %g", len(c.X), i, grad[i], want)
			}
		}
	}
}
