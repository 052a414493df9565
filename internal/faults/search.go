package faults

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// pieceSize is how much of a key counts as a leak: eight bytes in a row occur
// by chance in n bytes of anything with probability n·keys·2^-64.
const pieceSize = 8

// A Search looks for keys in whatever programs write.
type Search struct{ pieces map[[pieceSize]byte]string }

// Add has the search find the key under a name. Pieces are looked for forwards
// and backwards, since a stack trace prints words with the last byte first.
func (s *Search) Add(name string, key []byte) {
	if s.pieces == nil {
		s.pieces = map[[pieceSize]byte]string{}
	}
	for i := range len(key) - pieceSize + 1 {
		forwards := [pieceSize]byte(key[i:])
		backwards := forwards
		binary.BigEndian.PutUint64(backwards[:], binary.LittleEndian.Uint64(forwards[:]))
		s.pieces[forwards], s.pieces[backwards] = name, name
	}
}

// Find names the keys of which eight bytes or more are in text: as they are, in
// hexadecimal, in base64, or as a list of numbers, as Go and JSON print bytes.
func (s *Search) Find(text []byte) []string {
	found := map[string]bool{}
	s.in(text, "raw", found)
	for _, run := range runs(text, isHex, 2*pieceSize) {
		for _, from := range []int{0, 1} {
			digits := run[from:]
			digits = digits[:len(digits)&^1]
			raw := make([]byte, len(digits)/2)
			if _, err := hex.Decode(raw, digits); err == nil {
				s.in(raw, "hex", found)
			}
		}
	}
	for _, run := range runs(text, isBase64, 11) { // eight bytes
		std := strings.NewReplacer("-", "+", "_", "/").Replace(string(run))
		for from := range min(4, len(std)) {
			part := std[from:]
			if raw, err := base64.RawStdEncoding.DecodeString(part[:len(part)&^3]); err == nil {
				s.in(raw, "base64", found)
			}
			if n := len(part) % 4; n > 1 { // the last bytes of a run that does not end with a whole group
				if raw, err := base64.RawStdEncoding.DecodeString(part); err == nil {
					s.in(raw, "base64", found)
				}
			}
		}
	}
	s.in(numbers(text), "numbers", found)
	var names []string
	for name := range found {
		names = append(names, name)
	}
	return names
}

func (s *Search) in(raw []byte, form string, found map[string]bool) {
	for i := range len(raw) - pieceSize + 1 {
		if name, ok := s.pieces[[pieceSize]byte(raw[i:])]; ok {
			found[name+" in "+form] = true
		}
	}
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func isBase64(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("+/-_", c) >= 0
}

// runs are the longest parts of text of at least so many bytes of a kind.
func runs(text []byte, kind func(byte) bool, least int) (all [][]byte) {
	start := -1
	for i := range len(text) + 1 {
		if i < len(text) && kind(text[i]) {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 && i-start >= least {
			all = append(all, text[start:i])
		}
		start = -1
	}
	return all
}

// numbers reads text as numbers from 0 to 255, decimal or hexadecimal after 0x,
// with anything between them.
func numbers(text []byte) (raw []byte) {
	for i := 0; i < len(text); {
		base := 10
		if text[i] == '0' && i+1 < len(text) && (text[i+1] == 'x' || text[i+1] == 'X') {
			base, i = 16, i+2
		}
		start, n := i, 0
		for ; i < len(text) && i-start < 4; i++ {
			d := strings.IndexByte("0123456789abcdef", text[i]|0x20)
			if text[i] >= '0' && text[i] <= '9' {
				d = int(text[i] - '0')
			}
			if d < 0 || d >= base {
				break
			}
			n = n*base + d
		}
		if i > start && n < 256 {
			raw = append(raw, byte(n))
		}
		if i == start {
			i++
		}
	}
	return raw
}
