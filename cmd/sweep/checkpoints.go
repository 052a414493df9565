package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // azblob://
	_ "gocloud.dev/blob/gcsblob"   // gs://
	_ "gocloud.dev/blob/s3blob"    // s3://

	"sweep/workflows/checkpoints"
)

var checkpointsFlag = &cli.StringFlag{
	Name: "checkpoints", EnvVars: []string{"SWEEP_CHECKPOINTS"}, DefaultText: "the trials' own folders",
	Usage: "`URL` of the store of checkpoints: a folder, s3://BUCKET/PREFIX, gs://… or azblob://…; credentials are found as the cloud's own tools find them",
}

// checkpointStore is the address that the command line names, as workers are
// told it: a URL, or "" for the trials' own folders.
func checkpointStore(given string) (string, error) {
	if given == "" {
		return "", nil
	}
	if !strings.Contains(given, "://") {
		folder, err := filepath.Abs(given)
		if err != nil {
			return "", err
		}
		return (&url.URL{Scheme: "file", Path: filepath.ToSlash(folder)}).String(), nil
	}
	u, err := url.Parse(given)
	if err != nil {
		return "", usagef("--checkpoints: %v", err)
	}
	if !blob.DefaultURLMux().ValidBucketScheme(u.Scheme) {
		return "", usagef("--checkpoints %s: there is no store of kind %q; there are %s", given, u.Scheme, strings.Join(blob.DefaultURLMux().BucketSchemes(), ", "))
	}
	if u.Scheme == "file" && (u.Host != "" || !filepath.IsAbs(filepath.FromSlash(u.Path))) {
		return "", usagef("--checkpoints %s: a folder is written file:///PATH, with three slashes, or as its path alone", given)
	}
	return given, nil
}

// tryLimit is how long a store may take to write, read and remove one small
// object. One that is slower keeps no checkpoints.
const tryLimit = time.Minute

// tryCheckpoints finds out before anything runs whether the store can be used.
// A folder is made here, and by no worker: on a worker's own disk it would be
// seen by no other.
func tryCheckpoints(ctx context.Context, address string) error {
	if address == "" {
		return nil
	}
	if u, err := url.Parse(address); err == nil && u.Scheme == "file" {
		if err := os.MkdirAll(filepath.FromSlash(u.Path), 0o700); err != nil {
			return fmt.Errorf("store of checkpoints: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, tryLimit) // the clouds' own libraries may try for ever
	defer cancel()
	store, err := checkpoints.Open(ctx, address)
	if err == nil {
		err = errors.Join(store.Try(ctx), store.Close())
	}
	if err != nil {
		return hinted{fmt.Errorf("store of checkpoints %s: %w", address, err), "--checkpoints and SWEEP_CHECKPOINTS name it; the folder or bucket must exist, and be writable with this environment's credentials"}
	}
	return nil
}
