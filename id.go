package sweep

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
)

// A TrialID names a trial for ever: 20 hexadecimal digits of a digest of its
// Params. A retried activity or a repeated `sweep start` finds the row it left.
type TrialID string

// A PointID names a point of the grid: the digest of its Params without seed.
// Repeats of one point differ only in their seed.
type PointID string

// ID is the trial's name. It depends on the values alone: 1e-3 and 0.001 are
// the same learning rate, and the order in which a file lists its keys is nothing.
func (p Params) ID() TrialID {
	p.Init.File = ""
	return TrialID(Digest("trial", p)[:20])
}

// Point is the name that all repeats of p share.
func (p Params) Point() PointID {
	p.Seed, p.Init.File = 0, ""
	return PointID(Digest("point", p)[:20])
}

// WithRepeat returns p with the seed of its r-th repeat, counted from 0. Seeds
// derive from the point, so that adding repeats or points changes no other
// trial. They stay below 2^53, where every JSON reader keeps them exact.
func (p Params) WithRepeat(r int) Params {
	sum := sha256.Sum256([]byte("sweep/seed/1\n" + string(p.Point()) + "\n" + strconv.Itoa(r)))
	p.Seed = binary.BigEndian.Uint64(sum[:8]) >> 11
	return p
}

// WithOwnRepeat is WithRepeat for a sweep whose seeds are its own, so that no
// trial of another sweep is one of its.
func (p Params) WithOwnRepeat(owner SweepID, r int) Params {
	sum := sha256.Sum256([]byte("sweep/own-seed/1\n" + string(owner) + "\n" + string(p.Point()) + "\n" + strconv.Itoa(r)))
	p.Seed = binary.BigEndian.Uint64(sum[:8]) >> 11
	return p
}

// Digest is the SHA-256, in hex, of v's JSON form under a kind that keeps
// digests of different things apart. Go prints struct fields in order, map keys
// sorted and floats in their shortest exact form, so equal values have equal
// digests. It panics if v has no JSON form (NaN, channels), which no checked
// value has.
func Digest(kind string, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("sweep: digest of %s: %v", kind, err))
	}
	sum := sha256.Sum256(append([]byte("sweep/"+kind+"/1\n"), text...))
	return hex.EncodeToString(sum[:])
}
