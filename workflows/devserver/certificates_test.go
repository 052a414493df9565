package devserver

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestCertificatesAreKept(t *testing.T) {
	dir := t.TempDir()
	first, err := openCertificates(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := openCertificates(dir)
	if err != nil || !bytes.Equal(first.cert, again.cert) || !bytes.Equal(first.key, again.key) {
		t.Errorf("the second opening made other certificates, %v", err)
	}
	if err := first.check(time.Now().Add(9 * 365 * 24 * time.Hour)); err != nil {
		t.Errorf("in nine years: %v", err)
	}
}

// write replaces the folder's certificates.
func (c certificates) write(t *testing.T, dir string) {
	t.Helper()
	for name, content := range c.files() {
		if err := os.WriteFile(filepath.Join(dir, name), *content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func made(t *testing.T, at time.Time) certificates {
	t.Helper()
	c, err := newCertificates(at)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCertificatesAreReplaced(t *testing.T) {
	now := time.Now()
	for name, spoil := range map[string]func(t *testing.T, dir string){
		"missing key":       func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, "tls-key.pem"))) },
		"empty certificate": func(t *testing.T, dir string) { must(t, os.Truncate(filepath.Join(dir, "tls-cert.pem"), 0)) },
		"cut authority":     func(t *testing.T, dir string) { must(t, os.Truncate(filepath.Join(dir, "tls-ca.pem"), 100)) },
		"readable key":      func(t *testing.T, dir string) { must(t, os.Chmod(filepath.Join(dir, "tls-key.pem"), 0o644)) },
		"another's authority": func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, "tls-ca.pem"), made(t, now).ca, 0o600))
		},
		"another's key": func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, "tls-key.pem"), made(t, now).key, 0o600))
		},
		"expired":         func(t *testing.T, dir string) { made(t, now.Add(-certLifetime-time.Hour)).write(t, dir) },
		"about to expire": func(t *testing.T, dir string) { made(t, now.Add(-certLifetime+certReserve/2)).write(t, dir) },
		"from the future": func(t *testing.T, dir string) { made(t, now.Add(48*time.Hour)).write(t, dir) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if _, err := openCertificates(dir); err != nil {
				t.Fatal(err)
			}
			spoil(t, dir)
			got, err := openCertificates(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := got.check(now); err != nil {
				t.Errorf("the new ones are no good: %v", err)
			}
			stored, err := readCertificates(dir)
			if err != nil || !bytes.Equal(stored.key, got.key) || !bytes.Equal(stored.ca, got.ca) {
				t.Errorf("the new ones are not what is stored: %v", err)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
