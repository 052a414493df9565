package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"sweep/workflows/payload"
)

var payloadKeyCommand = &cli.Command{
	Name: "payload-key", Usage: "make a key that hides sweeps from a shared Temporal cluster", ArgsUsage: "FILE",
	Description: `Writes a key of 256 bits to FILE, mode 0600. Give it to every process of a sweep, by
--payload-key FILE or SWEEP_PAYLOAD_KEY: then Temporal stores what it is told encrypted
(AES-256-GCM), workflows are named without hyper-parameters, and search attributes stay empty.
A process with a key takes nothing that was not sealed with it, and one with another key, or
none, is asked for no trial.

To change the key put a new one above the old in the file: the first encrypts, all decrypt.
Temporal's UI shows such a sweep as ciphertext; ` + "`sweep status`" + ` and the results file do not need the key.`,
	Action: func(c *cli.Context) error {
		if c.NArg() != 1 {
			return usagef("payload-key wants the file to write, and was given %d arguments", c.NArg())
		}
		file := c.Args().First()
		if err := payload.NewKeyFile(file); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.App.ErrWriter, "wrote %s; copy it to every machine of the sweep, and keep it from others\n", file)
		return err
	},
}
