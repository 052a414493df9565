package resultstest

import (
	"context"
	"database/sql/driver"
	"errors"
	"math"

	"github.com/mattn/go-sqlite3"
)

// connector opens connections without registering a driver for the whole process.
type connector struct{ dsn string }

func (c connector) Connect(context.Context) (driver.Conn, error) {
	// Triggers of the record use them, and the driver leaves them out.
	hook := func(c *sqlite3.SQLiteConn) error {
		return errors.Join(c.RegisterFunc("sqrt", math.Sqrt, true), c.RegisterFunc("ln", math.Log, true))
	}
	return (&sqlite3.SQLiteDriver{ConnectHook: hook}).Open(c.dsn)
}

func (c connector) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }
