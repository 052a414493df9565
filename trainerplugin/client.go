package trainerplugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"

	"sweep"
	pb "sweep/trainerplugin/trainerpb"
)

// DefaultStopGrace is how long a trainer may take to write its checkpoint and
// end once it is told to stop.
const DefaultStopGrace = 30 * time.Second

// NewClient returns the host's end of the contract: a Trainer whose work is
// done by what [Register] serves at the other end of conn. A zero stopGrace is
// [DefaultStopGrace].
//
// When the context given to Train ends, the client calls Stop and goes on
// reporting until the trainer ends or the grace period is over, and only then
// cancels the call. It cancels at once if report returns an error or the
// context's cause is [ErrProtocol].
func NewClient(conn grpc.ClientConnInterface, stopGrace time.Duration) Trainer {
	if stopGrace == 0 {
		stopGrace = DefaultStopGrace
	}
	return &client{pb: pb.NewTrainerClient(conn), grace: stopGrace}
}

type client struct {
	pb    pb.TrainerClient
	grace time.Duration
}

func (c *client) Describe(ctx context.Context) (Description, error) {
	reply, err := c.pb.Describe(ctx, &pb.DescribeRequest{})
	if err != nil {
		return Description{}, callError(ctx, err)
	}
	return descriptionFromWire(reply), nil
}

func (c *client) Check(ctx context.Context, j Job) (Estimate, error) {
	reply, err := c.pb.Check(ctx, &pb.CheckRequest{Job: jobToWire(j)})
	if err != nil {
		return Estimate{}, callError(ctx, err)
	}
	return estimateFromWire(reply), nil
}

// callError is the error of a call that ctx itself could have ended.
func callError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), fromStatus(err))
	}
	return fromStatus(err)
}

func (c *client) Train(ctx context.Context, j Job, report func(Event) error) (sweep.Outcome, error) {
	if ctx.Err() != nil {
		return sweep.Outcome{}, context.Cause(ctx)
	}
	streamCtx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	stream, err := c.pb.Train(streamCtx, &pb.TrainRequest{Job: jobToWire(j)})
	if err != nil {
		return sweep.Outcome{}, fromStatus(err)
	}
	detach := context.AfterFunc(ctx, func() { c.stop(streamCtx, ctx, j.Trial, cancel) })
	defer detach()
	outcome, err := receive(stream, report)
	return outcome, endOf(ctx, streamCtx, err)
}

// errGraceOver says that a trainer told to stop did not.
var errGraceOver = errors.New("trainer did not stop in time")

// stop asks the trainer to end until its Train is there to hear it, and cancels
// the call when the grace period is over. It returns when the stream has ended.
func (c *client) stop(stream, caller context.Context, id sweep.TrialID, cancel context.CancelCauseFunc) {
	if errors.Is(context.Cause(caller), ErrProtocol) {
		cancel(ErrProtocol)
		return
	}
	grace, done := context.WithTimeout(stream, c.grace)
	defer done()
	for heard := false; grace.Err() == nil; {
		if !heard {
			reply, err := c.pb.Stop(grace, &pb.StopRequest{Trial: string(id)})
			heard = err == nil && reply.GetRunning()
		}
		wait := 20 * time.Millisecond
		if heard {
			wait = c.grace
		}
		select {
		case <-grace.Done():
		case <-time.After(wait):
		}
	}
	if stream.Err() == nil {
		cancel(fmt.Errorf("%w: it was given %v", errGraceOver, c.grace))
	}
}

// receive passes events on until the stream ends.
func receive(stream grpc.ServerStreamingClient[pb.TrainEvent], report func(Event) error) (sweep.Outcome, error) {
	var outcome *sweep.Outcome
	for {
		wire, err := stream.Recv()
		switch {
		case err == io.EOF && outcome == nil:
			return sweep.Outcome{}, fmt.Errorf("%w: it ended without an outcome", ErrProtocol)
		case err == io.EOF:
			return *outcome, nil
		case err != nil:
			return sweep.Outcome{}, fromStatus(err)
		case outcome != nil:
			return sweep.Outcome{}, fmt.Errorf("%w: %s after its outcome", ErrProtocol, wireName(wire))
		}
		if o := wire.GetOutcome(); o != nil {
			got := outcomeFromWire(o)
			outcome = &got
			continue
		}
		event := eventFromWire(wire)
		if event == nil {
			return sweep.Outcome{}, fmt.Errorf("%w: an event of a kind that this host does not know", ErrProtocol)
		}
		if err := report(event); err != nil {
			return sweep.Outcome{}, err
		}
	}
}

func wireName(e *pb.TrainEvent) string {
	if e.GetOutcome() != nil {
		return "a second outcome"
	}
	return "an event"
}

// endOf says why a Train ended, given what the stream said and which of the
// two contexts had ended by then.
func endOf(caller, stream context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(stream), errGraceOver):
		return fmt.Errorf("%w: %w", context.Cause(caller), context.Cause(stream))
	case caller.Err() != nil:
		return fmt.Errorf("%w: %w", context.Cause(caller), err)
	case errors.Is(err, errStopRequested):
		return fmt.Errorf("%w: it says that it was told to stop, and nobody did: %w", ErrProtocol, err)
	}
	return err
}
