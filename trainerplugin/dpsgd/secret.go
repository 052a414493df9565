package dpsgd

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"

	"sweep"
)

// secretSize is the length of a trial's secret in bytes: as long as the
// AES-256 keys that are derived from it.
const secretSize = 32

// Labels keep the keys derived from one secret apart.
const (
	forSampling = "sampling" // one key for each step
	forNoise    = "noise"    // one key for each step, of this package's own generator
	forDevice   = "device"   // one key for each step, of the generator of a [Stepper]'s noise
	forName     = "name"     // the public name; not a key
)

// A secret is what a trial's batches and noise derive from. Whoever has it can
// subtract the noise, so it is as sensitive as the data. By itself it formats
// as a placeholder. Package fmt cannot know that of an unexported field, and
// would show a slice there, or what a pointer leads to, and the stack trace of
// a crash shows arrays that are passed by value; a pointer to a pointer is
// shown by nobody as more than an address.
type secret struct{ cell **[secretSize]byte }

// keepSecret makes a secret of secretSize bytes, which it keeps.
func keepSecret(b []byte) secret {
	p := (*[secretSize]byte)(b)
	return secret{&p}
}

func (s secret) bytes() []byte { return (*s.cell)[:] }

// newSecret returns the secret of a trial that starts afresh: drawn from the
// operating system's generator where p asks for [sweep.Secure], derived from
// p.Seed where it asks for [sweep.Seeded].
func newSecret(p sweep.Params) secret {
	if p.NoiseFrom == sweep.Seeded {
		seed := binary.BigEndian.AppendUint64(nil, p.Seed)
		return keepSecret(expand(seed, "seeded secret", secretSize))
	}
	s := keepSecret(make([]byte, secretSize))
	rand.Read(s.bytes()) // never fails: see crypto/rand
	return s
}

// key returns the AES-256 key for one purpose at one step.
func (s secret) key(label string, step int) []byte {
	info := binary.BigEndian.AppendUint64([]byte(label+"\x00"), uint64(step))
	return expand(s.bytes(), string(info), 32)
}

// noiseID is the public name of s's streams: 128 bits that equal another
// secret's with probability 2^-128. HKDF is one-way, so it tells nothing of s.
func (s secret) noiseID() string { return hex.EncodeToString(expand(s.bytes(), forName, 16)) }

// expand is HKDF-SHA256 (RFC 5869) under this package's salt.
func expand(input []byte, info string, size int) []byte {
	key, err := hkdf.Key(sha256.New, input, []byte("sweep/dpsgd/1"), info, size)
	if err != nil {
		panic(fmt.Sprintf("dpsgd: derive key: %v", err)) // only for sizes over 255 digests
	}
	return key
}

// Format writes a placeholder whatever the verb, so that no message, log or
// panic shows a secret by accident.
func (s secret) Format(f fmt.State, _ rune) { io.WriteString(f, "[secret]") }
