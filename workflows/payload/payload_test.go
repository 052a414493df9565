package payload

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"
)

func newCodec(t *testing.T) (*Codec, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := NewKeyFile(path); err != nil {
		t.Fatal(err)
	}
	c, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return c, path
}

var secret = &common.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(`{"LearnRate":0.125}`)}

func TestPayloadsAreSealed(t *testing.T) {
	c, path := newCodec(t)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file %v, %v; want mode 0600", info.Mode(), err)
	}
	if err := NewKeyFile(path); !errors.Is(err, os.ErrExist) {
		t.Errorf("a key was overwritten: %v", err)
	}
	sealed, err := c.Encode([]*common.Payload{secret, secret})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range sealed {
		if raw, _ := proto.Marshal(p); bytes.Contains(raw, []byte("LearnRate")) || bytes.Contains(raw, []byte("json/plain")) {
			t.Errorf("the payload can be read: %q", raw)
		}
	}
	if bytes.Equal(sealed[0].Data, sealed[1].Data) {
		t.Error("equal payloads look equal")
	}
	// The same construction by the standard library alone.
	text, _ := os.ReadFile(path)
	key, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	block, _ := aes.NewCipher(key)
	gcm, _ := cipher.NewGCM(block)
	plain, err := gcm.Open(nil, sealed[0].Data[:12], sealed[0].Data[12:], sealed[0].Metadata["encryption-key-id"])
	if err != nil {
		t.Fatal(err)
	}
	var got common.Payload
	if err := proto.Unmarshal(plain, &got); err != nil || !proto.Equal(&got, secret) {
		t.Errorf("inside is %v, %v", &got, err)
	}

	open, err := c.Decode(sealed)
	if err != nil || len(open) != 2 || !proto.Equal(open[0], secret) || !proto.Equal(open[1], secret) {
		t.Errorf("decoded %v, %v", open, err)
	}
	// What the server's owner could have written is not taken.
	if open, err := c.Decode(append(sealed, secret)); !errors.Is(err, ErrPlain) {
		t.Errorf("beside sealed payloads one in the clear: %v, %v; want ErrPlain", open, err)
	}
	sealed[0].Data[20] ^= 1
	if _, err := c.Decode(sealed[:1]); err == nil || !strings.Contains(err.Error(), "was changed") {
		t.Errorf("a changed payload: %v", err)
	}
	other, _ := newCodec(t)
	if _, err := other.Decode(sealed[1:]); !errors.Is(err, ErrNoKey) {
		t.Errorf("another key: %v, want ErrNoKey", err)
	}
}

// A process without a key sends payloads as they are, and says of sealed ones
// what they want.
func TestNoKey(t *testing.T) {
	c, _ := newCodec(t)
	sealed, err := c.Encode([]*common.Payload{secret})
	if err != nil {
		t.Fatal(err)
	}
	if sent, err := None().Encode([]*common.Payload{secret}); err != nil || !proto.Equal(sent[0], secret) {
		t.Errorf("sent %v, %v", sent, err)
	}
	if got, err := None().Decode([]*common.Payload{secret}); err != nil || !proto.Equal(got[0], secret) {
		t.Errorf("read %v, %v", got, err)
	}
	_, err = None().Decode(sealed)
	if !errors.Is(err, ErrNoKey) || !strings.Contains(err.Error(), "--payload-key") || !strings.Contains(err.Error(), c.KeyIDs()[0]) {
		t.Errorf("a sealed payload: %v; want ErrNoKey, the key's id and the flag", err)
	}
	if ids := None().KeyIDs(); len(ids) != 0 {
		t.Errorf("no key has the ids %v", ids)
	}
}

// After a change of key, old payloads can be read while the old key stays in
// the file, and new ones are under the new key.
func TestKeysAreRotated(t *testing.T) {
	old, oldPath := newCodec(t)
	_, newPath := newCodec(t)
	a, _ := os.ReadFile(newPath)
	b, _ := os.ReadFile(oldPath)
	both := filepath.Join(t.TempDir(), "both")
	if err := os.WriteFile(both, append(append(a, '\n'), b...), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Open(both)
	if err != nil {
		t.Fatal(err)
	}
	if ids := c.KeyIDs(); len(ids) != 2 || ids[1] != old.KeyIDs()[0] || ids[0] == ids[1] {
		t.Errorf("the keys are %v; want the old one, %v, second", ids, old.KeyIDs())
	}
	before, _ := old.Encode([]*common.Payload{secret})
	if got, err := c.Decode(before); err != nil || !proto.Equal(got[0], secret) {
		t.Errorf("a payload of the old key: %v, %v", got, err)
	}
	after, _ := c.Encode([]*common.Payload{secret})
	if _, err := old.Decode(after); !errors.Is(err, ErrNoKey) {
		t.Errorf("the old key opens what the new one sealed: %v", err)
	}
}

func TestBadKeyFiles(t *testing.T) {
	const key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	for name, c := range map[string]struct {
		text, says string
		mode       os.FileMode
	}{
		"open to a group": {key, "is open to others (mode 0640); chmod 600 it", 0o640},
		"open to all":     {key, "is open to others (mode 0604)", 0o604},
		"empty":           {"\n", "holds no key", 0o600},
		"short":           {key + "SECRETQUtCg==\n", ":2: no key of 32 bytes", 0o600},
	} {
		path := filepath.Join(t.TempDir(), "key")
		if err := errors.Join(os.WriteFile(path, []byte(c.text), 0o600), os.Chmod(path, c.mode)); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v, want an error that says %q and quotes no key", name, err, c.says)
		}
	}
}

// A secret that Kubernetes mounts is root's, and open to the pod's group.
func TestKeyOfAMountedSecret(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: only root can give a file away")
	}
	_, path := newCodec(t)
	for mode, want := range map[os.FileMode]bool{0o440: true, 0o640: true, 0o460: false, 0o444: false} {
		if err := errors.Join(os.Chown(path, 65534, 65534), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); (err == nil) != want {
			t.Errorf("mode %#o: %v; want it taken: %t", mode, err, want)
		}
	}
}

// What a failure says and where it happened are sealed too.
func TestFailuresAreSealed(t *testing.T) {
	c, _ := newCodec(t)
	var o client.Options
	c.Apply(&o)
	f := o.FailureConverter.ErrorToFailure(temporal.NewApplicationError("batch size 4096 does not fit", "crashed", 4096))
	if raw, _ := proto.Marshal(f); bytes.Contains(raw, []byte("4096")) {
		t.Errorf("the failure can be read: %v", f)
	}
	if err := o.FailureConverter.FailureToError(f); !strings.Contains(err.Error(), "batch size 4096 does not fit") {
		t.Errorf("the failure came back as %v", err)
	}
}
