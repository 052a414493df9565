package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"
)

// No flag takes a certificate, an API key or any other secret of Temporal's: what
// is on a command line can be read by everybody on the machine.
func TestNoFlagTakesASecret(t *testing.T) {
	var names []string
	var walk func([]*cli.Command)
	walk = func(commands []*cli.Command) {
		for _, c := range commands {
			for _, f := range c.Flags {
				names = append(names, f.Names()...)
			}
			walk(c.Subcommands)
		}
	}
	walk(newApp(io.Discard, io.Discard).Commands)
	if len(names) < 100 || !slices.Contains(names, "payload-key") {
		t.Fatalf("found %d flags: the search is broken", len(names))
	}
	for _, name := range names {
		for _, word := range []string{"tls", "cert", "api", "token", "secret", "password", "key"} {
			if strings.Contains(name, word) && name != "payload-key" { // the name of a file
				t.Errorf("there is a flag --%s", name)
			}
		}
	}
}

// TestTLSFromTemporalsConfiguration talks to a server that wants TLS and an API
// key: a profile of Temporal's configuration file, or its variables, open it, and
// nothing less does.
func TestTLSFromTemporalsConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at, ca := guardedServer(t, dir, "Bearer open-sesame")
	config := filepath.Join(dir, "temporal.toml")
	profile := fmt.Sprintf("[profile.lab]\naddress = %q\nnamespace = \"lab\"\napi_key = \"open-sesame\"\n[profile.lab.tls]\nserver_ca_cert_path = %q\n", at, ca)
	if err := os.WriteFile(config, []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		env  []string
		open bool
	}{
		{"profile", []string{"TEMPORAL_CONFIG_FILE=" + config, "TEMPORAL_PROFILE=lab"}, true},
		{"variables", []string{"TEMPORAL_ADDRESS=" + at, "TEMPORAL_API_KEY=open-sesame", "TEMPORAL_TLS_SERVER_CA_CERT_PATH=" + ca}, true},
		{"no TLS", []string{"TEMPORAL_ADDRESS=" + at}, false},
		{"a wrong key", []string{"TEMPORAL_ADDRESS=" + at, "TEMPORAL_API_KEY=open", "TEMPORAL_TLS_SERVER_CA_CERT_PATH=" + ca}, false},
		{"another authority", []string{"TEMPORAL_ADDRESS=" + at, "TEMPORAL_API_KEY=open-sesame", "TEMPORAL_TLS=true"}, false},
	} {
		doctor := sweepIn(dir, "doctor", "-o", "csv")
		doctor.Env = append(doctor.Env, c.env...)
		out, err := doctor.CombinedOutput()
		opened := strings.Contains(string(out), "temporal,ok,")
		if opened != c.open || !c.open && (err == nil || !strings.Contains(string(out), "temporal,bad,")) {
			t.Errorf("%s: %v\n%s\nwant the server open: %t", c.name, err, out, c.open)
		}
		if strings.Contains(string(out), "sesame") {
			t.Errorf("%s: the key is printed:\n%s", c.name, out)
		}
	}
}

// guardedServer answers whoever comes by TLS with the authorization.
func guardedServer(t *testing.T, dir, authorization string) (address, ca string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	ca = filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(
		grpc.Creds(credentials.NewServerTLSFromCert(&tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})),
		grpc.UnaryInterceptor(func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, answer grpc.UnaryHandler) (any, error) {
			if given := metadata.ValueFromIncomingContext(ctx, "authorization"); !slices.Equal(given, []string{authorization}) {
				return nil, grpcstatus.Error(codes.PermissionDenied, "who are you?")
			}
			return answer(ctx, r)
		}),
	)
	workflowservice.RegisterWorkflowServiceServer(s, knowsItself{})
	go s.Serve(l)
	t.Cleanup(s.Stop)
	return l.Addr().String(), ca
}

// knowsItself answers what every client asks first.
type knowsItself struct {
	workflowservice.UnimplementedWorkflowServiceServer
}

func (knowsItself) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{ServerVersion: "1.32.1"}, nil
}
