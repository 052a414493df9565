package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"sweep/results"
	"sweep/trainerplugin/dataset"
	"sweep/workflows/spool"
)

// A place is where this command's files are.
type place struct {
	db    string // the results file
	state string // its folder: Temporal's state, trials' files, logs
	data  string // data sets

	checkpoints string // URL of their store; "" is the folders of the trials
	payloadKey  string // file with the key of payloads; "" sends them in the clear
	temporalUI  string // address of a cluster's web pages; "" is the embedded server's own, where one runs
}

const defaultDB = "results.db"

var placeFlags = []cli.Flag{
	&cli.StringFlag{Name: "db", Value: defaultDB, EnvVars: []string{"SWEEP_DB"}, Usage: "results `FILE`; everything else that sweep keeps lies in a folder beside it"},
	&cli.StringFlag{Name: "data-dir", EnvVars: []string{"SWEEP_DATA_DIR"}, Usage: "`FOLDER` of data sets", DefaultText: dataset.DefaultDir()},
}

// connectFlags are on commands that talk to Temporal.
var connectFlags = append([]cli.Flag{
	&cli.StringFlag{Name: "payload-key", EnvVars: []string{"SWEEP_PAYLOAD_KEY"}, Usage: "encrypt what Temporal sees of a sweep with the key in `FILE` (`sweep payload-key FILE` makes one)"},
}, placeFlags...)

// temporalUIFlag is of commands whose pages lead to workflows.
var temporalUIFlag = &cli.StringFlag{
	Name: "temporal-ui", EnvVars: []string{"SWEEP_TEMPORAL_UI"}, DefaultText: "the embedded server's",
	Usage: "`URL` of the cluster's web pages, to which those of trials lead (https://cloud.temporal.io on Temporal Cloud)",
}

func placeOf(c *cli.Context) (place, error) {
	file := c.String("db")
	if file == "" { // SWEEP_DB is set, and empty
		file = defaultDB
	}
	db, err := filepath.Abs(file)
	if err != nil {
		return place{}, err
	}
	data := c.String("data-dir")
	if data == "" {
		data = dataset.DefaultDir()
	}
	if data, err = filepath.Abs(data); err != nil {
		return place{}, err
	}
	ui := c.String(temporalUIFlag.Name)
	if u, err := url.Parse(ui); ui != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		return place{}, usagef("--temporal-ui %s: not the address of a web page; http://temporal.example.org:8080 is one", ui)
	}
	store, err := checkpointStore(c.String(checkpointsFlag.Name))
	return place{
		db: db, state: strings.TrimSuffix(db, ".db") + ".d", data: data,
		checkpoints: store, payloadKey: c.String("payload-key"), temporalUI: ui,
	}, err
}

// spool is where trials leave their files.
func (p place) spool() spool.Folder { return spool.Folder(filepath.Join(p.state, "trials")) }

// record names the results file among those that a cluster may serve.
func (p place) record() string {
	host, _ := os.Hostname() // without one the path alone must do
	sum := sha256.Sum256([]byte(host + "\x00" + p.db))
	return hex.EncodeToString(sum[:6])
}

// there complains if there is no results file, for commands that write to one and
// make none.
func (p place) there() error {
	_, err := os.Stat(p.db)
	return noFile(err)
}

// noFile gives the error of a results file that is not there, or is of an older
// version, its remedy.
func noFile(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return &exitError{exitNotFound, hinted{err, "`sweep start FILE` makes it; --db names another"}}
	}
	if errors.Is(err, results.ErrOlder) {
		return hinted{err, "`sweep recount` does, and prices its trials again"}
	}
	return err
}

// reader opens the results file for reading.
func (p place) reader(ctx context.Context) (*results.Reader, error) {
	r, err := results.OpenReader(ctx, p.db)
	return r, noFile(err)
}
