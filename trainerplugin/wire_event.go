package trainerplugin

import (
	"fmt"

	"sweep"
	pb "sweep/trainerplugin/trainerpb"
)

func eventToWire(e Event) *pb.TrainEvent {
	switch e := e.(type) {
	case Started:
		return &pb.TrainEvent{Event: &pb.TrainEvent_Started{Started: &pb.Started{
			Step: int64(e.Step), NoiseId: e.NoiseID, Checkpoint: e.Checkpoint,
		}}}
	case Progress:
		return &pb.TrainEvent{Event: &pb.TrainEvent_Progress{Progress: progressToWire(e)}}
	case Evaluation:
		return &pb.TrainEvent{Event: &pb.TrainEvent_Evaluation{Evaluation: &pb.Evaluation{
			Step: int64(e.Step), Split: string(e.Split), Examples: int64(e.Examples),
			Accuracy: e.Accuracy, LastAccuracy: e.LastAccuracy, Loss: e.Loss,
		}}}
	case Checkpoint:
		return &pb.TrainEvent{Event: &pb.TrainEvent_Checkpoint{Checkpoint: &pb.Checkpoint{
			Step: int64(e.Step), File: e.File, Digest: e.Digest, Bytes: e.Bytes,
		}}}
	case Note:
		return &pb.TrainEvent{Event: &pb.TrainEvent_Note{Note: &pb.Note{
			Step: int64(e.Step), Text: e.Text,
		}}}
	}
	panic(fmt.Sprintf("trainerplugin: event of type %T", e)) // Event is sealed: only nil comes here
}

func progressToWire(p Progress) *pb.Progress {
	return &pb.Progress{
		Step:              int64(p.Step),
		BatchSize:         int64(p.BatchSize),
		Loss:              p.Loss,
		GradNormMean:      p.GradNormMean,
		GradNormMax:       p.GradNormMax,
		ClippedShare:      p.ClippedShare,
		SignalToNoise:     p.SignalToNoise,
		LearningRate:      p.LearnRate,
		ExamplesPerSecond: p.ExamplesPerSec,
		NonFinite:         p.NonFinite,
		SecondsElapsed:    p.SecondsElapsed,
		SecondsToFinish:   p.SecondsToFinish,
	}
}

// eventFromWire returns nil for an event of a kind that this side does not know.
func eventFromWire(e *pb.TrainEvent) Event {
	switch e := e.GetEvent().(type) {
	case *pb.TrainEvent_Started:
		s := e.Started
		return Started{Step: int(s.GetStep()), NoiseID: s.GetNoiseId(), Checkpoint: s.GetCheckpoint()}
	case *pb.TrainEvent_Progress:
		return progressFromWire(e.Progress)
	case *pb.TrainEvent_Evaluation:
		v := e.Evaluation
		return Evaluation{
			Step: int(v.GetStep()), Split: sweep.Split(v.GetSplit()), Examples: int(v.GetExamples()),
			Accuracy: v.GetAccuracy(), LastAccuracy: v.GetLastAccuracy(), Loss: v.GetLoss(),
		}
	case *pb.TrainEvent_Checkpoint:
		c := e.Checkpoint
		return Checkpoint{Step: int(c.GetStep()), File: c.GetFile(), Digest: c.GetDigest(), Bytes: c.GetBytes()}
	case *pb.TrainEvent_Note:
		return Note{Step: int(e.Note.GetStep()), Text: e.Note.GetText()}
	}
	return nil
}

func progressFromWire(p *pb.Progress) Progress {
	return Progress{
		Step:            int(p.GetStep()),
		BatchSize:       int(p.GetBatchSize()),
		Loss:            p.GetLoss(),
		GradNormMean:    p.GetGradNormMean(),
		GradNormMax:     p.GetGradNormMax(),
		ClippedShare:    p.GetClippedShare(),
		SignalToNoise:   p.GetSignalToNoise(),
		LearnRate:       p.GetLearningRate(),
		ExamplesPerSec:  p.GetExamplesPerSecond(),
		NonFinite:       p.GetNonFinite(),
		SecondsElapsed:  p.GetSecondsElapsed(),
		SecondsToFinish: p.GetSecondsToFinish(),
	}
}
