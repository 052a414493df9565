package devserver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"
)

// awaitNamespace returns when the namespace is as the options want it and
// answers queries over its search attributes.
func (s *Server) awaitNamespace(ctx context.Context) error {
	var c client.Client
	err := patiently(ctx, func() (err error) {
		c, err = client.DialContext(ctx, s.ClientOptions())
		return err
	})
	if err != nil {
		return fmt.Errorf("dial the frontend: %w", err)
	}
	defer c.Close()
	if err := patiently(ctx, func() error { return s.setRetention(ctx, c) }); err != nil {
		return fmt.Errorf("set the retention of namespace %s: %w", s.options.Namespace, err)
	}
	if err := s.addSearchAttributes(ctx, c); err != nil {
		return fmt.Errorf("add search attributes to namespace %s: %w", s.options.Namespace, err)
	}
	if err := patiently(ctx, func() error { return s.query(ctx, c) }); err != nil {
		return fmt.Errorf("query namespace %s: %w", s.options.Namespace, err)
	}
	return nil
}

// patiently repeats f until it succeeds or ctx ends, and returns its last error.
func patiently(ctx context.Context, f func() error) error {
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// setRetention matters for a namespace that an earlier start made.
func (s *Server) setRetention(ctx context.Context, c client.Client) error {
	got, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{
		Namespace: s.options.Namespace,
	})
	if err != nil || got.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration() == s.options.Retention {
		return err
	}
	_, err = c.WorkflowService().UpdateNamespace(ctx, &workflowservice.UpdateNamespaceRequest{
		Namespace: s.options.Namespace,
		Config:    &namespace.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(s.options.Retention)},
	})
	return err
}

// addSearchAttributes adds what a namespace of an earlier start lacks.
func (s *Server) addSearchAttributes(ctx context.Context, c client.Client) error {
	var known *operatorservice.ListSearchAttributesResponse
	err := patiently(ctx, func() (err error) {
		known, err = c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{
			Namespace: s.options.Namespace,
		})
		return err
	})
	if err != nil {
		return err
	}
	missing := map[string]enums.IndexedValueType{}
	for name, want := range s.options.SearchAttributes {
		got, ok := known.CustomAttributes[name]
		if ok && got != want {
			return fmt.Errorf("%s exists with type %v, not %v; a type cannot be changed", name, got, want)
		}
		if !ok {
			missing[name] = want
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: s.options.Namespace, SearchAttributes: missing,
	})
	if err != nil {
		return err
	}
	// Until each service has read the namespace again it may refuse a workflow
	// that carries a new attribute, and a refused child stops its parent.
	select {
	case <-time.After(namespaceRefresh * 3 / 2):
	case <-ctx.Done():
	}
	return ctx.Err()
}

// query asks for the workflows that have all search attributes, as a test.
func (s *Server) query(ctx context.Context, c client.Client) error {
	var terms []string
	for _, name := range slices.Sorted(maps.Keys(s.options.SearchAttributes)) {
		terms = append(terms, fmt.Sprintf("`%s` IS NOT NULL", name))
	}
	_, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
		Namespace: s.options.Namespace, Query: strings.Join(terms, " AND "),
	})
	return err
}
