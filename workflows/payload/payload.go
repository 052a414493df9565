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
	"slices"
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

// Why a payload is not read.
var (
	// ErrNoKey marks a payload whose key this process does not have.
	ErrNoKey = errors.New("it is encrypted with a payload key that this process was not given (--payload-key, SWEEP_PAYLOAD_KEY)")

	// ErrPlain marks a payload that is not encrypted, where all have to be.
	ErrPlain = errors.New("it is not encrypted, and a process that has a payload key takes only what was sealed with it")
)

// A Codec encrypts payloads with AES-256-GCM, each under a random nonce of 96
// bits; a key is good for 2³² payloads (NIST SP 800-38D, section 8.3). It
// implements [converter.PayloadCodec].
type Codec struct {
	ids     []string               // of the keys, the one that encrypts first
	sealers map[string]cipher.AEAD // by id of key
}

// None is the codec of a process without a key: it sends payloads as they are,
// and says of one that is encrypted what would open it.
func None() *Codec { return &Codec{} }

// KeyIDs name the keys without telling them, the one that encrypts first. There
// are none without a key.
func (c *Codec) KeyIDs() []string { return slices.Clone(c.ids) }

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
// A file that others may read is refused. One that is somebody else's, as a
// mounted secret is root's, may be open to a group: it could not be read otherwise.
func Open(path string) (*Codec, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("payload key: %w", err)
	}
	open := info.Mode().Perm() & 0o077
	if !own(info) {
		open &^= 0o040
	}
	if open != 0 {
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
	if len(c.ids) == 0 {
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
	if _, twice := c.sealers[id]; !twice {
		c.ids = append(c.ids, id)
	}
	c.sealers[id] = sealer
	return nil
}

// Apply has a client encrypt what it sends and decrypt what it gets.
func (c *Codec) Apply(o *client.Options) {
	o.DataConverter = converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), c)
	o.FailureConverter = temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
		DataConverter: o.DataConverter, EncodeCommonAttributes: len(c.ids) > 0,
	})
}

// Encode implements [converter.PayloadCodec].
func (c *Codec) Encode(payloads []*common.Payload) ([]*common.Payload, error) {
	if len(c.ids) == 0 {
		return payloads, nil
	}
	current := c.ids[0]
	sealed := make([]*common.Payload, len(payloads))
	for i, p := range payloads {
		plain, err := proto.Marshal(p)
		if err != nil {
			return nil, fmt.Errorf("encrypt payload: %w", err)
		}
		sealer := c.sealers[current]
		nonce := make([]byte, sealer.NonceSize())
		if _, err := rand.Read(nonce); err != nil {
			return nil, fmt.Errorf("encrypt payload: %w", err)
		}
		sealed[i] = &common.Payload{
			Metadata: map[string][]byte{converter.MetadataEncoding: []byte(encoding), keyIDField: []byte(current)},
			Data:     sealer.Seal(nonce, nonce, plain, []byte(current)),
		}
	}
	return sealed, nil
}

// Decode implements [converter.PayloadCodec]. With a key it takes nothing that
// is not encrypted: what a worker is told decides which program it runs, and who
// runs the server must not be able to tell it.
func (c *Codec) Decode(payloads []*common.Payload) ([]*common.Payload, error) {
	plain := make([]*common.Payload, len(payloads))
	for i, p := range payloads {
		if string(p.GetMetadata()[converter.MetadataEncoding]) != encoding {
			if len(c.ids) > 0 {
				return nil, fmt.Errorf("read payload: %w", ErrPlain)
			}
			plain[i] = p
			continue
		}
		id := string(p.GetMetadata()[keyIDField])
		sealer, known := c.sealers[id]
		if !known || len(p.Data) < sealer.NonceSize() {
			return nil, fmt.Errorf("decrypt payload: %w: key %q", ErrNoKey, id)
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
