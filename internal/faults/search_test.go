package faults

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// Whatever form a key, or eight bytes of it, is written in, it is found there;
// other bytes are not.
func TestSearchFindsEveryForm(t *testing.T) {
	random := rand.NewChaCha8([32]byte{7})
	bytes := func(n int) []byte {
		b := make([]byte, n)
		random.Read(b)
		return b
	}
	key, other := bytes(32), bytes(32)
	var s Search
	s.Add("key", key)
	words := make([]string, 4)
	for i := range words {
		words[i] = fmt.Sprintf("%#x", uint64(key[8*i])|uint64(key[8*i+1])<<8|uint64(key[8*i+2])<<16|uint64(key[8*i+3])<<24|
			uint64(key[8*i+4])<<32|uint64(key[8*i+5])<<40|uint64(key[8*i+6])<<48|uint64(key[8*i+7])<<56)
	}
	numbers, err := json.Marshal(fmt.Sprint(key))
	if err != nil {
		t.Fatal(err)
	}
	for form, text := range map[string]string{
		"raw":                 "abc" + string(key),
		"eight bytes":         "abc" + string(key[11:19]) + "def",
		"hex":                 "key=" + hex.EncodeToString(key),
		"hex in capitals":     strings.ToUpper(hex.EncodeToString(key[3:])),
		"hex after a digit":   "0" + hex.EncodeToString(key[5:13]),
		"base64":              `{"key":"` + base64.StdEncoding.EncodeToString(key) + `"}`,
		"base64 for URLs":     base64.RawURLEncoding.EncodeToString(append([]byte("x"), key...)),
		"base64 within more":  base64.StdEncoding.EncodeToString(append([]byte("xy"), key[20:28]...)),
		"as fmt prints it":    fmt.Sprint(key),
		"as Go source":        fmt.Sprintf("%#v", key),
		"as JSON of fmt's":    string(numbers),
		"words of a register": "goroutine 7:\nmain.f({" + strings.Join(words, ", ") + "})",
	} {
		if len(s.Find([]byte(text))) == 0 {
			t.Errorf("%s: not found in %q", form, text)
		}
		if found := s.Find([]byte(strings.ReplaceAll(text, string(key), string(other)))); form == "raw" && len(found) > 0 {
			t.Errorf("%s: found %v in another key", form, found)
		}
	}
	for _, text := range []string{hex.EncodeToString(other), fmt.Sprint(other), string(bytes(1 << 20)), base64.StdEncoding.EncodeToString(bytes(1 << 18))} {
		if found := s.Find([]byte(text)); len(found) > 0 {
			t.Errorf("found %v where it is not", found)
		}
	}
}
