package trainertest

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"sweep/trainerplugin"
)

// Pair returns the client end of both gRPC ends joined in memory, with t at the
// other end: what a launched trainer is, without the process.
func Pair(tb testing.TB, t trainerplugin.Trainer, stopGrace time.Duration) trainerplugin.Trainer {
	tb.Helper()
	return trainerplugin.NewClient(Dial(tb, func(s grpc.ServiceRegistrar) { trainerplugin.Register(s, t) }), stopGrace)
}

// Dial connects in memory to a gRPC server on which register has registered
// its services. Both end with the test.
func Dial(tb testing.TB, register func(grpc.ServiceRegistrar)) *grpc.ClientConn {
	tb.Helper()
	wire := bufconn.Listen(64 << 10)
	s := grpc.NewServer()
	register(s)
	served := make(chan error, 1)
	go func() { served <- s.Serve(wire) }()
	conn, err := grpc.NewClient("passthrough:///memory",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return wire.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := conn.Close(); err != nil {
			tb.Error(err)
		}
		s.Stop()
		if err := <-served; err != nil {
			tb.Error(err)
		}
	})
	return conn
}
