package workflows

import (
	"context"
	"errors"
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
