package trainertest

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sweep"
	"sweep/trainerplugin"
)

// uses are jobs that ask for one extra each. Those that need a file or a name
// of the trainer's own are not among them.
var uses = map[string]func(*trainerplugin.Job){
	"optimizer": func(j *trainerplugin.Job) {
		j.Params.Optimizer, j.Params.Beta1, j.Params.Beta2, j.Params.AdamEps = sweep.Adam, 0.9, 0.999, 1e-8
	},
	"momentum":     func(j *trainerplugin.Job) { j.Params.Momentum = 0.9 },
	"weight_decay": func(j *trainerplugin.Job) { j.Params.WeightDecay = 0.1 },
	"schedule":     func(j *trainerplugin.Job) { j.Params.Schedule = sweep.Cosine },
	"warmup":       func(j *trainerplugin.Job) { j.Params.Warmup = 2 },
	"clipping":     func(j *trainerplugin.Job) { j.Params.Clipping, j.Params.Clip = sweep.Automatic, 1 },

	trainerplugin.KeepWeightsExtra: func(j *trainerplugin.Job) { j.KeepWeights = true },
}

// extras checks that each parameter that came after the first version of the
// contract is refused by a trainer that does not name it, and does something
// in one that does.
func (s *suite) extras(t *testing.T) {
	tr := s.open(t)
	d, err := tr.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var plain *record
	for name, use := range uses {
		t.Run(name, func(t *testing.T) {
			j := s.job(t, use)
			if !slices.Contains(d.Extras, name) {
				if _, err := tr.Check(t.Context(), j); !errors.Is(err, trainerplugin.ErrRefused) {
					t.Errorf("check: error %v, want one that wraps ErrRefused", err)
				}
				if r := train(t.Context(), tr, j, nil); !errors.Is(r.err, trainerplugin.ErrRefused) {
					t.Errorf("train: error %v, want one that wraps ErrRefused", r.err)
				}
				return
			}
			r := s.finish(t, j)
			if name == trainerplugin.KeepWeightsExtra {
				if info, err := os.Stat(filepath.Join(j.Dir, trainerplugin.WeightsFile)); err != nil || info.Size() == 0 {
					t.Errorf("no weights were kept: %v", err)
				}
				return
			}
			if plain == nil {
				without := s.finish(t, s.job(t, nil))
				plain = &without
			}
			if r.outcome.WeightsDigest == plain.outcome.WeightsDigest {
				t.Errorf("it names %s, and ends with the weights of a trial without", name)
			}
		})
	}
}
