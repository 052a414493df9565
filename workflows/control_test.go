package workflows

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
)

// A stranger is a server that answers with an error who asks it as an operator.
type stranger struct {
	client.Client
	err error
}

func (s stranger) WorkflowService() workflowservice.WorkflowServiceClient { return plainService{} }
func (s stranger) OperatorService() operatorservice.OperatorServiceClient {
	return closedService{err: s.err}
}

type plainService struct {
	workflowservice.WorkflowServiceClient
}

func (plainService) DescribeNamespace(context.Context, *workflowservice.DescribeNamespaceRequest, ...grpc.CallOption) (*workflowservice.DescribeNamespaceResponse, error) {
	return &workflowservice.DescribeNamespaceResponse{}, nil
}

type closedService struct {
	operatorservice.OperatorServiceClient
	err error
}

func (s closedService) ListSearchAttributes(context.Context, *operatorservice.ListSearchAttributesRequest, ...grpc.CallOption) (*operatorservice.ListSearchAttributesResponse, error) {
	return nil, s.err
}

// An API key that may run workflows need not open the operator's requests: sweeps
// then run without search attributes.
func TestServerThatDeniesItsOperatorsRequests(t *testing.T) {
	for _, c := range []struct {
		err  error
		runs bool
	}{
		{serviceerror.NewPermissionDenied("not yours", ""), true},
		{serviceerror.NewUnimplemented("no such method"), true},
		{errors.New("connection refused"), false},
	} {
		known, err := KnowsAttributes(t.Context(), stranger{err: c.err}, "ns")
		if known || (err == nil) != c.runs {
			t.Errorf("%v: %t, %v; want no attributes, and that sweeps run: %t", c.err, known, err, c.runs)
		}
	}
}

// A slowServer's workflow is not at its end for so many questions.
type slowServer struct {
	client.Client
	late []error
	end  error
}

type slowRun struct {
	client.WorkflowRun
	server *slowServer
}

func (s *slowServer) GetWorkflow(context.Context, string, string) client.WorkflowRun {
	return slowRun{server: s}
}

func (r slowRun) Get(context.Context, any) error {
	if len(r.server.late) == 0 {
		return r.server.end
	}
	err := r.server.late[0]
	r.server.late = r.server.late[1:]
	return err
}

// A question that outlives its time limit is asked again; what the workflow came
// to, and what else goes wrong, is told.
func TestWaitAsksAgain(t *testing.T) {
	away := errors.New("no such host")
	for _, end := range []error{nil, away} {
		s := &slowServer{late: []error{serviceerror.NewDeadlineExceeded("poll"), context.DeadlineExceeded, fmt.Errorf("get: %w", context.DeadlineExceeded)}, end: end}
		if err := Wait(t.Context(), s, "s-1"); !errors.Is(err, end) || len(s.late) != 0 {
			t.Errorf("it says %v with %d answers to come; want %v after all", err, len(s.late), end)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Wait(ctx, &slowServer{late: []error{context.DeadlineExceeded}}, "s-1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("of a caller who does not wait any more it says %v", err)
	}
}
