package devserver

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"go.temporal.io/server/common/config"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite" // registers the "sqlite" driver too
	"go.temporal.io/server/schema"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"google.golang.org/protobuf/types/known/durationpb"
)

// schemaScripts are the server's own definitions of its tables: executions, and
// the visibility store that lists them.
func schemaScripts() ([]string, error) {
	var scripts []string
	for _, name := range []string{"sqlite/v3/temporal/schema.sql", "sqlite/v3/visibility/schema.sql"} {
		text, err := fs.ReadFile(schema.Assets(), name)
		if err != nil {
			return nil, fmt.Errorf("read the server's schema: %w", err)
		}
		scripts = append(scripts, string(text))
	}
	return scripts, nil
}

// databaseFile is named for the schema it holds, which nothing in the file
// itself records and the server does not check.
func databaseFile(dir string, scripts []string) string {
	sum := sha256.Sum256([]byte(strings.Join(scripts, "\x00")))
	return filepath.Join(dir, "temporal-"+hex.EncodeToString(sum[:4])+".db")
}

// prepareDatabase makes the tables, all or none, so that a process killed here
// leaves nothing that the next one could take for a database.
func prepareDatabase(ctx context.Context, file string, scripts []string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("open %s: %w (it holds execution state only; if it is damaged, move it away)", file, err)
		}
	}()
	if err := makePrivate(file); err != nil {
		return err
	}
	db, err := sql.Open(sqliteplugin.PluginName, "file:"+escapePath(file)+"?_pragma=journal_mode(wal)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	var tables int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master`).Scan(&tables); err != nil {
		return err
	}
	if tables > 0 {
		return nil
	}
	for _, script := range scripts {
		if _, err := tx.ExecContext(ctx, script); err != nil {
			return fmt.Errorf("make tables: %w", err)
		}
	}
	return tx.Commit()
}

// makePrivate makes the file with mode 0600, which SQLite gives its write-ahead
// log too.
func makePrivate(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

// escapePath makes a path safe in the URI that names a database to SQLite.
func escapePath(file string) string { return (&url.URL{Path: file}).EscapedPath() }

// persistence is how the server opens file. One connection, because with more
// the server's own writers lock each other out.
func persistence(file string) *config.SQL {
	return &config.SQL{
		PluginName: sqliteplugin.PluginName, DatabaseName: escapePath(file), MaxConns: 1, MaxIdleConns: 1,
		ConnectAttributes: map[string]string{"mode": "rwc", "journal_mode": "wal", "synchronous": "normal"},
	}
}

// makeNamespace writes the namespace into the database if it is not there: a
// server cannot be asked to while it has none to start with.
func (s *Server) makeNamespace(store *config.SQL) error {
	o := s.options
	ns, err := sqliteschema.NewNamespaceConfig(clusterName, o.Namespace, false, o.SearchAttributes)
	if err != nil {
		return err
	}
	ns.Detail.Config.Retention = durationpb.New(o.Retention)
	return sqliteschema.CreateNamespaces(store, ns)
}
