package trainerplugin

import (
	"context"
	"fmt"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sweep"
	pb "sweep/trainerplugin/trainerpb"
)

// Register serves t on a gRPC server: the trainer's end of the contract.
func Register(s grpc.ServiceRegistrar, t Trainer) {
	pb.RegisterTrainerServer(s, &server{trainer: t, stops: map[sweep.TrialID]context.CancelCauseFunc{}})
}

type server struct {
	pb.UnimplementedTrainerServer
	trainer Trainer

	mu    sync.Mutex
	stops map[sweep.TrialID]context.CancelCauseFunc // of the running Trains
}

func (s *server) Describe(ctx context.Context, _ *pb.DescribeRequest) (*pb.DescribeReply, error) {
	d, err := s.trainer.Describe(ctx)
	if err != nil {
		return nil, toStatus(err)
	}
	return descriptionToWire(d), nil
}

func (s *server) Check(ctx context.Context, req *pb.CheckRequest) (*pb.CheckReply, error) {
	job, err := receiveJob(req.GetJob())
	if err != nil {
		return nil, toStatus(err)
	}
	e, err := s.trainer.Check(ctx, job)
	if err != nil {
		return nil, toStatus(err)
	}
	return estimateToWire(e), nil
}

func (s *server) Train(req *pb.TrainRequest, stream grpc.ServerStreamingServer[pb.TrainEvent]) error {
	job, err := receiveJob(req.GetJob())
	if err != nil {
		return toStatus(err)
	}
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	if !s.begin(job.Trial, cancel) {
		return status.Errorf(codes.AlreadyExists, "trial %s is being trained by this very process", job.Trial)
	}
	defer s.end(job.Trial)
	outcome, err := s.trainer.Train(ctx, job, func(e Event) error { return stream.Send(eventToWire(e)) })
	if err != nil {
		return toStatus(err)
	}
	return stream.Send(outcomeToWire(outcome))
}

func (s *server) Stop(_ context.Context, req *pb.StopRequest) (*pb.StopReply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stop, running := s.stops[sweep.TrialID(req.GetTrial())]
	if running {
		stop(errStopRequested)
	}
	return &pb.StopReply{Running: running}, nil
}

// begin makes a Train known to Stop, unless the trial is running already.
func (s *server) begin(id sweep.TrialID, stop context.CancelCauseFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, running := s.stops[id]; running {
		return false
	}
	s.stops[id] = stop
	return true
}

func (s *server) end(id sweep.TrialID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.stops, id)
}

// receiveJob refuses a job whose parameters do not digest to its name: a host
// newer than this trainer may send a parameter that would be dropped here, and
// another trial than the one recorded would be trained.
func receiveJob(wire *pb.Job) (Job, error) {
	j := jobFromWire(wire)
	if id := j.Params.ID(); id != j.Trial {
		return j, fmt.Errorf("%w: the parameters received are those of trial %s, not %q; are host and trainer of different versions?",
			ErrRefused, id, j.Trial)
	}
	return j, nil
}
