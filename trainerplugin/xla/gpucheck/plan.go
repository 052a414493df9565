package main

import "sweep/trainerplugin/xla"

// A plan is what is checked, and at which sizes.
type plan struct {
	gradients []gradientCase
	multiply  int // rows of the matrices whose product measures the device
	rounds    int
	speed     []speedCase
	timed     int // steps of each, after one that warms up
	learn     learnCase
}

// A gradientCase compares a clipped sum with the CPU engine's.
type gradientCase struct {
	model     string
	examples  int
	views     int
	precision xla.Precision
	bound     float64 // of the distance, over the norm of the CPU's
}

// A speedCase is one line of the table of throughput.
type speedCase struct {
	model      string
	views      int // K
	batch      int // examples of a step
	precision  xla.Precision
	microbatch int  // 0 is found
	taps       bool // weight gradients tap by tap; see xla.Settings
}

// A learnCase is a short private trial that must end above an accuracy, which
// guessing has hardly a chance to reach: of 10 classes it is right once in ten.
type learnCase struct {
	model              string
	batch, steps, held int
	views              int
	rate, noise, least float64
	precision          xla.Precision
}

// full is the plan for a GPU. The bounds are of rounding: float32 differs by the
// order of sums; TF32 and bfloat16 keep 11 and 8 bits of an operand, of which
// the mean over a product's terms leaves a few parts in a thousand and a hundred.
// What is asked of the card most is measured first: the time may run out.
var full = plan{
	gradients: []gradientCase{
		{"tanh-cnn", 32, 3, xla.Full, 1e-4},
		{"wrn-16-4", 8, 2, xla.Full, 1e-3},
		{"wrn-16-4", 8, 2, xla.Tensor32, 0.02},
		{"wrn-16-4", 8, 2, xla.Brain, 0.15},
	},
	multiply: 8192, rounds: 50,
	speed: []speedCase{
		{model: "wrn-16-4", views: 16, batch: 1024, precision: xla.Brain},
		{model: "wrn-16-4", views: 1, batch: 4096, precision: xla.Brain},
		{model: "wrn-40-4", views: 16, batch: 512, precision: xla.Brain},
		{model: "wrn-40-4", views: 1, batch: 2048, precision: xla.Brain},
		{model: "wrn-16-4", views: 16, batch: 1024, precision: xla.Brain, taps: true},
	},
	timed: 4,
	learn: learnCase{model: "wrn-16-4", batch: 1024, steps: 120, held: 2000, views: 1, rate: 2, noise: 1, least: 0.25, precision: xla.Brain},
}
