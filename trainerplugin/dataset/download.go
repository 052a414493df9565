package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// attempts is how often one address is tried as long as each try brings bytes.
const attempts = 5

// A download brings in one published file.
type download struct {
	file     *published
	path     string // where it goes; until it is whole, path + ".part"
	client   *http.Client
	options  FetchOptions
	progress FetchProgress
	told     time.Time // when progress was last told
}

// fetch makes sure that the file is at its path.
func (d *download) fetch(ctx context.Context) error {
	if there := firstFile(d.path, strings.TrimSuffix(d.path, ".gz")); there != "" && (there == d.path || d.file.raw != "") {
		if _, err := d.file.check(ctx, there); err != nil {
			return fmt.Errorf("%w; move it away to have it downloaded", err)
		}
		d.progress.Done, d.progress.Finished, d.progress.WasThere = d.file.size, true, true
		d.tell()
		return nil
	}
	part, err := os.OpenFile(d.path+".part", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer part.Close() // what matters was synced and its error seen
	if err := lockFile(part); err != nil {
		return badFile(part.Name(), -1, "another process is downloading it: %w", err)
	}
	var failed []error
	for _, address := range d.addresses() {
		d.progress.FromWhere = withoutPassword(address)
		err := d.from(ctx, part, address)
		if err == nil {
			return d.finish(part)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// withoutPassword is address as it may be shown.
func withoutPassword(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an address that cannot be parsed"
	}
	return u.Redacted()
}

// from downloads the rest of part from address until the digest is right.
func (d *download) from(ctx context.Context, part *os.File, address string) error {
	var before int64 = -1
	for try := 1; ; try++ {
		have, err := part.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		if have < d.file.size {
			err = d.request(ctx, part, address, have)
		}
		if err == nil {
			err = d.verify(ctx, part)
			if err == nil || have == 0 {
				return err // a whole download that is wrong will be wrong again
			}
			before = -1 // what was there may have been the damage: begin afresh
		}
		now, sizeErr := part.Seek(0, io.SeekEnd)
		if sizeErr != nil || ctx.Err() != nil || try == attempts || now == before || !canRetry(err) {
			return errors.Join(err, sizeErr)
		}
		before = now
	}
}

// verify compares part's digest with the published one. A wrong part is emptied.
func (d *download) verify(ctx context.Context, part *os.File) error {
	if _, err := part.Seek(0, io.SeekStart); err != nil {
		return err
	}
	got, size, err := md5Of(ctx, part)
	if err != nil {
		return err
	}
	if got != d.file.md5 {
		return errors.Join(badFile(d.progress.FromWhere, -1, "%w: MD5 %s of %d bytes, published %s of %d bytes",
			ErrDigest, got, size, d.file.md5, d.file.size), part.Truncate(0))
	}
	return nil
}

// finish gives part its name.
func (d *download) finish(part *os.File) error {
	if err := part.Sync(); err != nil {
		return err
	}
	if err := os.Rename(part.Name(), d.path); err != nil {
		return err
	}
	d.progress.Done, d.progress.Finished = d.file.size, true
	d.tell()
	return nil
}

// A statusError is an answer other than the file.
type statusError struct{ from, status string }

func (e *statusError) Error() string { return e.from + ": " + e.status }

// canRetry reports whether asking the same address again can help.
func canRetry(err error) bool {
	_, refused := errors.AsType[*statusError](err)
	return !refused
}

// request asks address for what follows the first have bytes and appends it to part.
func (d *download) request(ctx context.Context, part *os.File, address string, have int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("%s: not an address to download from", d.progress.FromWhere)
	}
	// Offsets are of the file as published, so nothing may compress it on the way.
	r.Header.Set("Accept-Encoding", "identity")
	if have > 0 {
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	answer, err := d.client.Do(r)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // its text has the address with any password in it
		}
		return fmt.Errorf("%s: %w", d.progress.FromWhere, err)
	}
	defer answer.Body.Close()
	switch {
	case answer.StatusCode == http.StatusPartialContent && have > 0 &&
		strings.HasPrefix(answer.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", have)):
	case answer.StatusCode == http.StatusOK:
		have = 0 // the server knows no ranges: from the beginning
		if err := part.Truncate(0); err != nil {
			return err
		}
	default:
		return &statusError{d.progress.FromWhere, answer.Status}
	}
	if _, err := part.Seek(have, io.SeekStart); err != nil {
		return err
	}
	if err := d.receive(part, answer.Body, have, cancel); err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	return nil
}

// receive copies body to part, which has have bytes already. It calls cancel, which
// ends the request, if nothing comes in for too long.
func (d *download) receive(part io.Writer, body io.Reader, have int64, cancel context.CancelCauseFunc) error {
	stall := d.options.Stall
	if stall == 0 {
		stall = time.Minute
	}
	silence := time.AfterFunc(stall, func() { cancel(fmt.Errorf("nothing came in for %v", stall)) })
	defer silence.Stop()
	d.progress.Done = have
	d.tell()
	buf := make([]byte, 64<<10)
	for {
		n, err := body.Read(buf)
		silence.Reset(stall)
		if d.progress.Done+int64(n) > d.file.size {
			return badFile(d.progress.FromWhere, d.file.size, "%w: more than the published %d bytes come in", ErrDigest, d.file.size)
		}
		if _, writeErr := part.Write(buf[:n]); writeErr != nil {
			return writeErr
		}
		d.progress.Done += int64(n)
		if err == io.EOF && d.progress.Done < d.file.size {
			err = io.ErrUnexpectedEOF
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &FileError{Path: d.progress.FromWhere, Offset: d.progress.Done, Err: err}
		}
		if time.Since(d.told) > 100*time.Millisecond {
			d.tell()
		}
	}
}

func (d *download) tell() {
	d.told = time.Now()
	if d.options.Progress != nil {
		d.options.Progress(d.progress)
	}
}

// isLoopback reports whether host is this machine by its name or address alone.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
