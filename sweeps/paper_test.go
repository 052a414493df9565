package sweeps_test

import (
	"io/fs"
	"testing"

	"sweep/privacy"
	"sweep/search"
	"sweep/sweeps"
)

// published is ε by RDP of each of the paper's runs, as the reference
// implementation's accountant prints it, to the digits that are known. They
// were computed by its orders, of which ours are a superset, so that ours may
// be lower in the last digit and never higher.
var published = map[string]struct {
	epsilon float64
	unit    float64 // of the last digit
}{
	"de2022-wrn-16-4-eps1.yaml":           {0.9877, 1e-4},
	"de2022-wrn-16-4-eps2.yaml":           {1.9997, 1e-4},
	"de2022-wrn-16-4-eps3.yaml":           {2.9825, 1e-4},
	"de2022-wrn-16-4-eps4.yaml":           {3.9962, 1e-4},
	"de2022-wrn-16-4-eps6.yaml":           {5.9522, 1e-4},
	"de2022-wrn-16-4-eps8.yaml":           {7.0456, 1e-4},
	"de2022-wrn-40-4-eps1.yaml":           {0.9986, 1e-4},
	"de2022-wrn-40-4-eps2.yaml":           {1.9991, 1e-4},
	"de2022-wrn-40-4-eps3.yaml":           {2.9921, 1e-4},
	"de2022-wrn-40-4-eps4.yaml":           {3.9937, 1e-4},
	"de2022-wrn-40-4-eps6.yaml":           {5.9956, 1e-4},
	"de2022-wrn-40-4-eps8.yaml":           {7.9905, 1e-4},
	"de2022-nf-resnet-50-eps8.yaml":       {8.00009, 1e-5},
	"de2022-wrn-28-10-cifar100-eps1.yaml": {0.9976, 1e-4},
}

// A file of the paper's that is off in batch, noise, steps, δ or the number of
// examples has another ε than the paper.
func TestPaperFilesHaveThePapersEpsilon(t *testing.T) {
	names, err := fs.Glob(sweeps.FS, "de2022-*.yaml")
	if err != nil || len(names) != len(published) {
		t.Fatalf("there are %v, error %v; want the %d of the table", names, err, len(published))
	}
	for _, name := range names {
		want, known := published[name]
		if !known {
			t.Errorf("%s is not in the table", name)
			continue
		}
		s := read(t, name)
		for trial, err := range s.Trials(privacy.CalibrateNoise) {
			if err != nil {
				t.Fatal(err)
			}
			p := trial.Params
			got, err := privacy.RDP.Epsilon(privacy.DPSGD{SampleRate: p.SampleRate(), Noise: p.Noise, Steps: p.Steps}, s.Privacy.Delta)
			if err != nil {
				t.Fatal(err)
			}
			if got > want.epsilon+want.unit/2*1.01 || got < want.epsilon*(1-2e-3) {
				t.Errorf("%s: ε = %.5f by RDP, and the paper's run has %v", name, got, want.epsilon)
			}
		}
	}
}

func read(t *testing.T, name string) *search.Sweep {
	t.Helper()
	text, err := fs.ReadFile(sweeps.FS, name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := search.Parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
