package main

import (
	"context"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

const description = `sweep trains a grid of differentially private image classifiers (DP-SGD as in De et al.
2022) and prints how accurate they are at each epsilon. A YAML file names the grid, Temporal
workflows run every trial exactly once, and one SQLite file records what was done.

Start with:   sweep start sweeps/quickstart.yaml

Exit codes: 0 all trials completed · 1 internal error · 2 wrong usage or file · 3 interrupted ·
4 finished with failed trials · 5 refused by the privacy budget · 6 not found`

// run is main without the process: arguments in, exit status out.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app := newApp(stdout, stderr)
	if err := app.RunContext(ctx, flagsFirst(app, args)); err != nil {
		complain(stderr, err)
		return status(err)
	}
	return exitOK
}

func newApp(stdout, stderr io.Writer) *cli.App {
	app := &cli.App{
		Name: "sweep", Usage: "the epsilon/accuracy frontier of private image classification, and what it cost",
		Description: description, Version: version(), HideVersion: true, Suggest: true, EnableBashCompletion: true,
		Writer: stdout, ErrWriter: stderr,
		ExitErrHandler: func(*cli.Context, error) {}, // run prints errors and chooses the status
		OnUsageError:   usageError,
		CommandNotFound: func(c *cli.Context, name string) {
			// Reached only through help; as a verb an unknown name is an error below.
		},
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return cli.ShowAppHelp(c)
			}
			return usagef("%q is no command; `sweep help` lists them", c.Args().First())
		},
	}
	app.Commands = []*cli.Command{
		startCommand, planCommand, statusCommand, listCommand, trialsCommand, bestCommand, frontierCommand, compareCommand, queryCommand, exportCommand, importCommand, watchCommand, uiCommand, reportCommand, waitCommand,
		pauseCommand, resumeCommand, stopCommand, cancelCommand, setCommand, retryCommand, extendCommand, budgetCommand,
		logsCommand, payloadKeyCommand,
		workerCommand, serverCommand, accountCommand, recountCommand, verifyCommand, auditCommand, dataCommand, trainersCommand, recipesCommand, schemaCommand, doctorCommand, versionCommand,
	}
	for _, command := range app.Commands {
		command.OnUsageError = usageError
		for _, sub := range command.Subcommands {
			sub.OnUsageError = usageError
		}
	}
	return app
}

func usageError(_ *cli.Context, err error, _ bool) error { return &exitError{exitUsage, err} }

// flagsFirst moves a verb's flags before its arguments, which is where the
// library wants them: people write `sweep frontier ID -o json`.
func flagsFirst(app *cli.App, args []string) []string {
	if len(args) < 3 {
		return args
	}
	command := app.Command(args[1])
	at := 2
	if command != nil {
		if sub := command.Command(args[2]); sub != nil {
			command, at = sub, 3
		}
	}
	if command == nil {
		return args
	}
	flags, rest := args[:at:at], []string{}
	for i := at; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "--":
			return append(append(flags, rest...), args[i+1:]...)
		case !strings.HasPrefix(arg, "-") || arg == "-":
			rest = append(rest, arg)
		default:
			flags = append(flags, arg)
			if takesValue(command, arg) && i+1 < len(args) {
				i++
				flags = append(flags, args[i])
			}
		}
	}
	return append(flags, rest...)
}

// takesValue reports whether arg, a flag of the command, has its value in the
// next argument.
func takesValue(command *cli.Command, arg string) bool {
	name := strings.TrimLeft(arg, "-")
	if strings.Contains(name, "=") {
		return false
	}
	for _, flag := range command.Flags {
		for _, n := range flag.Names() {
			if n == name {
				_, boolean := flag.(*cli.BoolFlag)
				return !boolean
			}
		}
	}
	return false
}
