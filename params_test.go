package sweep_test

import (
	"encoding/json"
	"testing"

	"sweep"
)

// Trials of the first version keep their names for ever. Each name is the
// start of the SHA-256 that sha256sum gives for the text below after a line
// "sweep/trial/1", and so owes nothing to the fields that there are now.
func TestOldTrialsKeepTheirIDs(t *testing.T) {
	for id, text := range map[sweep.TrialID]string{
		"a932c03f4595a9879554": `{"data":{"name":"glyphs","train":10000,"validation":2000},"model":"tanh-cnn","batch_size":500,"clip_norm":1,` +
			`"noise_multiplier":1.5,"learning_rate":0.001,"augmult":4,"augment":"crop-flip","steps":60,"ema":0.999,"noise":"seeded","seed":0}`,
		"fd42837de4b819dbe47a": `{"data":{"name":"mnist","train":60000},"model":"tanh-cnn","batch_size":1024,"clip_norm":1,` +
			`"noise_multiplier":1.5,"learning_rate":2,"augmult":0,"steps":600,"ema":0.99,"noise":"secure","seed":7}`,
		"858e51a6adcf02d53e79": `{"trainer":"sha256:00","data":{"name":"folder:xrays","train":80000,"validation":8000},"model":"densenet-121","batch_size":4096,` +
			`"clip_norm":0.5,"noise_multiplier":0,"learning_rate":1e-7,"augmult":1,"augment":"flip","steps":2000,"ema":0,"noise":"secure",` +
			`"seed":9007199254740991,"options":{"layers":"all"}}`,
	} {
		var p sweep.Params
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Fatal(err)
		}
		if got := p.ID(); got != id {
			t.Errorf("the trial that was %s is now %s", id, got)
		}
	}
}
