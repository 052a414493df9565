package trainerplugin

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"sweep"
	pb "sweep/trainerplugin/trainerpb"
)

func jobToWire(j Job) *pb.Job {
	return &pb.Job{
		Trial:           string(j.Trial),
		Params:          paramsToWire(j.Params),
		DataDir:         j.DataDir,
		Dir:             j.Dir,
		Threads:         int64(j.Threads),
		Devices:         j.Devices,
		ReportEvery:     durationpb.New(j.ReportEvery),
		EvaluateEvery:   int64(j.EvaluateEvery),
		CheckpointEvery: durationpb.New(j.CheckpointEvery),
		KeepWeights:     j.KeepWeights,
		Microbatch:      int64(j.Microbatch),
		EvaluateTest:    j.EvaluateTest,
	}
}

func jobFromWire(j *pb.Job) Job {
	return Job{
		Trial:           sweep.TrialID(j.GetTrial()),
		Params:          paramsFromWire(j.GetParams()),
		DataDir:         j.GetDataDir(),
		Dir:             j.GetDir(),
		Threads:         int(j.GetThreads()),
		Devices:         j.GetDevices(),
		ReportEvery:     durationFromWire(j.GetReportEvery()),
		EvaluateEvery:   int(j.GetEvaluateEvery()),
		CheckpointEvery: durationFromWire(j.GetCheckpointEvery()),
		KeepWeights:     j.GetKeepWeights(),
		Microbatch:      int(j.GetMicrobatch()),
		EvaluateTest:    j.GetEvaluateTest(),
	}
}

func durationFromWire(d *durationpb.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return d.AsDuration()
}

func paramsToWire(p sweep.Params) *pb.Params {
	return &pb.Params{
		Trainer: p.Trainer,
		Data: &pb.Data{
			Name:       p.Data.Name,
			Train:      int64(p.Data.Train),
			Validation: int64(p.Data.Validation),
		},
		Model:           p.Model,
		BatchSize:       int64(p.Batch),
		ClipNorm:        p.Clip,
		NoiseMultiplier: p.Noise,
		LearningRate:    p.LearnRate,
		Augmult:         int64(p.AugMult),
		Augment:         string(p.Augment),
		Steps:           int64(p.Steps),
		Ema:             p.EMA,
		Noise:           string(p.NoiseFrom),
		Seed:            p.Seed,
		Options:         p.Options,
		Optimizer:       string(p.Optimizer),
		Momentum:        p.Momentum,
		Beta1:           p.Beta1,
		Beta2:           p.Beta2,
		AdamEps:         p.AdamEps,
		WeightDecay:     p.WeightDecay,
		Schedule:        string(p.Schedule),
		Warmup:          int64(p.Warmup),
		Clipping:        string(p.Clipping),
		Init:            initToWire(p.Init),
		Layers:          p.Layers,
	}
}

func initToWire(i sweep.Init) *pb.Init {
	if i == (sweep.Init{}) {
		return nil
	}
	return &pb.Init{File: i.File, Digest: i.Digest, Classifier: string(i.Classifier)}
}

func paramsFromWire(p *pb.Params) sweep.Params {
	return sweep.Params{
		Trainer: p.GetTrainer(),
		Data: sweep.Data{
			Name:       p.GetData().GetName(),
			Train:      int(p.GetData().GetTrain()),
			Validation: int(p.GetData().GetValidation()),
		},
		Model:     p.GetModel(),
		Batch:     int(p.GetBatchSize()),
		Clip:      p.GetClipNorm(),
		Noise:     p.GetNoiseMultiplier(),
		LearnRate: p.GetLearningRate(),
		AugMult:   int(p.GetAugmult()),
		Augment:   sweep.Augmentation(p.GetAugment()),
		Steps:     int(p.GetSteps()),
		EMA:       p.GetEma(),
		NoiseFrom: sweep.NoiseSource(p.GetNoise()),
		Seed:      p.GetSeed(),
		Options:   p.GetOptions(),

		Optimizer:   sweep.Optimizer(p.GetOptimizer()),
		Momentum:    p.GetMomentum(),
		Beta1:       p.GetBeta1(),
		Beta2:       p.GetBeta2(),
		AdamEps:     p.GetAdamEps(),
		WeightDecay: p.GetWeightDecay(),
		Schedule:    sweep.Schedule(p.GetSchedule()),
		Warmup:      int(p.GetWarmup()),
		Clipping:    sweep.Clipping(p.GetClipping()),
		Init: sweep.Init{
			File:       p.GetInit().GetFile(),
			Digest:     p.GetInit().GetDigest(),
			Classifier: sweep.Classifier(p.GetInit().GetClassifier()),
		},
		Layers: p.GetLayers(),
	}
}
