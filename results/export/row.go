package export

import (
	"encoding/json"
	"math"

	"sweep"
	"sweep/results"
)

// A Row is a trial with all that a table has room for. Columns are named as in
// the record's view trial_results; what is not known is missing.
type Row struct {
	Sweep           string           `json:"sweep" parquet:"sweep,dict"`
	Trial           string           `json:"trial" parquet:"trial"`
	Point           string           `json:"point" parquet:"point"`
	Position        int64            `json:"position" parquet:"position"`
	Repeat          int64            `json:"repeat" parquet:"repeat"`
	Label           string           `json:"label" parquet:"label"`
	State           string           `json:"state" parquet:"state,dict"`
	Attempts        int64            `json:"attempts" parquet:"attempts"`
	TargetEpsilon   *results.Epsilon `json:"target_epsilon" parquet:"target_epsilon"`
	Epsilon         *results.Epsilon `json:"epsilon" parquet:"epsilon"` // spent by this trial alone: upper bound
	Delta           float64          `json:"delta" parquet:"delta"`
	Accountant      string           `json:"accountant" parquet:"accountant,dict"`
	Disclosure      string           `json:"disclosure" parquet:"disclosure,dict"`                        // what the sweep stands by: research does not count the search
	SearchComposed  *results.Epsilon `json:"search_composed_epsilon" parquet:"search_composed_epsilon"`   // all trials of the sweep together; missing of a private selection
	SearchSelection *results.Epsilon `json:"search_selection_epsilon" parquet:"search_selection_epsilon"` // all private selections of the sweep together
	Accuracy        *float64         `json:"accuracy" parquet:"accuracy"`                                 // of the averaged weights after the last step, 0 to 1
	LastAccuracy    *float64         `json:"last_accuracy" parquet:"last_accuracy"`
	Loss            *float64         `json:"loss" parquet:"loss"`
	TestAccuracy    *float64         `json:"test_accuracy" parquet:"test_accuracy"` // of the same weights on the test split, where Accuracy is of the validation split; nothing was chosen by it
	Split           string           `json:"split" parquet:"split,dict"`
	Seconds         *float64         `json:"seconds" parquet:"seconds"`
	Data            string           `json:"data" parquet:"data,dict"`
	TrainExamples   int64            `json:"train_examples" parquet:"train_examples"`
	Model           string           `json:"model" parquet:"model,dict"`
	BatchSize       int64            `json:"batch_size" parquet:"batch_size"`
	ClipNorm        float64          `json:"clip_norm" parquet:"clip_norm"`
	NoiseMultiplier float64          `json:"noise_multiplier" parquet:"noise_multiplier"`
	LearningRate    float64          `json:"learning_rate" parquet:"learning_rate"`
	AugMult         int64            `json:"augmult" parquet:"augmult"`
	Augment         string           `json:"augment" parquet:"augment,dict"`
	Steps           int64            `json:"steps" parquet:"steps"`
	EMA             float64          `json:"ema" parquet:"ema"`
	SamplingRate    float64          `json:"sampling_rate" parquet:"sampling_rate"`
	Noise           string           `json:"noise" parquet:"noise,dict"` // secure, or seeded: whoever knows the seed can subtract it
	Seed            int64            `json:"seed" parquet:"seed"`
	Params          json.RawMessage  `json:"params" parquet:"params"` // canonical JSON of all parameters
	DataDigest      string           `json:"data_digest" parquet:"data_digest,dict"`
	WeightsDigest   string           `json:"weights_digest" parquet:"weights_digest"`
	Trainer         string           `json:"trainer" parquet:"trainer,dict"`
	Worker          string           `json:"worker" parquet:"worker,dict"`
	Failure         string           `json:"failure" parquet:"failure,dict"`
	Reason          string           `json:"failure_reason" parquet:"failure_reason"`
}

func rowOf(id sweep.SweepID, search results.SearchCost, t results.TrialRow) (Row, error) {
	p := t.Params
	text, err := json.Marshal(p)
	r := Row{
		Sweep: string(id), Trial: string(t.ID), Point: string(t.Point), Position: int64(t.Index), Repeat: int64(t.Repeat), Label: t.Label,
		State: string(t.State), Attempts: int64(t.Attempts), TargetEpsilon: known(t.TargetEpsilon), Epsilon: known(t.Epsilon),
		Delta: t.Delta, Accountant: string(t.Accountant), Disclosure: search.Disclosure, SearchComposed: known(search.Composed), SearchSelection: known(search.Selection),
		Data: p.Data.Name, TrainExamples: int64(p.Data.Train), Model: p.Model,
		BatchSize: int64(p.Batch), ClipNorm: p.Clip, NoiseMultiplier: p.Noise, LearningRate: p.LearnRate, AugMult: int64(p.AugMult),
		Augment: string(p.Augment), Steps: int64(p.Steps), EMA: p.EMA, SamplingRate: p.SampleRate(), Noise: string(p.NoiseFrom),
		Seed: int64(p.Seed), Params: text, Worker: t.Worker, Failure: string(t.Failure), Reason: t.Reason,
	}
	r.TestAccuracy = t.TestAccuracy
	if o := t.Outcome; o != nil {
		r.Accuracy, r.LastAccuracy, r.Loss, r.Seconds = &o.Accuracy, &o.LastAccuracy, finite(o.Loss), &o.Seconds
		r.Split, r.DataDigest, r.WeightsDigest, r.Trainer = string(o.Split), o.DataDigest, o.WeightsDigest, o.Trainer
	}
	return r, err
}

// known is e, or nil if it is not known.
func known(e results.Epsilon) *results.Epsilon {
	if e == 0 {
		return nil
	}
	return &e
}

// finite is x, or nil if JSON has no word for it.
func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}
