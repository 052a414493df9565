package canary

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"sweep"
	"sweep/privacy/audit"
	"sweep/trainerplugin"
	"sweep/trainerplugin/dpsgd"
)

// A Trainer trains a job's trial on data with an engine; [dpsgd.Train] is the one
// to audit.
type Trainer func(ctx context.Context, j trainerplugin.Job, e dpsgd.Engine, d dpsgd.Data, report func(trainerplugin.Event) error) (sweep.Outcome, error)

// A Run is one training run to audit. Job.Dir is a folder of its own, which holds
// nothing and nobody needs afterwards.
type Run struct {
	Job    trainerplugin.Job
	Engine dpsgd.Engine // its frozen weights are set, if it has any
	Start  []float32    // weights to begin with, of a trial with an Init; nil draws them from the seed
	Score  Score
	Report func(trainerplugin.Event) error // is told how it goes, unless nil
}

// Train trains on s's training set and scores all canaries. The job's checkpoints
// and evaluations before the last are left out.
func (s *Set) Train(ctx context.Context, train Trainer, r Run) ([]audit.Canary, sweep.Outcome, error) {
	if err := r.Score.check(); err != nil {
		return nil, sweep.Outcome{}, err
	}
	if n := r.Job.Params.Data.Train; n != s.part.Train.Len() {
		return nil, sweep.Outcome{}, fmt.Errorf("audit %s: it trains on %d examples, and the canaries are among %d", r.Job.Trial, n, s.part.Train.Len())
	}
	r.Job.CheckpointEvery, r.Job.EvaluateEvery = 0, 0
	if r.Report == nil {
		r.Report = func(trainerplugin.Event) error { return nil }
	}
	w := &witness{Engine: r.Engine}
	m := &meter{engine: r.Engine, batch: s.canaries(), clip: r.Job.Params.Clip}
	var path trajectory
	if r.Score == Trajectory {
		w.each = func(ctx context.Context, weights []float32) error {
			losses, err := m.losses(ctx, weights)
			path.add(losses)
			return err
		}
	}
	data := s.data(r.Job.Params)
	data.Start = r.Start
	outcome, err := train(ctx, r.Job, w, data, r.Report)
	if err != nil {
		return nil, sweep.Outcome{}, err
	}
	last, averaged, err := w.final(outcome)
	if err != nil {
		return nil, sweep.Outcome{}, fmt.Errorf("audit %s: %w", r.Job.Trial, err)
	}
	var scores []float64
	switch r.Score {
	case LastLoss:
		scores, err = m.drops(ctx, w.initial, last)
	case AveragedLoss:
		scores, err = m.drops(ctx, w.initial, averaged)
	case Trajectory:
		scores, err = path.end(ctx, m, last)
	}
	if err != nil {
		return nil, sweep.Outcome{}, fmt.Errorf("audit %s: score canaries: %w", r.Job.Trial, err)
	}
	return s.marked(scores), outcome, nil
}

// marked joins scores with coins.
func (s *Set) marked(scores []float64) []audit.Canary {
	out := make([]audit.Canary, len(scores))
	for j, x := range scores {
		out[j] = audit.Canary{Score: x, In: s.in[j]}
	}
	return out
}

// final are the weights after the last update and their average. The loop
// evaluates them in this order; the outcome's digest says whether it did.
func (w *witness) final(o sweep.Outcome) (last, averaged []float32, err error) {
	n := len(w.evaluated)
	if n < 2 || w.initial == nil {
		return nil, nil, fmt.Errorf("the trainer made no update, or evaluated %d sets of weights where the last and the averaged ones were expected", n)
	}
	last, averaged = w.evaluated[n-2], w.evaluated[n-1]
	if got := digest(averaged); got != o.WeightsDigest {
		return nil, nil, fmt.Errorf("the weights that were evaluated last, %s, are not the outcome's, %s", got, o.WeightsDigest)
	}
	return last, averaged, nil
}

// digest is that of [sweep.Outcome.WeightsDigest].
func digest(weights []float32) string {
	h := sha256.New()
	_ = binary.Write(h, binary.LittleEndian, weights) // a hash takes all
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
