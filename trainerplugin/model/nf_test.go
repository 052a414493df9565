package model

import (
	"math"
	"testing"
)

// NF-ResNet-50 has the convolutions and the classifier of ResNet-50, whose
// 25,557,032 weights (torchvision's documentation) include two for each
// channel of a batch norm, as here for gain and bias, and 16 skip-init gains.
// NFNets: parameters and multiply-adds of Brock et al. 2021, table 3, at the
// size of their test images.
func TestNormaliserFreeSizes(t *testing.T) {
	tests := []struct {
		name       string
		size       int
		parameters float64 // millions
		within     float64
		multiplies float64 // billions, within 1 %; 0 is not known
	}{
		{"nf-resnet-50", 224, 25.557048, 0, 4.09},
		{"nfnet-f0", 256, 71.5, 0.05, 12.38},
		{"nfnet-f1", 320, 132.6, 0.05, 35.54},
		{"nfnet-f2", 352, 193.8, 0.05, 62.59},
		{"nfnet-f3", 416, 254.9, 0.05, 114.76},
	}
	for _, tt := range tests {
		if raceDetector && tt.name > "nfnet-f0" {
			continue // only slower
		}
		d, err := Describe(tt.name, Input{tt.size, tt.size, 3, 1000}, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := float64(d.Parameters) / 1e6; math.Abs(got-tt.parameters) > tt.within {
			t.Errorf("%s: %v M weights, want %v", tt.name, got, tt.parameters)
		}
		if got := float64(d.Multiplies) / 1e9; math.Abs(got-tt.multiplies) > 0.01*tt.multiplies {
			t.Errorf("%s: %.3f G multiply-adds at %d pixels, want %v", tt.name, got, tt.size, tt.multiplies)
		}
	}
}

// Whole gradients of shorter networks on small images, with skip-init gains moved off their start.
func TestNormaliserFreeGradients(t *testing.T) {
	if raceDetector || testing.Short() {
		t.Skip("takes minutes under the race detector")
	}
	for _, tt := range []struct {
		a  architecture
		n  network
		in Input
	}{
		{architecture{name: "small NF-ResNet", build: nfResNet(nfDepths)}, nfResNetwork, Input{19, 16, 3, 5}},
		{architecture{name: "small NFNet", build: nfNet(nfDepths)}, nfNetwork, Input{9, 8, 3, 5}},
	} {
		e, err := newEngine(tt.a, tt.in, 2)
		if err != nil {
			t.Fatal(err)
		}
		w := e.Init(3)
		for i := range w {
			if w[i] == 0 { // gains and biases
				w[i] = 0.1
			}
		}
		checkGradient(t, e, tt.n, w, one(noisyBatch(2, 1, 5), 1))
	}
}
