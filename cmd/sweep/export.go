package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"sweep/results"
	"sweep/results/export"
)

var exportCommand = &cli.Command{
	Name: "export", Usage: "write a sweep's trials and curves for other tools", ArgsUsage: "[SWEEP]",
	Description: `Tables, to standard output or --out:
    sweep export --format csv                       a line for each trial
    sweep export --format parquet --what curves --out curves.parquet
Folders, which --out names and which must not exist yet:
    sweep export --format mlflow --out mlruns       then: MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri mlruns
                                                    (or mlflow migrate-filestore, into its database)
    sweep export --format tensorboard --out runs    then: tensorboard --logdir runs

What is written is a copy: the record stays what counts. A file or folder appears whole or not at all.`,
	Flags: append([]cli.Flag{
		&cli.StringFlag{Name: "format", Aliases: []string{"f"}, Value: "csv", Usage: "csv, jsonl, parquet, mlflow or tensorboard"},
		&cli.StringFlag{Name: "what", Value: "trials", Usage: "of a table: trials, or curves, all that was measured while they trained"},
		&cli.StringFlag{Name: "out", Value: "-", Usage: "`FILE` or folder to write; - is standard output"},
	}, placeFlags...),
	Action: func(c *cli.Context) error {
		return withReader(c, func(_ place, r *results.Reader) error {
			info, err := findSweep(c, r)
			if err != nil {
				return err
			}
			return exportSweep(c, r, info)
		})
	},
}

func exportSweep(c *cli.Context, r *results.Reader, info results.SweepInfo) error {
	ctx, format, out := c.Context, c.String("format"), c.String("out")
	switch format {
	case "csv", "jsonl", "parquet":
		write, err := tableWriter(ctx, r, info, format, c.String("what"))
		if err != nil {
			return err
		}
		if out == "-" {
			return write(c.App.Writer)
		}
		return writeWhole(out, write)
	case "mlflow":
		return wholeFolder(out, func(dir, home string) error { return export.MLflow(ctx, r, info, dir, home) })
	case "tensorboard":
		return wholeFolder(out, func(dir, _ string) error { return export.TensorBoard(ctx, r, info.ID, dir) })
	}
	return usagef("--format %s: the formats are csv, jsonl, parquet, mlflow and tensorboard", format)
}

func tableWriter(ctx context.Context, r *results.Reader, info results.SweepInfo, format, what string) (func(io.Writer) error, error) {
	switch what {
	case "trials":
		return func(w io.Writer) error { return writeTable(w, format, export.Rows(ctx, r, info.ID)) }, nil
	case "curves":
		return func(w io.Writer) error { return writeTable(w, format, export.Curves(ctx, r, info.ID)) }, nil
	}
	return nil, usagef("--what %s: there are trials and curves", what)
}

func writeTable[T any](w io.Writer, format string, rows iter.Seq2[T, error]) error {
	switch format {
	case "csv":
		return export.CSV(w, rows)
	case "jsonl":
		return export.JSONLines(w, rows)
	}
	return export.Parquet(w, rows)
}

// wholeFolder makes a folder that is whole or not there.
func wholeFolder(path string, fill func(dir, home string) error) error {
	if path == "-" {
		return usagef("--out: this format is a folder; name one that is not there yet")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("--out %s: it is there already; name a folder that is not, or remove it", path)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp) // finds nothing once it is renamed
	if err := fill(tmp, path); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
