// Package trainerpb is generated from ../trainer.proto, which is where its
// messages are documented. Run `go generate` in this folder after changing it.
package trainerpb

//go:generate ./generate.sh
