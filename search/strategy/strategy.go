// Package strategy chooses which points of a search space are tried next, from
// what was tried and what came of it. It knows neither sweep files nor records:
// a point is a vector in the unit cube.
//
// A Strategy is a pure function: the same trials, in the order in which they were
// asked for, are answered by the same points, whoever asks, after however many
// crashes. Nothing is remembered between two calls.
package strategy

import (
	"maps"
	"slices"
)

// A Dim is one coordinate of a space.
type Dim struct {
	Levels    int  // how many values it has; 0 is a range, every number of which is one
	Unordered bool // its levels are names, not numbers: one is as far from another as any
}

// A Space is where points are. Coordinates are from 0 to 1; level k of L is
// (k+½)/L, and a range is covered evenly.
type Space struct {
	Dims []Dim

	// Snap moves a point to the nearest one that can be tried: to levels, to
	// numbers as they are written, to a fixed place where a coordinate has no
	// effect. It reports false if a constraint forbids the point. Snapping
	// twice is snapping once.
	Snap func(Point) (Point, bool)
}

// A Point is a place in a space.
type Point []float64

// An Ask is what a strategy wants to have tried.
type Ask struct {
	At Point

	// Share of the full number of steps; 0 and 1 are all of them. Rungs of
	// successive halving have less.
	Share float64
	// Scale, where it is above 1, divides the batch size and the noise: a cheap
	// stand-in for the point, with no privacy to speak of. See [TAN].
	Scale float64
	// Set overrides values of the point by the names of its axes. See [LinearScaling].
	Set map[string]float64
	// Bracket tells apart the brackets of [Hyperband].
	Bracket int
	// Again asks for one more repeat of a point that was tried, with this many
	// before it; 0 is a point that was not tried.
	Again int
}

// A Tried is an ask that was answered, or is being answered.
type Tried struct {
	Ask
	Done   bool      // it has ended; otherwise it runs, or will
	Values []float64 // accuracies of its repeats; none if it ended without any, and failed
	Budget float64   // the epsilon it meets, for trade-offs; 0 if all points have the same
}

// Value is the mean over repeats; ok is false if there is none.
func (t Tried) Value() (mean float64, ok bool) {
	if !t.Done || len(t.Values) == 0 {
		return 0, false
	}
	for _, v := range t.Values {
		mean += v
	}
	return mean / float64(len(t.Values)), true
}

// A Strategy chooses points. Implementations have no state.
type Strategy interface {
	// Next returns up to n asks, given all that were tried, in the order in
	// which they were asked for. No ask repeats one of the tried. If done is
	// set none will follow, whatever comes of those that still run; if there
	// are none and it is not, Next has to be asked again when one has ended.
	Next(tried []Tried, n int) (asks []Ask, done bool)

	// Most is how many asks there may be in all, or nearly: [ASHA] may make a
	// few more.
	Most() int
}

// Same reports whether both ask for the same trials, repeats aside.
func (a Ask) Same(b Ask) bool {
	return slices.Equal(a.At, b.At) && a.share() == b.share() && a.Scale == b.Scale && a.Bracket == b.Bracket && maps.Equal(a.Set, b.Set)
}

// share is the share of a's steps, 1 if it has all.
func (a Ask) share() float64 {
	if a.Share == 0 {
		return 1
	}
	return a.Share
}
