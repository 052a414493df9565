package dpsgd

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"sweep"
	"sweep/trainerplugin"
)

// NIST SP 800-38A, F.5.5 (CTR-AES256.Encrypt): key, counter, plaintext and
// ciphertext of the first two blocks. The published counter is not at a place
// that [generator.at] reaches by block number, so its low half is entered here.
func TestGeneratorIsAESCounterMode(t *testing.T) {
	key, _ := hex.DecodeString("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
	counter, _ := hex.DecodeString("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
	plain, _ := hex.DecodeString("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
	cipher, _ := hex.DecodeString("601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5")
	g := newGenerator(key)
	for i := range 2 {
		block := make([]byte, 16)
		c := bytes.Clone(counter)
		if i == 1 { // the counter's last byte overflows into the one before
			c[15], c[14] = 0, 0xff
			c[14]++
			binary.BigEndian.PutUint64(c[8:], binary.BigEndian.Uint64(counter[8:])+1)
		}
		g.block.Encrypt(block, c)
		for j := range block {
			block[j] ^= plain[16*i+j]
		}
		if !bytes.Equal(block, cipher[16*i:16*i+16]) {
			t.Errorf("block %d is %x", i, block)
		}
	}
	// Entered at block b, the stream is the encryption of b, b+1, … (section 6.5).
	for _, first := range []uint64{0, 1, 255, 1<<40 + 3, 1<<64 - 1} {
		got, want := make([]byte, 16), make([]byte, 16)
		g.at(first).XORKeyStream(got, got)
		binary.BigEndian.PutUint64(want[8:], first)
		g.block.Encrypt(want, want)
		if !bytes.Equal(got, want) {
			t.Errorf("stream at block %d begins %x, want %x", first, got, want)
		}
	}
}

// RFC 5869 by hand: extract, then one round of expand. The hand is first held
// against the RFC's test case 1.
func TestKeysAreHKDF(t *testing.T) {
	mac := func(key []byte, parts ...[]byte) []byte {
		h := hmac.New(sha256.New, key)
		for _, p := range parts {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	byHand := func(input, salt, info []byte) []byte { return mac(mac(salt, input), info, []byte{1}) }

	salt, _ := hex.DecodeString("000102030405060708090a0b0c")
	info, _ := hex.DecodeString("f0f1f2f3f4f5f6f7f8f9")
	published := "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
	if got := byHand(bytes.Repeat([]byte{0x0b}, 22), salt, info); hex.EncodeToString(got) != published {
		t.Fatalf("RFC 5869, case 1: got %x", got)
	}
	input := bytes.Repeat([]byte{7}, secretSize)
	s := keepSecret(input)
	want := byHand(input, []byte("sweep/dpsgd/1"), []byte("noise\x00\x00\x00\x00\x00\x00\x00\x01\x02"))
	if got := s.key(forNoise, 258); !bytes.Equal(got, want) {
		t.Errorf("noise key of step 258 is %x, want %x", got, want)
	}
	if got, want := s.noiseID(), byHand(input, []byte("sweep/dpsgd/1"), []byte("name"))[:16]; got != hex.EncodeToString(want) {
		t.Errorf("noise id is %s, want %x", got, want)
	}
}

func TestKeysDiffer(t *testing.T) {
	seen := map[string]string{}
	for seed := range uint64(3) {
		s := newSecret(sweep.Params{NoiseFrom: sweep.Seeded, Seed: seed})
		for _, label := range []string{forNoise, forSampling} {
			for step := range 300 {
				name, key := fmt.Sprint(seed, label, step), string(s.key(label, step))
				if other, ok := seen[key]; ok {
					t.Fatalf("%s and %s have one key", name, other)
				}
				seen[key] = name
			}
		}
	}
}

func TestSeededSecretsRepeat(t *testing.T) {
	a, _ := run(t, job(t, nil))
	b, _ := run(t, job(t, nil))
	if a.WeightsDigest != b.WeightsDigest {
		t.Error("one seed, two outcomes")
	}
}

func TestSecureSecretsNeverRepeat(t *testing.T) {
	ids, weights := map[string]bool{}, map[string]bool{}
	for range 5 {
		o, events := run(t, job(t, func(j *trainerplugin.Job) { j.Params.NoiseFrom = sweep.Secure }))
		ids[events[0].(trainerplugin.Started).NoiseID] = true
		weights[o.WeightsDigest] = true
	}
	if len(ids) != 5 || len(weights) != 5 {
		t.Errorf("5 attempts had %d noise ids and %d outcomes", len(ids), len(weights))
	}
}

func TestSecretsFormatAsPlaceholder(t *testing.T) {
	s := keepSecret([]byte("0123456789abcdef0123456789abcdef"))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%08b"} {
		if got := fmt.Sprintf(verb, s); got != "[secret]" {
			t.Errorf("%s prints %s", verb, got)
		}
		for _, holder := range []any{state{secret: s}, &loop{state: &state{secret: s}}} {
			for form, text := range forms(s.bytes()) {
				if got := fmt.Sprintf(verb, holder); strings.Contains(got, text) {
					t.Errorf("%s of %T shows the secret in %s", verb, holder, form)
				}
			}
		}
	}
}

// forms are the shapes in which a secret might be written.
func forms(s []byte) map[string]string {
	f := map[string]string{
		"raw":        string(s),
		"hex":        hex.EncodeToString(s),
		"HEX":        strings.ToUpper(hex.EncodeToString(s)),
		"base64":     strings.TrimRight(base64.StdEncoding.EncodeToString(s), "="),
		"base64 url": strings.TrimRight(base64.URLEncoding.EncodeToString(s), "="),
		"decimal":    strings.Trim(fmt.Sprint(s), "[]"),
	}
	for i := 0; i < len(s); i += 8 { // as a stack trace would show it
		f[fmt.Sprint("word ", i/8)] = fmt.Sprintf("%x", binary.LittleEndian.Uint64(s[i:]))
	}
	return f
}

// A secure trial is stopped, damaged, resumed and crashed; nothing that leaves
// it holds its secret or a key of a step, save the checkpoint.
func TestSecretStaysInTheCheckpoint(t *testing.T) {
	j := job(t, func(j *trainerplugin.Job) { j.Params.NoiseFrom, j.CheckpointEvery = sweep.Secure, 1 })
	var said strings.Builder
	events, err := stopAt(t, j, 3)
	fmt.Fprintf(&said, "%v %+v %#v\n", err, err, err)

	last := filepath.Join(j.Dir, checkpointName(3))
	whole, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	key := secretIn(t, whole)
	if err := os.WriteFile(last, whole[:len(whole)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	_, more := run(t, j)
	for _, e := range append(events, more...) {
		text, err := json.Marshal(e)
		fmt.Fprintf(&said, "%s %v %+v %#v\n", text, err, e, e)
	}
	said.WriteString(crash(t, j))

	secrets := map[string][]byte{"secret": key}
	for step := 1; step <= j.Params.Steps; step++ {
		secrets[fmt.Sprint("noise key of step ", step)] = keepSecret(key).key(forNoise, step)
		secrets[fmt.Sprint("sampling key of step ", step)] = keepSecret(key).key(forSampling, step)
	}
	for name, s := range secrets {
		for form, text := range forms(s) {
			if strings.Contains(said.String(), text) {
				t.Errorf("%s is said in %s", name, form)
			}
		}
	}
	if !strings.Contains(string(whole), string(key)) {
		t.Error("the search would not find the secret where it is")
	}
	found := 0
	err = filepath.WalkDir(j.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		found++
		if info, err := entry.Info(); err != nil || info.Mode() != 0o600 || !strings.HasSuffix(path, ".ckpt") {
			t.Errorf("%s: mode %v, error %v; want checkpoints of mode 0600 only", path, info.Mode(), err)
		}
		return nil
	})
	if err != nil || found == 0 {
		t.Errorf("%d files, error %v", found, err)
	}
}

// crash returns the stack of an attempt whose engine panics in a step.
func crash(t *testing.T, j trainerplugin.Job) (stack string) {
	defer func() { stack = fmt.Sprint(recover(), string(debug.Stack())) }()
	l := opened(t, j, blobs())
	l.engine = panics{small}
	_, err := l.update(t.Context())
	t.Errorf("no panic, error %v", err)
	return ""
}

type panics struct{ Engine }

func (panics) ClippedSum(context.Context, []float32, Batch, float64, []float32) (GradStats, error) {
	panic("out of registers")
}

// secretIn finds the secret as FORMAT.md places it.
func secretIn(t *testing.T, file []byte) []byte {
	t.Helper()
	at := 16 + binary.LittleEndian.Uint32(file[12:])
	return bytes.Clone(file[at : at+32])
}

func BenchmarkStream(b *testing.B) {
	buf := make([]byte, 32<<10)
	b.Run("aes-256-ctr", func(b *testing.B) {
		g := newGenerator(make([]byte, 32))
		b.SetBytes(int64(len(buf)))
		for b.Loop() {
			g.at(0).XORKeyStream(buf, buf)
		}
	})
	b.Run("chacha8", func(b *testing.B) {
		c := rand.NewChaCha8([32]byte{})
		b.SetBytes(int64(len(buf)))
		for b.Loop() {
			c.Read(buf) // never fails
		}
	})
}
