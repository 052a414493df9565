package checkpoints

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
	"google.golang.org/api/googleapi"
)

// gone reports whether err came of an object that does not exist. That a store
// says "not found" is not enough: Google's driver says so to those whom the
// store does not let in, and every store does where the bucket is missing. To
// take a checkpoint for lost that is there would spend its trial's privacy again.
func (s *Store) gone(ctx context.Context, key string, err error) bool {
	if gcerrors.Code(err) != gcerrors.NotFound || denied(err) {
		return false
	}
	list := s.bucket.List(&blob.ListOptions{Prefix: key})
	for {
		switch o, err := list.Next(ctx); {
		case err == io.EOF:
			return true
		case err != nil || o.Key == key:
			return false
		}
	}
}

// delete removes an object. One that is not there is no error.
func (s *Store) delete(ctx context.Context, key string) error {
	if err := s.bucket.Delete(ctx, key); err != nil && !s.gone(ctx, key, err) {
		return err
	}
	return nil
}

// denied reports whether a store did not let this process in.
func denied(err error) bool {
	status := 0
	if e, ok := errors.AsType[*googleapi.Error](err); ok {
		status = e.Code
	} else if e, ok := errors.AsType[*azcore.ResponseError](err); ok {
		status = e.StatusCode
	} else if e, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err); ok { // Amazon's
		status = e.HTTPStatusCode()
	}
	return status == http.StatusForbidden || status == http.StatusUnauthorized ||
		gcerrors.Code(err) == gcerrors.PermissionDenied || errors.Is(err, fs.ErrPermission)
}

// ErrDenied marks the error of a store that did not let this process in.
var ErrDenied = errors.New("the store does not let this process in: check its credentials, and the rights to read, write, list and delete that the folder or bucket gives them")

func explained(err error) error {
	if denied(err) {
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return err
}

// Try writes, reads, lists and removes a small object, as checkpoints will be.
func (s *Store) Try(ctx context.Context) error {
	name, content := "sweep-was-here-"+rand.Text(), "This may be removed." // two may try at once
	// Not WriteAll: Azure's driver panics there if the store does not answer well.
	if err := s.bucket.Upload(ctx, name, strings.NewReader(content), &blob.WriterOptions{ContentType: contentType}); err != nil {
		return fmt.Errorf("write: %w", explained(err))
	}
	got, err := s.bucket.ReadAll(ctx, name)
	if err == nil && string(got) != content {
		err = fmt.Errorf("%q was written and %q is there", content, got)
	}
	if err != nil {
		return fmt.Errorf("read: %w", explained(err))
	}
	if o, err := s.bucket.List(&blob.ListOptions{Prefix: name}).Next(ctx); err != nil {
		return fmt.Errorf("list: %w", explained(err))
	} else if o.Key != name {
		return fmt.Errorf("list: %q was written and %q is there", name, o.Key)
	}
	if err := s.bucket.Delete(ctx, name); err != nil {
		return fmt.Errorf("remove: %w", explained(err))
	}
	return nil
}
