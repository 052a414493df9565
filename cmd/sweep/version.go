package main

import (
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/urfave/cli/v2"

	"sweep/privacy"
	"sweep/trainerplugin/kernel"
)

// release is this program's version; the linker may set it.
var release = "0.1.0-dev"

// told are the libraries whose versions matter to a result.
var told = []string{
	"go.temporal.io/sdk", "go.temporal.io/server", "gorgonia.org/gorgonia", "github.com/mattn/go-sqlite3",
	"github.com/hashicorp/go-plugin", "gonum.org/v1/gonum",
}

var versionCommand = &cli.Command{
	Name:  "version",
	Usage: "print the versions of sweep and of what its results depend on",
	Flags: []cli.Flag{outputFlag},
	Action: func(c *cli.Context) error {
		all := versions()
		l := listing{headings: []string{"part", "version"}, json: map[string]any{"schema": 1, "versions": all}}
		for _, name := range slices.Sorted(maps.Keys(all)) {
			l.rows = append(l.rows, []any{name, all[name]})
		}
		return l.print(c)
	},
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return fmt.Sprintf("%s+%.12s", release, s.Value)
		}
	}
	return release
}

// versions names what read a file or trained a model, for the record.
func versions() map[string]string {
	all := map[string]string{
		"sweep": version(), "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
		"kernels": kernel.Path(), "accountant": privacy.Certified.Version(),
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return all
	}
	for _, m := range info.Deps {
		if slices.Contains(told, m.Path) {
			all[m.Path] = m.Version
		}
	}
	return all
}
