package dataset

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// FetchOptions says how [Fetch] downloads. The zero value is ready to use.
type FetchOptions struct {
	// Progress, if set, is told how a file comes in: at its beginning, ten
	// times a second at most, and when it is whole. Fetch calls it from its own
	// goroutine.
	Progress func(FetchProgress)

	// BaseURL, if set, takes the place of the published addresses: a file is
	// at BaseURL/NAME. What it serves is held to the published digests.
	BaseURL string

	// Client makes the requests; nil is one that waits 30 seconds for an
	// answer's headers. Redirects are followed only to https addresses and
	// to this machine, whatever the client's own policy.
	Client *http.Client

	// Stall is how long a server may send nothing before it is given up; 0 is
	// one minute.
	Stall time.Duration
}

// FetchProgress is how far a download has come.
type FetchProgress struct {
	File      string // name of the file that is coming in
	Number    int    // of the file, from 1
	Files     int    // in the data set
	Done      int64  // bytes of this file that are there, earlier ones included
	Total     int64  // bytes of this file
	Finished  bool   // the file is whole, its digest right
	WasThere  bool   // it was so before
	FromWhere string // address; "" if WasThere
}

// Fetch downloads a published data set's files into its folder below dir. It
// leaves what is there and right; goes on with what an earlier Fetch began
// (NAME.part); tries each address in turn; and gives a file its name only when
// its digest is the published one, so that a file under its own name is whole.
// Files are made with mode 0600, folders with 0700.
//
// A file that is there but is not the published one is an error that wraps
// [ErrDigest]: Fetch overwrites nothing. Names that are no published data set's
// are errors that wrap [ErrUnknown].
func Fetch(ctx context.Context, dir, name string, o FetchOptions) error {
	l := listed(name)
	if l == nil {
		if name == "glyphs" || strings.HasPrefix(name, folderPrefix) {
			return fmt.Errorf("fetch %s: it is not downloaded from anywhere", name)
		}
		return fmt.Errorf("fetch: %w %q", ErrUnknown, name)
	}
	folder := filepath.Join(dir, l.folders[0])
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("fetch %s: %w", name, err)
	}
	for i := range l.files {
		d := &download{file: &l.files[i], path: filepath.Join(folder, l.files[i].name), client: o.client(), options: o}
		d.progress = FetchProgress{File: l.files[i].name, Number: i + 1, Files: len(l.files), Total: l.files[i].size}
		if err := d.fetch(ctx); err != nil {
			return fmt.Errorf("fetch %s: %w", name, err)
		}
	}
	return nil
}

// client is o.Client with our rule for redirects.
func (o FetchOptions) client() *http.Client {
	c := &http.Client{}
	if o.Client != nil {
		*c = *o.Client
	} else if t, ok := http.DefaultTransport.(*http.Transport); ok {
		t = t.Clone()
		t.ResponseHeaderTimeout = 30 * time.Second
		c.Transport = t
	}
	c.CheckRedirect = checkRedirect
	return c
}

// checkRedirect refuses what would take a download off an encrypted connection.
func checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("more than 10 redirects")
	}
	if r.URL.Scheme == "https" || r.URL.Scheme == "http" && isLoopback(r.URL.Hostname()) {
		return nil
	}
	return fmt.Errorf("redirect to %s: only https is followed", r.URL.Redacted())
}

// addresses is where d's file may be had, in the order to try.
func (d *download) addresses() []string {
	if d.options.BaseURL != "" {
		return []string{strings.TrimSuffix(d.options.BaseURL, "/") + "/" + d.file.name}
	}
	return d.file.urls
}
