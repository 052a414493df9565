package trainerplugin

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// Handshake is what host and trainer agree on before they speak: the version
// of the contract, and an environment variable by which a program knows that a
// host started it and not a person.
var Handshake = plugin.HandshakeConfig{
	ProtocolVersion:  1,
	MagicCookieKey:   "SWEEP_TRAINER_PLUGIN",
	MagicCookieValue: "e6f3d1c0-dp-sgd-trainer",
}

// PluginName is the name under which a trainer is served and dispensed.
const PluginName = "trainer"

// byHand is what a person reads who starts a trainer from a shell.
const byHand = `This program is a trainer: sweep starts it for each trial and talks to it over a
socket; on its own it does nothing. To train with it, name it in a sweep file:

    trainer: {command: [%s], sha256: …}

and run "sweep start FILE". trainerplugin/README.md describes the contract.
`

// Serve serves t to the host that started this process, and returns when the
// host ends it. A main function calls it and does nothing after it. Started by
// hand, it says how the program is meant to be used and exits with status 1.
//
// Termination signals are swallowed: batch systems send them to every process
// of a job at once, and a trainer must live on to write the checkpoint that
// its host then asks for. The host ends it by Stop, or by SIGKILL.
func Serve(t Trainer) { ServeGRPC(func(s grpc.ServiceRegistrar) { Register(s, t) }) }

// ServeGRPC is [Serve] for a program with its own implementation of the gRPC
// service.
func ServeGRPC(register func(grpc.ServiceRegistrar)) {
	if os.Getenv(Handshake.MagicCookieKey) != Handshake.MagicCookieValue {
		fmt.Fprintf(os.Stderr, byHand, os.Args[0])
		os.Exit(1)
	}
	// Notify, not Ignore: an ignored signal stays ignored in programs that the
	// trainer starts, and those may have to be terminated by it.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: Handshake,
		Plugins:         plugin.PluginSet{PluginName: &grpcPlugin{register: register}},
		GRPCServer:      plugin.DefaultGRPCServer,
		Logger:          hclog.New(&hclog.LoggerOptions{Name: PluginName, Level: hclog.Error, Output: os.Stderr}),
	})
}

// grpcPlugin is how go-plugin reaches both ends of the contract.
type grpcPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	register  func(grpc.ServiceRegistrar) // of the trainer's side
	stopGrace time.Duration               // of the host's side
}

func (p *grpcPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	p.register(s)
	return nil
}

func (p *grpcPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return NewClient(conn, p.stopGrace), nil
}
