// Package model holds the architectures, each written as its paper defines it,
// and the engine that differentiates them on the CPU: per-example gradients,
// clipped and summed, with any number of threads and the same bits for each.
package model

import (
	"errors"
	"fmt"
	"strings"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/op"
)

// ErrUnknown marks a name that no architecture has.
var ErrUnknown = errors.New("unknown model")

// An Input is what a model classifies: images of Height × Width pixels with
// Channels numbers each, into Classes classes.
type Input struct{ Height, Width, Channels, Classes int }

func (in Input) check() error {
	if min(in.Height, in.Width, in.Channels) < 1 {
		return fmt.Errorf("images of %d×%d×%d (height × width × channels) are empty", in.Height, in.Width, in.Channels)
	}
	if in.Classes < 2 {
		return fmt.Errorf("%d classes; at least 2 are needed", in.Classes)
	}
	return nil
}

// pixels is the count of numbers in one image.
func (in Input) pixels() int { return in.Height * in.Width * in.Channels }

// An architecture builds the graph from images to logits.
type architecture struct {
	name  string
	about string // one line: source and size
	build func(b *op.Builder, images *G.Node, classes int) *G.Node

	frozen []selection // layers that are not trained
}

// architectures is sorted by name. Wide ResNets of other sizes have names too;
// see wideResNet.
var architectures = []architecture{
	linear, nfResNet50, newNFNet(0), newNFNet(1), newNFNet(2), newNFNet(3), tanhCNN, tanhCIFAR, tanhCIFARSmall,
	newWideResNet(16, 4), newWideResNet(28, 10), newWideResNet(40, 4),
}

// Names lists models that [New] knows, sorted. It knows wide ResNets of every
// depth and width besides, by names like these.
func Names() []string {
	names := make([]string, len(architectures))
	for i, a := range architectures {
		names[i] = a.name
	}
	return names
}

// Check says whether name is a model's; see [New].
func Check(name string) error {
	_, err := find(name)
	return err
}

// find returns the named architecture; its error wraps [ErrUnknown] and says
// what there is.
func find(name string) (architecture, error) {
	for _, a := range architectures {
		if a.name == name {
			return a, nil
		}
	}
	if a, ok, err := wideResNet(name); ok {
		return a, err
	}
	hint := ""
	if near := nearest(name, Names()); near != "" {
		hint = fmt.Sprintf("did you mean %q? ", near)
	}
	return architecture{}, fmt.Errorf("%w %q; %sthe models are %s, and wrn-DEPTH-WIDTH of other sizes", ErrUnknown, name, hint, strings.Join(Names(), ", "))
}

// nearest is the candidate that takes the fewest edits to reach from name, or
// "" if none is near.
func nearest(name string, candidates []string) string {
	best, edits := "", 1+len(name)/3
	for _, c := range candidates {
		if d := distance(strings.ToLower(name), c); d <= edits && (best == "" || d < edits) {
			best, edits = c, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
