package devserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/sdk/client"
)

// Info says where a running server is. UIURL carries the UI's token: whoever
// reads it can use the UI until the server stops.
type Info struct {
	Address   string    `json:"address"`          // of the gRPC frontend, "127.0.0.1:port"
	Namespace string    `json:"namespace"`        // the one that is sure to exist
	UIURL     string    `json:"ui_url,omitempty"` // "" without UI
	PID       int       `json:"pid"`              // of the process it runs in
	Identity  string    `json:"identity"`         // of that process, by [Identity]: host, boot, pid and start time
	Started   time.Time `json:"started"`          // UTC, when it became usable
}

var (
	// ErrInUse says that a server already runs, or starts, in the folder.
	ErrInUse = errors.New("another server uses this folder")

	// ErrNotRunning says that no server runs in the folder.
	ErrNotRunning = errors.New("no server runs in this folder")

	// ErrNotReady says that the folder's server is starting or stopping.
	ErrNotReady = errors.New("the server of this folder is starting or stopping")
)

// ClientOptions are what a client in another process of the same user needs to
// dial the server whose state folder is dir.
func (i Info) ClientOptions(dir string) (client.Options, error) {
	certs, err := readCertificates(dir)
	if err != nil {
		return client.Options{}, fmt.Errorf("read the server's certificates: %w", err)
	}
	return certs.clientOptions(i.Address, i.Namespace), nil
}

// Running finds the server of folder dir. The error wraps [ErrNotRunning] if
// there is none, whatever files a killed one left, and [ErrNotReady] if it
// cannot be used yet or any more.
func Running(dir string) (Info, error) {
	locked, err := folderLocked(dir)
	if err != nil {
		return Info{}, fmt.Errorf("find the server of %s: %w", dir, err)
	}
	if !locked {
		return Info{}, fmt.Errorf("%s: %w", dir, ErrNotRunning)
	}
	info, err := readInfo(dir)
	// A new holder of the lock removes its predecessor's file, but not in the
	// same instant; a file whose process is dead is such a one.
	if errors.Is(err, fs.ErrNotExist) || err == nil && DeadHere(info.Identity) {
		return Info{}, fmt.Errorf("%s: %w", dir, ErrNotReady)
	}
	return info, err
}

// WaitRunning is [Running] for a process whose own [Start] met [ErrInUse]: while
// the other server starts (or stops) it waits. An error that wraps
// [ErrNotRunning] means that the other is gone and the caller may start its own.
func WaitRunning(ctx context.Context, dir string) (Info, error) {
	for {
		info, err := Running(dir)
		if !errors.Is(err, ErrNotReady) {
			return info, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return Info{}, fmt.Errorf("wait for the server of %s: %w", dir, ctx.Err())
		}
	}
}

func infoFile(dir string) string { return filepath.Join(dir, "server.json") }

func readInfo(dir string) (Info, error) {
	text, err := os.ReadFile(infoFile(dir))
	if err != nil {
		return Info{}, err
	}
	var info Info
	if err := json.Unmarshal(text, &info); err != nil {
		return Info{}, fmt.Errorf("read %s: %w", infoFile(dir), err)
	}
	return info, nil
}

func writeInfo(dir string, info Info) error {
	text, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(infoFile(dir), append(text, '\n'))
}

func removeInfo(dir string) error {
	if err := os.Remove(infoFile(dir)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// replaceFile gives a file new content, mode 0600, all at once: readers see the
// old content or the new.
func replaceFile(name string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.tmp") // made with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
