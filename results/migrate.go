package results

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"path"
)

//go:embed schema/*.sql
var schema embed.FS

// migrations[i] takes a record from schema version i to i+1. A file that has
// been released is never changed again.
var migrations = loadMigrations()

func loadMigrations() []string {
	names, err := fs.Glob(schema, "schema/*.sql") // sorted
	if err != nil {
		panic(err) // the pattern is constant
	}
	texts := make([]string, len(names))
	for i, name := range names {
		if want := fmt.Sprintf("%03d.sql", i+1); path.Base(name) != want {
			panic("results: schema file " + name + " should be " + want)
		}
		text, err := schema.ReadFile(name)
		if err != nil {
			panic(err) // it is embedded
		}
		texts[i] = string(text)
	}
	return texts
}

// migrate brings the file to the newest schema. It takes the write lock before
// it looks, so of several processes one migrates and the others find it done.
// Readers go on seeing the old schema until it is through.
func migrate(ctx context.Context, db *sql.DB) error {
	if version, err := schemaVersion(ctx, db); err != nil || version == len(migrations) {
		return err
	}
	return transact(ctx, db, migrateTx)
}

func migrateTx(ctx context.Context, tx *sql.Tx) error {
	version, err := schemaVersion(ctx, tx)
	if err != nil || version == len(migrations) {
		return err
	}
	for i, text := range migrations[version:] {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("migrate to schema %d: %w", version+i+1, err)
		}
	}
	stamp := fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = %d`, applicationID, len(migrations))
	_, err = tx.ExecContext(ctx, stamp)
	return err
}
