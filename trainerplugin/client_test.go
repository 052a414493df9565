package trainerplugin_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sweep"
	"sweep/trainerplugin"
	pb "sweep/trainerplugin/trainerpb"
	"sweep/trainerplugin/trainertest"
)

// failing is a trainer that ends with an error of the test's choice.
type failing struct {
	trainertest.Fake
	err error
}

func (f failing) Describe(context.Context) (trainerplugin.Description, error) {
	return trainerplugin.Description{}, f.err
}

func (f failing) Check(context.Context, trainerplugin.Job) (trainerplugin.Estimate, error) {
	return trainerplugin.Estimate{}, f.err
}

func (f failing) Train(context.Context, trainerplugin.Job, func(trainerplugin.Event) error) (sweep.Outcome, error) {
	return sweep.Outcome{}, f.err
}

var sentinels = []error{trainerplugin.ErrRefused, trainerplugin.ErrDiverged, trainerplugin.ErrProtocol}

// is lists the sentinels that err wraps.
func is(err error) (all []error) {
	for _, s := range sentinels {
		if errors.Is(err, s) {
			all = append(all, s)
		}
	}
	return all
}

func calls(ctx context.Context, tr trainerplugin.Trainer, j trainerplugin.Job) map[string]error {
	_, describe := tr.Describe(ctx)
	_, check := tr.Check(ctx, j)
	_, train := tr.Train(ctx, j, func(trainerplugin.Event) error { return nil })
	return map[string]error{"describe": describe, "check": check, "train": train}
}

func TestErrorsCross(t *testing.T) {
	for _, err := range []error{
		fmt.Errorf("σ = 1: %w: no such model", trainerplugin.ErrRefused),
		fmt.Errorf("step 3: %w", trainerplugin.ErrDiverged),
		fmt.Errorf("%w and %w", trainerplugin.ErrProtocol, trainerplugin.ErrRefused),
		errors.New("device on fire"),
	} {
		for call, got := range calls(t.Context(), trainertest.Pair(t, failing{err: err}, 0), job(t)) {
			if got == nil || got.Error() != err.Error() || !slices.Equal(is(got), is(err)) {
				t.Errorf("%s: %q (%v) became %q (%v)", call, err, is(err), got, is(got))
			}
		}
	}
}

func TestLongErrorsAreCut(t *testing.T) {
	err := fmt.Errorf("%w: %s\xff", trainerplugin.ErrRefused, strings.Repeat("ä", 10_000))
	_, got := trainertest.Pair(t, failing{err: err}, 0).Describe(t.Context())
	if !errors.Is(got, trainerplugin.ErrRefused) || len(got.Error()) > 4096 || !strings.HasSuffix(got.Error(), "ä…") {
		t.Errorf("it became %d bytes ending in %q", len(got.Error()), got.Error()[len(got.Error())-8:])
	}
}

// plain is a trainer in another language: it knows status codes alone.
type plain struct {
	pb.UnimplementedTrainerServer
	code codes.Code
}

func (p plain) Train(*pb.TrainRequest, grpc.ServerStreamingServer[pb.TrainEvent]) error {
	return status.Error(p.code, "because")
}

func TestBareCodes(t *testing.T) {
	for code, want := range map[codes.Code]error{
		codes.FailedPrecondition: trainerplugin.ErrRefused,
		codes.InvalidArgument:    trainerplugin.ErrRefused,
		codes.OutOfRange:         trainerplugin.ErrDiverged,
		codes.DataLoss:           trainerplugin.ErrProtocol,
		codes.Aborted:            trainerplugin.ErrProtocol, // nobody asked it to stop
		codes.Internal:           nil,
		codes.Canceled:           nil,
	} {
		conn := trainertest.Dial(t, func(s grpc.ServiceRegistrar) { pb.RegisterTrainerServer(s, plain{code: code}) })
		_, err := trainerplugin.NewClient(conn, 0).Train(t.Context(), job(t), func(trainerplugin.Event) error { return nil })
		if got := is(err); err == nil || !strings.HasSuffix(err.Error(), "because") || want == nil && got != nil || want != nil && !errors.Is(err, want) {
			t.Errorf("code %v became %v, which wraps %v; want %v", code, err, got, want)
		}
		if _, err := trainerplugin.NewClient(conn, 0).Describe(t.Context()); !errors.Is(err, trainerplugin.ErrProtocol) {
			t.Errorf("a missing Describe is %v, want ErrProtocol", err)
		}
	}
}

// A trainer that would drop a parameter it does not know must not train
// another trial in its place.
func TestServerRefusesOtherParameters(t *testing.T) {
	j := job(t)
	j.Params.Clip *= 2 // and the name stays
	got := calls(t.Context(), trainertest.Pair(t, trainertest.Fake{}, 0), j)
	for _, call := range []string{"check", "train"} {
		if err := got[call]; !errors.Is(err, trainerplugin.ErrRefused) || !strings.Contains(err.Error(), string(j.Trial)) {
			t.Errorf("%s: error %v", call, err)
		}
	}
}

func TestDeafTrainerIsCancelledAfterItsGrace(t *testing.T) {
	deaf, err := trainertest.Misbehaving("deaf")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("the host drains")
	var after int
	j := job(t)
	j.Params.Steps = 400
	j.Trial = j.Params.ID()
	_, err = trainertest.Pair(t, deaf, 150*time.Millisecond).Train(ctx, j, func(trainerplugin.Event) error {
		if ctx.Err() != nil {
			after++
		}
		cancel(reason)
		return nil
	})
	if !errors.Is(err, reason) || !strings.Contains(err.Error(), "did not stop in time: it was given 150ms") {
		t.Errorf("error %v", err)
	}
	if after == 0 {
		t.Error("nothing was reported during the grace period")
	}
}

// A context that has ended already starts nothing.
func TestTrainWithAnEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("too late")
	cancel(reason)
	_, err := trainertest.Pair(t, trainertest.Fake{}, 0).Train(ctx, job(t), func(trainerplugin.Event) error {
		t.Error("it reports")
		return nil
	})
	if !errors.Is(err, reason) {
		t.Errorf("error %v, want the cause", err)
	}
}

// One process trains a trial once at a time.
func TestSameTrialTwiceAtOnce(t *testing.T) {
	tr, j := trainertest.Pair(t, trainertest.Fake{}, 0), job(t)
	var second error
	_, first := tr.Train(t.Context(), j, func(e trainerplugin.Event) error {
		if _, ok := e.(trainerplugin.Started); ok {
			_, second = tr.Train(t.Context(), j, func(trainerplugin.Event) error { return nil })
		}
		return nil
	})
	if first != nil || second == nil || !strings.Contains(second.Error(), "is being trained by this very process") {
		t.Errorf("errors %v and %v", first, second)
	}
}
