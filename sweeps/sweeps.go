// Package sweeps holds sweep files that are ready to run. They travel in the
// binary, so that a fresh machine has something to start.
package sweeps

import "embed"

// FS has the sweep files, "quickstart.yaml" among them.
//
//go:embed *.yaml
var FS embed.FS
