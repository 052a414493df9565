package privacy_test

import (
	"fmt"

	"sweep/privacy"
)

func Example() {
	run := privacy.DPSGD{SampleRate: 4096. / 50000, Noise: 10, Steps: 875}
	for _, a := range []privacy.Accountant{privacy.Certified, privacy.RDP} {
		ε, err := a.Epsilon(run, 1e-5)
		fmt.Println(a.Version(), privacy.FormatEpsilon(ε, 4), err)
	}
	// Output:
	// certified/1 0.9028 <nil>
	// rdp/1 0.9877 <nil>
}

func ExampleCalibration() {
	c := privacy.Calibration{
		Accountant: privacy.Certified,
		Target:     privacy.Budget{Epsilon: 3, Delta: 1e-5},
		Spent:      privacy.DPSGD{SampleRate: 0.05, Noise: 4, Steps: 500},
	}
	σ, err := c.Noise(0.05, 1000)
	fmt.Println(σ, err)
	_, err = c.Steps(1, 0.5)
	fmt.Println(err)
	// Output:
	// 2.537716 <nil>
	// calibrate steps: privacy target is infeasible: epsilon 3 at delta 1e-05, but one step with sample rate 1 and noise multiplier 0.5 after what was spent costs epsilon 10.13 by certified
}

func ExampleSelect() {
	run := privacy.DPSGD{SampleRate: 4096. / 50000, Noise: 10, Steps: 875}
	best := privacy.Select{Run: run, Count: privacy.Logarithmic, Mean: 10}
	ε, err := privacy.Certified.Epsilon(best, 1e-5)
	fmt.Println(privacy.FormatEpsilon(ε, 3), err)
	// Output: 1.57 <nil>
}

func ExampleTruePositiveRate() {
	run := privacy.Question{Event: privacy.DPSGD{SampleRate: 4096. / 50000, Noise: 3, Steps: 2468}}
	for _, fpr := range []float64{0.001, 0.01, 0.1} {
		tpr, err := privacy.TruePositiveRate(run, fpr)
		fmt.Printf("%v: %.3f %v\n", fpr, privacy.RoundUp(tpr, 3), err)
	}
	// Output:
	// 0.001: 0.045 <nil>
	// 0.01: 0.176 <nil>
	// 0.1: 0.543 <nil>
}

func ExampleMarshalEvent() {
	form, err := privacy.MarshalEvent(privacy.DPSGD{SampleRate: 0.125, Noise: 3, Steps: 2468})
	fmt.Println(string(form), err)
	// Output: {"type":"dpsgd","sample_rate":0.125,"noise_multiplier":3,"steps":2468} <nil>
}

func ExampleCovers() {
	run := privacy.DPSGD{SampleRate: 0.125, Noise: 3, Steps: 2468}
	fmt.Println(privacy.Covers(privacy.Question{Event: run, Unit: "patient"}))
	// Output: Covers adding or removing one patient when everything released on the way is seen, if batches were Poisson samples of the whole training set; does not cover hyper-parameters chosen on the same data, other releases from it, or noise whose seed is known.
}
