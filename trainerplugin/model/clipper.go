package model

import (
	"sweep"
	"sweep/trainerplugin/dpsgd"
)

var _ dpsgd.Clipper = (*Engine)(nil)

// Clippings lists the kinds of clipping that e has.
func (e *Engine) Clippings() []sweep.Clipping {
	return []sweep.Clipping{flat, automatic, perLayer}
}
