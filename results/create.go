package results

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mattn/go-sqlite3"
)

// create makes the record if there is none. It appears at its path whole or not
// at all, with mode 0600; of several processes one makes it. SQLite, asked to
// make it in place, would make it readable by everybody, and a process that
// died meanwhile would leave a file that cannot be told from a foreign one.
func create(ctx context.Context, path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	image, err := blank(ctx)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(image)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// blank is the content of a record without sweeps.
func blank(ctx context.Context) (image []byte, err error) {
	db := sql.OpenDB(connector{":memory:", newDriver()})
	defer db.Close()
	db.SetMaxOpenConns(1) // each connection has a memory of its own
	if err := transact(ctx, db, migrateTx); err != nil {
		return nil, fmt.Errorf("make schema: %w", err)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	err = conn.Raw(func(c any) error {
		image, err = c.(*sqlite3.SQLiteConn).Serialize("main")
		return err
	})
	return image, err
}

// syncFolder makes a new name in the folder durable.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
