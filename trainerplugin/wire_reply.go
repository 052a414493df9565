package trainerplugin

import (
	"sweep"
	pb "sweep/trainerplugin/trainerpb"
)

func descriptionToWire(d Description) *pb.DescribeReply {
	reply := &pb.DescribeReply{
		Name:     d.Name,
		Version:  d.Version,
		Devices:  d.Devices,
		Models:   d.Models,
		Datasets: d.Datasets,
		Extras:   d.Extras,
	}
	for _, p := range d.Parameters {
		reply.Parameters = append(reply.Parameters, &pb.Parameter{
			Name:    p.Name,
			Doc:     p.Doc,
			Default: p.Default,
			Min:     p.Min,
			Max:     p.Max,
			Choices: p.Choices,
		})
	}
	return reply
}

func descriptionFromWire(d *pb.DescribeReply) Description {
	desc := Description{
		Name:     d.GetName(),
		Version:  d.GetVersion(),
		Devices:  d.GetDevices(),
		Models:   d.GetModels(),
		Datasets: d.GetDatasets(),
		Extras:   d.GetExtras(),
	}
	for _, p := range d.GetParameters() {
		desc.Parameters = append(desc.Parameters, Parameter{
			Name:    p.GetName(),
			Doc:     p.GetDoc(),
			Default: p.GetDefault(),
			Min:     p.GetMin(),
			Max:     p.GetMax(),
			Choices: p.GetChoices(),
		})
	}
	return desc
}

func estimateToWire(e Estimate) *pb.CheckReply {
	return &pb.CheckReply{
		MemoryBytes:   e.MemoryBytes,
		Parameters:    e.Parameters,
		ExampleFlop:   e.ExampleFLOP,
		Microbatch:    int64(e.Microbatch),
		DataDigest:    e.DataDigest,
		TrainExamples: int64(e.TrainExamples),
	}
}

func estimateFromWire(e *pb.CheckReply) Estimate {
	return Estimate{
		MemoryBytes:   e.GetMemoryBytes(),
		Parameters:    e.GetParameters(),
		ExampleFLOP:   e.GetExampleFlop(),
		Microbatch:    int(e.GetMicrobatch()),
		DataDigest:    e.GetDataDigest(),
		TrainExamples: int(e.GetTrainExamples()),
	}
}

func outcomeToWire(o sweep.Outcome) *pb.TrainEvent {
	return &pb.TrainEvent{Event: &pb.TrainEvent_Outcome{Outcome: &pb.Outcome{
		Accuracy:      o.Accuracy,
		LastAccuracy:  o.LastAccuracy,
		Loss:          o.Loss,
		Split:         string(o.Split),
		Examples:      int64(o.Examples),
		Steps:         int64(o.Steps),
		NonFinite:     o.NonFinite,
		DataDigest:    o.DataDigest,
		WeightsDigest: o.WeightsDigest,
		Trainer:       o.Trainer,
		Seconds:       o.Seconds,
	}}}
}

func outcomeFromWire(o *pb.Outcome) sweep.Outcome {
	return sweep.Outcome{
		Accuracy:      o.GetAccuracy(),
		LastAccuracy:  o.GetLastAccuracy(),
		Loss:          o.GetLoss(),
		Split:         sweep.Split(o.GetSplit()),
		Examples:      int(o.GetExamples()),
		Steps:         int(o.GetSteps()),
		NonFinite:     o.GetNonFinite(),
		DataDigest:    o.GetDataDigest(),
		WeightsDigest: o.GetWeightsDigest(),
		Trainer:       o.GetTrainer(),
		Seconds:       o.GetSeconds(),
	}
}
