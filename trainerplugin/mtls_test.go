package trainerplugin

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"testing"
)

// The host trusts the certificate that the handshake line names and no other,
// and shows its own to the trainer.
func TestMutualTLSTrustsOneCertificate(t *testing.T) {
	host, hostPEM, err := mutualTLS()
	if err != nil {
		t.Fatal(err)
	}
	trainer, trainerPEM, err := mutualTLS() // any self-signed one for localhost
	if err != nil {
		t.Fatal(err)
	}
	trainer.ClientAuth, trainer.ClientCAs = tls.RequireAndVerifyClientCert, pool(t, hostPEM)
	if hostErr, _ := shake(t, host, trainer); hostErr == nil {
		t.Error("the host trusts a trainer whose certificate it was not told")
	}
	host.RootCAs = pool(t, trainerPEM) // as go-plugin does on reading the line
	if hostErr, trainerErr := shake(t, host, trainer); hostErr != nil || trainerErr != nil {
		t.Errorf("host: %v, trainer: %v", hostErr, trainerErr)
	}
}

func pool(t *testing.T, certPEM []byte) *x509.CertPool {
	t.Helper()
	block, _ := pem.Decode(certPEM)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	p := x509.NewCertPool()
	p.AddCert(cert)
	return p
}

// shake joins both ends and returns what each thinks of the other.
func shake(t *testing.T, host, trainer *tls.Config) (hostErr, trainerErr error) {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	done := make(chan error, 1)
	go func() {
		defer b.Close()
		done <- tls.Server(b, trainer).HandshakeContext(t.Context())
	}()
	hostErr = tls.Client(a, host).HandshakeContext(t.Context())
	a.Close()
	return hostErr, <-done
}
