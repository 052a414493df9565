package trainertest

import (
	"fmt"

	"google.golang.org/grpc"

	"sweep/trainerplugin"
	pb "sweep/trainerplugin/trainerpb"
)

// wireModes break the contract in ways that no Go [trainerplugin.Trainer] can:
// they edit the events that honest ends put on the wire.
var wireModes = map[string]func(stream grpc.ServerStream, e *pb.TrainEvent) error{
	"no-outcome": func(stream grpc.ServerStream, e *pb.TrainEvent) error {
		if e.GetOutcome() != nil {
			return nil
		}
		return stream.SendMsg(e)
	},
	"two-outcomes": func(stream grpc.ServerStream, e *pb.TrainEvent) error {
		if err := stream.SendMsg(e); err != nil || e.GetOutcome() == nil {
			return err
		}
		return stream.SendMsg(e)
	},
	"afterthought": func(stream grpc.ServerStream, e *pb.TrainEvent) error {
		if err := stream.SendMsg(e); err != nil || e.GetOutcome() == nil {
			return err
		}
		return stream.SendMsg(&pb.TrainEvent{Event: &pb.TrainEvent_Note{Note: &pb.Note{Text: "one more thing"}}})
	},
	"unknown-event": func(stream grpc.ServerStream, e *pb.TrainEvent) error {
		if e.GetProgress() != nil {
			e = &pb.TrainEvent{}
		}
		return stream.SendMsg(e)
	},
}

// RegisterMisbehaving serves on s a trainer that breaks the contract on the wire.
func RegisterMisbehaving(s grpc.ServiceRegistrar, mode string) error {
	send, ok := wireModes[mode]
	if !ok {
		return fmt.Errorf("no such way to misbehave on the wire: %q", mode)
	}
	trainerplugin.Register(&editing{ServiceRegistrar: s, send: send}, Fake{})
	return nil
}

// editing puts its edit between a service's streams and the wire.
type editing struct {
	grpc.ServiceRegistrar
	send func(grpc.ServerStream, *pb.TrainEvent) error
}

func (r *editing) RegisterService(desc *grpc.ServiceDesc, impl any) {
	edited := *desc
	edited.Streams = nil
	for _, s := range desc.Streams {
		handle := s.Handler
		s.Handler = func(srv any, stream grpc.ServerStream) error {
			return handle(srv, &editedStream{ServerStream: stream, send: r.send})
		}
		edited.Streams = append(edited.Streams, s)
	}
	r.ServiceRegistrar.RegisterService(&edited, impl)
}

type editedStream struct {
	grpc.ServerStream
	send func(grpc.ServerStream, *pb.TrainEvent) error
}

func (s *editedStream) SendMsg(m any) error {
	return s.send(s.ServerStream, m.(*pb.TrainEvent))
}
