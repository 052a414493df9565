package devserver

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
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/sdk/client"
)

// serverName is the name in the certificate; it is looked up nowhere.
const serverName = "sweep.local"

const (
	certLifetime = 10 * 365 * 24 * time.Hour
	certReserve  = 90 * 24 * time.Hour // a certificate with less left is replaced: a server may run for weeks
	clockSlack   = 24 * time.Hour      // the clock may be set back so far after a certificate was made
)

// certificates are what makes TLS mutual: one certificate that server and
// clients show each other, and the authority that signed it. The authority's
// own key is thrown away once it has signed, so there is no second certificate.
// Each field is PEM; the files of the same names are useful to Temporal's CLI.
type certificates struct {
	ca, cert, key []byte
}

func (c *certificates) files() map[string]*[]byte {
	return map[string]*[]byte{"tls-ca.pem": &c.ca, "tls-cert.pem": &c.cert, "tls-key.pem": &c.key}
}

// openCertificates reads the folder's certificates. If they are missing,
// damaged, about to expire, or were open for others to read, it makes new ones.
// Only the holder of the folder's lock may call it.
func openCertificates(dir string) (certificates, error) {
	c, err := readCertificates(dir)
	if err == nil && c.check(time.Now().Add(certReserve)) == nil && c.check(time.Now()) == nil {
		return c, nil
	}
	if c, err = newCertificates(time.Now()); err != nil {
		return c, fmt.Errorf("make certificates: %w", err)
	}
	for name, content := range c.files() {
		if err := replaceFile(filepath.Join(dir, name), *content); err != nil {
			return c, err
		}
	}
	return c, nil
}

// readCertificates reads the folder's certificates as they are.
func readCertificates(dir string) (certificates, error) {
	var c certificates
	for name, content := range c.files() {
		path := filepath.Join(dir, name)
		stat, err := os.Stat(path)
		if err != nil {
			return c, err
		}
		if open := stat.Mode().Perm() &^ 0o600; open != 0 {
			return c, fmt.Errorf("%s is open to others (mode %#o)", path, stat.Mode().Perm())
		}
		if *content, err = os.ReadFile(path); err != nil {
			return c, err
		}
	}
	if _, err := c.clientTLS(); err != nil {
		return c, fmt.Errorf("%s: %w", filepath.Join(dir, "tls-*.pem"), err)
	}
	return c, nil
}

// check tells whether server and clients will accept the certificate at time t.
func (c certificates) check(t time.Time) error {
	config, err := c.clientTLS()
	if err != nil {
		return err
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		_, err := config.Certificates[0].Leaf.Verify(x509.VerifyOptions{
			DNSName: serverName, Roots: config.RootCAs, CurrentTime: t, KeyUsages: []x509.ExtKeyUsage{usage},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func newCertificates(now time.Time) (certificates, error) {
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certificates{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certificates{}, err
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sweep local authority"},
		NotBefore: now.Add(-clockSlack), NotAfter: now.Add(certLifetime),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: serverName}, DNSNames: []string{serverName},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	ca, err := x509.CreateCertificate(rand.Reader, authority, authority, &authorityKey.PublicKey, authorityKey)
	if err != nil {
		return certificates{}, err
	}
	cert, err := x509.CreateCertificate(rand.Reader, leaf, authority, &key.PublicKey, authorityKey)
	if err != nil {
		return certificates{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return certificates{}, err
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	return certificates{block("CERTIFICATE", ca), block("CERTIFICATE", cert), block("PRIVATE KEY", der)}, nil
}

func (c certificates) clientTLS() (*tls.Config, error) {
	pair, err := tls.X509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(c.ca) {
		return nil, fmt.Errorf("the authority's file holds no certificate")
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: roots, ServerName: serverName, MinVersion: tls.VersionTLS13,
	}, nil
}

// clientOptions panics on certificates that did not come from this file's constructors.
func (c certificates) clientOptions(address, namespace string) client.Options {
	config, err := c.clientTLS()
	if err != nil {
		panic(fmt.Sprintf("devserver: unchecked certificates: %v", err))
	}
	return client.Options{
		HostPort: address, Namespace: namespace,
		ConnectionOptions: client.ConnectionOptions{
			TLS:             config,
			GrpcCompression: &client.GrpcCompressionNone{}, // gzip saves nothing within a machine, and costs a twentieth of the work
		},
	}
}
