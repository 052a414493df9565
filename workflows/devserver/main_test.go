package devserver

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

const (
	namespaceName = "sweeps"
	taskQueue     = "test"
	childFolder   = "DEVSERVER_TEST_CHILD" // in the environment of a child process: where it is to run a server
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		if err := runChild(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1) // it is meant to be killed
	}
	os.Exit(m.Run())
}

// runChild runs a server and a worker, says "started" for each activity that
// began, and waits to be killed.
func runChild(dir string) error {
	ctx := context.Background()
	s, err := Start(ctx, Options{Dir: dir, Namespace: namespaceName, UI: true})
	if err != nil {
		return err
	}
	c, err := client.DialContext(ctx, quietly(s.ClientOptions()))
	if err != nil {
		return err
	}
	w := worker.New(c, taskQueue, worker.Options{Identity: Identity("gpu")})
	w.RegisterWorkflow(trial)
	w.RegisterActivityWithOptions(func(ctx context.Context) (string, error) {
		fmt.Println("started")
		<-ctx.Done()
		return "", ctx.Err()
	}, activity.RegisterOptions{Name: "train"})
	if err := w.Start(); err != nil {
		return err
	}
	for _, id := range []string{"killed", "cancelled"} {
		if _, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: taskQueue}, trial); err != nil {
			return err
		}
	}
	select {}
}

// trial runs one activity whose next attempt, by its timeouts and its retry
// policy alone, would come a minute or more after the death of its worker.
func trial(ctx workflow.Context) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Hour, HeartbeatTimeout: time.Minute, WaitForCancellation: true,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Minute},
	})
	var out string
	err := workflow.ExecuteActivity(ctx, "train").Get(ctx, &out)
	return out, err
}

// train says which attempt it is.
func train(ctx context.Context) (string, error) {
	return fmt.Sprintf("attempt %d", activity.GetInfo(ctx).Attempt), nil
}

// sleeper waits for ever.
func sleeper(ctx workflow.Context) error {
	return workflow.Await(ctx, func() bool { return false })
}

func quietly(o client.Options) client.Options {
	o.Logger = sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	return o
}
