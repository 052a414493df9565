package trainerplugin

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// clientCertVariable carries the host's certificate to the trainer, which
// serves nobody else.
const clientCertVariable = "PLUGIN_CLIENT_CERT"

// clockSlack is how far the clock may be set back between a certificate and its
// use. Each end trusts the other's one certificate and no authority, so dates
// protect nothing here, and a clock that is put right must not end a trial.
const clockSlack = 24 * time.Hour

// mutualTLS makes a certificate for one launch, and the configuration with
// which the host uses it. It speaks go-plugin's AutoMTLS: the host's
// certificate goes to the trainer in its environment, the trainer's comes back
// in the handshake line, and go-plugin makes that the only one trusted.
//
// AutoMTLS itself is not used because its keys are on the curve P-521, which
// BoringSSL, and so grpcio from PyPI, does not accept from a client.
func mutualTLS() (config *tls.Config, certPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make a TLS key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, fmt.Errorf("make a TLS serial number: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "localhost", Organization: []string{"sweep"}},
		DNSNames:              []string{"localhost"},
		NotBefore:             now.Add(-clockSlack),
		NotAfter:              now.AddDate(10, 0, 0), // longer than any trial; the key dies with the host
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true, // it signs itself, and the trainer trusts it alone
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, fmt.Errorf("make a TLS certificate: %w", err)
	}
	config = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		RootCAs:      x509.NewCertPool(), // nobody, until the handshake line names the trainer's
		ServerName:   "localhost",
		MinVersion:   tls.VersionTLS12,
		Time:         func() time.Time { return time.Now().Add(clockSlack) },
	}
	return config, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
