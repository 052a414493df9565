package trainerplugin

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "sweep/trainerplugin/trainerpb"
)

var (
	// errStopRequested is the cause with which the trainer's side ends the
	// context of a Train that Stop names.
	errStopRequested = errors.New("the host asked the trainer to stop")

	// errConnection marks a call that the other side did not answer because it
	// is gone or never was there.
	errConnection = errors.New("lost the connection to the trainer")
)

// maxMessage bounds the text of a status in bytes: it travels in HTTP/2
// trailers, for which some gRPC libraries allow 8 KiB in all.
const maxMessage = 4096

// failures pairs each sentinel error with what stands for it on the wire. The
// first that holds gives the status its code.
var failures = []struct {
	err  error
	kind pb.Failure_Kind
	code codes.Code
}{
	{ErrRefused, pb.Failure_REFUSED, codes.FailedPrecondition},
	{ErrDiverged, pb.Failure_DIVERGED, codes.OutOfRange},
	{ErrOutOfMemory, pb.Failure_OUT_OF_MEMORY, codes.ResourceExhausted},
	{ErrProtocol, pb.Failure_PROTOCOL, codes.DataLoss},
	{errStopRequested, pb.Failure_STOPPED, codes.Aborted},
}

// toStatus turns a trainer's error into what crosses the process boundary.
func toStatus(err error) error {
	code, detail := codes.Unknown, &pb.Failure{}
	for _, f := range slices.Backward(failures) {
		if errors.Is(err, f.err) {
			code, detail.Kinds = f.code, append(detail.Kinds, f.kind)
		}
	}
	if code == codes.Unknown && errors.Is(err, context.Canceled) {
		code = codes.Canceled
	}
	st := status.New(code, cut(strings.ToValidUTF8(err.Error(), "\uFFFD"), maxMessage))
	if len(detail.Kinds) == 0 {
		return st.Err()
	}
	if with, err := st.WithDetails(detail); err == nil {
		st = with
	}
	return st.Err()
}

// cut shortens s to at most n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = s[:n-len("…")]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}

// A remoteError is an error that a trainer returned in another process: its
// message, and the sentinels that hold for it.
type remoteError struct {
	text string
	is   []error
}

func (e *remoteError) Error() string   { return e.text }
func (e *remoteError) Unwrap() []error { return e.is }

// fromStatus is the inverse of [toStatus].
func fromStatus(err error) error {
	st, ok := status.FromError(err)
	if !ok {
		return err
	}
	remote := &remoteError{text: st.Message()}
	for _, d := range st.Details() {
		if d, ok := d.(*pb.Failure); ok {
			for _, f := range failures {
				if slices.Contains(d.Kinds, f.kind) {
					remote.is = append(remote.is, f.err)
				}
			}
		}
	}
	if len(remote.is) == 0 {
		remote.is = impliedBy(st)
	}
	switch {
	case remote.text != "":
	case len(remote.is) > 0:
		remote.text = remote.is[0].Error()
	default:
		remote.text = "trainer ended with status " + st.Code().String()
	}
	return remote
}

// impliedBy says what a bare code means; trainers in other languages need not
// attach details.
func impliedBy(st *status.Status) []error {
	switch st.Code() {
	case codes.ResourceExhausted:
		if !strings.HasPrefix(st.Message(), "grpc:") { // which says so of messages that are too long
			return []error{ErrOutOfMemory}
		}
	case codes.FailedPrecondition, codes.InvalidArgument:
		return []error{ErrRefused}
	case codes.OutOfRange:
		return []error{ErrDiverged}
	case codes.DataLoss, codes.Unimplemented:
		return []error{ErrProtocol}
	case codes.Aborted:
		return []error{errStopRequested}
	case codes.Unavailable:
		return []error{errConnection}
	}
	return nil
}
