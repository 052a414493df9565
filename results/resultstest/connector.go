package resultstest

import (
	"context"
	"database/sql/driver"
	"math"

	"github.com/mattn/go-sqlite3"
)

// connector opens connections without registering a driver for the whole process.
type connector struct{ dsn string }

func (c connector) Connect(context.Context) (driver.Conn, error) {
	// Triggers of the record use it, and the driver leaves it out.
	hook := func(c *sqlite3.SQLiteConn) error { return c.RegisterFunc("sqrt", math.Sqrt, true) }
	return (&sqlite3.SQLiteDriver{ConnectHook: hook}).Open(c.dsn)
}

func (c connector) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }
