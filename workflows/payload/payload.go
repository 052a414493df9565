// Package payload encrypts what a Temporal server stores of a sweep, so that a
// server of somebody else's learns no hyper-parameters, results or messages:
// inputs and results of workflows and activities, heartbeats, signals, queries,
// summaries, and the text and trace of failures.
//
// Temporal does not encrypt what it must search or route by: names of sweeps,
// workflows and task queues, identities of workers, and search attributes. The
// caller keeps secrets out of those.
package payload

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"
)

// Metadata of an encrypted payload. Others with such a codec use the same names.
const (
	encoding   = "binary/encrypted"
	keyIDField = "encryption-key-id"
)

const keyBytes = 32 // AES-256

// ErrNoKey marks a payload whose key is not in the file.
var ErrNoKey = errors.New("the payload is encrypted with another key")

// A Codec encrypts payloads with AES-256-GCM, each under a random nonce of 96
// bits; a key is good for 2³² payloads (NIST SP 800-38D, section 8.3). It
// implements [converter.PayloadCodec].
type Codec struct {
	current string                 // id of the key that encrypts
	sealers map[string]cipher.AEAD // by id of key
}

// NewKeyFile writes a fresh key to a file, mode 0600, that must not exist.
func NewKeyFile(path string) (err error) {
	key := make([]byte, keyBytes)
	if _, err := rand.Read(key); err != nil {
		return fmt.Errorf("make payload key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make payload key: %w", err)
	}
	_, err = fmt.Fprintln(f, base64.StdEncoding.EncodeToString(key))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("make payload key: %w", errors.Join(err, os.Remove(path)))
	}
	return nil
}

// Open reads a key file: keys of 32 bytes in base64, one a line. The first
// encrypts; the others decrypt what was encrypted before the key was changed.
// A file that others may read is refused.
func Open(path string) (*Codec, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("payload key: %w", err)
	}
	if open := info.Mode().Perm() & 0o077; open != 0 {
		return nil, fmt.Errorf("payload key: %s is open to others (mode %#o); chmod 600 it", path, info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("payload key: %w", err)
	}
	c := &Codec{sealers: map[string]cipher.AEAD{}}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(key) != keyBytes {
			return nil, fmt.Errorf("payload key: %s:%d: no key of %d bytes in base64", path, n, keyBytes) // never what stands there
		}
		if err := c.add(key); err != nil {
			return nil, err
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("payload key: %s: %w", path, err)
	}
	if c.current == "" {
		return nil, fmt.Errorf("payload key: %s holds no key", path)
	}
	return c, nil
}

func (c *Codec) add(key []byte) error {
	block, err := aes.NewCipher(key)
	if err != nil {
		return fmt.Errorf("payload key: %w", err)
	}
	sealer, err := cipher.NewGCM(block)
	if err != nil {
		return fmt.Errorf("payload key: %w", err)
	}
	sum := sha256.Sum256(append([]byte("sweep payload key id\x00"), key...))
	id := hex.EncodeToString(sum[:8])
	c.sealers[id] = sealer
	if c.current == "" {
		c.current = id
	}
	return nil
}

// Apply has a client encrypt what it sends and decrypt what it gets.
func (c *Codec) Apply(o *client.Options) {
	o.DataConverter = converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), c)
	o.FailureConverter = temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
		DataConverter: o.DataConverter, EncodeCommonAttributes: true,
	})
}

// Encode implements [converter.PayloadCodec].
func (c *Codec) Encode(payloads []*common.Payload) ([]*common.Payload, error) {
	sealed := make([]*common.Payload, len(payloads))
	for i, p := range payloads {
		plain, err := proto.Marshal(p)
		if err != nil {
			return nil, fmt.Errorf("encrypt payload: %w", err)
		}
		sealer := c.sealers[c.current]
		nonce := make([]byte, sealer.NonceSize())
		if _, err := rand.Read(nonce); err != nil {
			return nil, fmt.Errorf("encrypt payload: %w", err)
		}
		sealed[i] = &common.Payload{
			Metadata: map[string][]byte{converter.MetadataEncoding: []byte(encoding), keyIDField: []byte(c.current)},
			Data:     sealer.Seal(nonce, nonce, plain, []byte(c.current)),
		}
	}
	return sealed, nil
}

// Decode implements [converter.PayloadCodec]. A payload that is not encrypted
// passes as it is: a sweep may have begun before the key was given.
func (c *Codec) Decode(payloads []*common.Payload) ([]*common.Payload, error) {
	plain := make([]*common.Payload, len(payloads))
	for i, p := range payloads {
		if string(p.GetMetadata()[converter.MetadataEncoding]) != encoding {
			plain[i] = p
			continue
		}
		id := string(p.GetMetadata()[keyIDField])
		sealer, known := c.sealers[id]
		if !known || len(p.Data) < sealer.NonceSize() {
			return nil, fmt.Errorf("decrypt payload: %w (%q)", ErrNoKey, id)
		}
		nonce, sealed := p.Data[:sealer.NonceSize()], p.Data[sealer.NonceSize():]
		text, err := sealer.Open(nil, nonce, sealed, []byte(id))
		if err != nil {
			return nil, fmt.Errorf("decrypt payload: it was changed on its way or at the server: %w", err)
		}
		plain[i] = &common.Payload{}
		if err := proto.Unmarshal(text, plain[i]); err != nil {
			return nil, fmt.Errorf("decrypt payload: %w", err)
		}
	}
	return plain, nil
}
