package sweep_test

import (
	"encoding/json"
	"strings"
	"testing"

	"sweep"
)

func params() sweep.Params {
	return sweep.Params{
		Data: sweep.Data{Name: "glyphs", Train: 10000, Validation: 2000}, Model: "tanh-cnn",
		Batch: 500, Clip: 1, Noise: 1.5, LearnRate: 0.001, AugMult: 4, Augment: sweep.CropFlip,
		Steps: 60, EMA: 0.999, NoiseFrom: sweep.Seeded,
	}
}

func TestIDDependsOnValuesAlone(t *testing.T) {
	want := params().ID()
	if len(want) != 20 || strings.Trim(string(want), "0123456789abcdef") != "" {
		t.Fatalf("id %q is not 20 hexadecimal digits", want)
	}
	// The same values, written otherwise and with the keys in another order.
	var again sweep.Params
	text := `{"seed":0,"noise":"seeded","ema":999e-3,"steps":60,"augment":"crop-flip","augmult":4,"learning_rate":1e-3,
		"noise_multiplier":1.50,"clip_norm":1.0,"batch_size":500,"model":"tanh-cnn","data":{"validation":2000,"train":10000,"name":"glyphs"}}`
	if err := json.Unmarshal([]byte(text), &again); err != nil {
		t.Fatal(err)
	}
	if got := again.ID(); got != want {
		t.Errorf("the same values have id %s, want %s", got, want)
	}
	for name, change := range map[string]func(*sweep.Params){
		"trainer": func(p *sweep.Params) { p.Trainer = "sha256:00" }, "data": func(p *sweep.Params) { p.Data.Train-- },
		"model": func(p *sweep.Params) { p.Model = "linear" }, "batch": func(p *sweep.Params) { p.Batch++ },
		"clip": func(p *sweep.Params) { p.Clip *= 1.0000001 }, "noise": func(p *sweep.Params) { p.Noise += 1e-9 },
		"learning rate": func(p *sweep.Params) { p.LearnRate *= 2 }, "augmult": func(p *sweep.Params) { p.AugMult++ },
		"augment": func(p *sweep.Params) { p.Augment = sweep.Flip }, "steps": func(p *sweep.Params) { p.Steps++ },
		"ema": func(p *sweep.Params) { p.EMA = 0 }, "source": func(p *sweep.Params) { p.NoiseFrom = sweep.Secure },
		"seed": func(p *sweep.Params) { p.Seed++ }, "options": func(p *sweep.Params) { p.Options = map[string]string{"a": "b"} },
	} {
		p := params()
		change(&p)
		if p.ID() == want {
			t.Errorf("another %s, and the same id", name)
		}
	}
}

func TestRepeatsShareTheirPoint(t *testing.T) {
	seeds := map[uint64]bool{}
	for r := range 100 {
		p := params().WithRepeat(r)
		if p.Point() != params().Point() {
			t.Errorf("repeat %d is another point", r)
		}
		if p.Seed >= 1<<53 || seeds[p.Seed] {
			t.Errorf("repeat %d: seed %d is too large, or was drawn before", r, p.Seed)
		}
		seeds[p.Seed] = true
		if again := p.WithRepeat(r); again.Seed != p.Seed {
			t.Errorf("repeat %d of a repeat has another seed", r)
		}
	}
}
