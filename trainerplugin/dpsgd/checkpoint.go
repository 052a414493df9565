package dpsgd

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"

	"sweep"
)

// FORMAT.md draws the file byte by byte.
const (
	magic         = "sweepckp"
	formatVersion = 2
	oldestVersion = 1       // has no moments; its trials had none
	maxHeader     = 1 << 20 // bytes of JSON; a network of a thousand tensors needs 50 kB
)

// An identity says which trial a checkpoint belongs to. A checkpoint with
// another identity is of no use, whole as it may be.
type identity struct {
	Trial   sweep.TrialID `json:"trial"`
	Params  string        `json:"params"`            // digest of the trial's Params, in hex
	Data    string        `json:"data"`              // digest of the examples, labels and split
	Tensors []Tensor      `json:"tensors"`           // the engine's layout
	Moments []string      `json:"moments,omitempty"` // what the optimizer keeps of each weight
}

// header is what a checkpoint says before its secret and its tensors.
type header struct {
	identity
	Step      int     `json:"step"`
	NoiseID   string  `json:"noise_id"`
	NonFinite int64   `json:"non_finite"`
	Seconds   float64 `json:"seconds"`
	Program   string  `json:"program,omitempty"` // what computed it
}

// encode writes s as a checkpoint and returns the digest of all it wrote.
func encode(w io.Writer, id identity, s *state) (digest string, err error) {
	h := sha256.New()
	out := io.MultiWriter(w, h)
	text, err := json.Marshal(header{id, s.step, s.secret.noiseID(), s.nonFinite, s.seconds, s.program})
	if err != nil {
		return "", fmt.Errorf("encode header: %w", err)
	}
	text = padTo8(text)
	if len(text) > maxHeader {
		return "", fmt.Errorf("encode header: %d bytes, more than %d", len(text), maxHeader)
	}
	start := append([]byte(magic), 0, 0, 0, 0, 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(start[8:], formatVersion)
	binary.LittleEndian.PutUint32(start[12:], uint32(len(text)))
	start = append(append(start, text...), s.secret.bytes()...)
	start = binary.LittleEndian.AppendUint64(start, uint64(safetensorsSize(id)))
	if _, err := out.Write(start); err != nil {
		return "", err
	}
	if err := writeSafetensors(out, id, s); err != nil {
		return "", err
	}
	if _, err := out.Write(h.Sum(nil)); err != nil {
		return "", err
	}
	return digestString(h), nil
}

// verify reads a whole checkpoint of the given size and compares the SHA-256
// at its end with that of the rest.
func verify(r io.Reader, size int64) error {
	h := sha256.New()
	if _, err := io.CopyN(h, r, size-sha256.Size); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	var stored [sha256.Size]byte
	if _, err := io.ReadFull(r, stored[:]); err != nil {
		return fmt.Errorf("read digest: %w", err)
	}
	if !bytes.Equal(h.Sum(nil), stored[:]) {
		return errors.New("its SHA-256 is not the one at its end: it is damaged or was cut short")
	}
	return nil
}

// decode reads a checkpoint that must belong to id. What it allocates is
// bounded by id's layout and [maxHeader], whatever r says.
func decode(r io.Reader, id identity) (*state, error) {
	h, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	if err := id.compare(h.identity); err != nil {
		return nil, err
	}
	if h.Step < 0 || h.NonFinite < 0 || h.Seconds < 0 {
		return nil, fmt.Errorf("header counts step %d, non_finite %d, seconds %g; none may be negative", h.Step, h.NonFinite, h.Seconds)
	}
	s := &state{step: h.Step, secret: keepSecret(make([]byte, secretSize)), nonFinite: h.NonFinite, seconds: h.Seconds, program: h.Program}
	if _, err := io.ReadFull(r, s.secret.bytes()); err != nil {
		return nil, fmt.Errorf("read secret: %w", err)
	}
	if s.secret.noiseID() != h.NoiseID {
		return nil, errors.New("noise_id in the header is not that of the secret")
	}
	var size uint64
	if err := binary.Read(r, binary.LittleEndian, &size); err != nil {
		return nil, fmt.Errorf("read length of tensors: %w", err)
	}
	if want := safetensorsSize(id); size != uint64(want) {
		return nil, fmt.Errorf("tensors have %d bytes; this model's have %d", size, want)
	}
	n := 0
	for _, t := range id.Tensors {
		n += t.Size()
	}
	s.weights, s.ema = make([]float32, n), make([]float64, n)
	s.moments = make([][]float32, len(id.Moments))
	for i := range s.moments {
		s.moments[i] = make([]float32, n)
	}
	return s, readSafetensors(r, id, s)
}

// readHeader reads up to the secret.
func readHeader(r io.Reader) (h header, err error) {
	var start [16]byte
	if _, err := io.ReadFull(r, start[:]); err != nil {
		return h, fmt.Errorf("read start: %w", err)
	}
	if string(start[:8]) != magic {
		return h, errors.New("it does not begin like a checkpoint")
	}
	if v := binary.LittleEndian.Uint32(start[8:]); v < oldestVersion || v > formatVersion {
		return h, fmt.Errorf("format version is %d; this program reads %d to %d", v, oldestVersion, formatVersion)
	}
	length := binary.LittleEndian.Uint32(start[12:])
	if length > maxHeader {
		return h, fmt.Errorf("header has %d bytes, more than %d", length, maxHeader)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return h, fmt.Errorf("read header: %w", err)
	}
	if err := json.Unmarshal(text, &h); err != nil {
		return h, fmt.Errorf("read header: %w", err)
	}
	return h, nil
}

// compare says in what got differs from id, if it does.
func (id identity) compare(got identity) error {
	switch {
	case got.Trial != id.Trial:
		return fmt.Errorf("it belongs to trial %.80q", got.Trial)
	case got.Params != id.Params:
		return errors.New("its trial had other parameters")
	case got.Data != id.Data:
		return fmt.Errorf("it was trained on data with digest %.80q, and the data now have %q", got.Data, id.Data)
	case !reflect.DeepEqual(got.Tensors, id.Tensors):
		return errors.New("its model has another layout of weights")
	case !slices.Equal(got.Moments, id.Moments):
		return fmt.Errorf("its optimizer kept %.80q, and this one keeps %q", got.Moments, id.Moments)
	}
	return nil
}
