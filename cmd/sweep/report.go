package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"sweep/results"
	"sweep/results/page"
)

var reportCommand = &cli.Command{
	Name: "report", Usage: "write a sweep as one HTML file, to keep or to pass on", ArgsUsage: "[SWEEP]",
	Description: "The file has the charts and tables of `sweep ui`, all that must be said with them, and the sweep's own file. It needs nothing else and fetches nothing.",
	Flags: append([]cli.Flag{
		temporalUIFlag,
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "report.html", Usage: "`FILE` to write; - is standard output"},
	}, placeFlags...),
	Action: func(c *cli.Context) error {
		return withReader(c, func(p place, r *results.Reader) error {
			info, err := findSweep(c, r)
			if err != nil {
				return err
			}
			site, err := page.New(c.Context, pageOptions(p, r), "127.0.0.1")
			if err != nil {
				return err
			}
			write := func(w io.Writer) error { return site.WriteReport(c.Context, w, string(info.ID)) }
			file := c.String("output")
			if file == "-" {
				return errors.Join(write(c.App.Writer), site.Close())
			}
			if err := errors.Join(writeWhole(file, write), site.Close()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.App.ErrWriter, "wrote %s\n", file)
			return err
		})
	},
}

// writeWhole writes a file of mode 0600 that is whole or not there.
func writeWhole(path string, write func(io.Writer) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails once it is renamed
	if err := errors.Join(write(tmp), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
