package dbsecret

import (
	"context"
	"database/sql/driver"
	"errors"
	"math/rand/v2"
	"time"
)

// connection is a driver's connection that knows whose it is. Everything goes through to the
// driver; what the driver cannot do, database/sql is told to do as it would without us.
type connection struct {
	driver.Conn
	of   *Connector
	user string

	leaves time.Time // when it is given up; zero until its user is found replaced
}

// Unwrap is the driver's own connection, for [database/sql.Conn.Raw]. A connection that did
// not come from this package is returned as it is.
func Unwrap(conn any) any {
	if c, ok := conn.(*connection); ok {
		return c.Conn
	}
	return conn
}

// drained is called by one goroutine at a time, like all methods of a connection.
func (c *connection) drained() bool {
	if !c.of.replaced(c.user) {
		c.leaves = time.Time{} // a rollback brought the user back
		return false
	}
	now := time.Now()
	if c.leaves.IsZero() {
		c.leaves = now.Add(time.Duration(rand.Int64N(int64(c.of.o.Drain) + 1))) //nolint:gosec // nobody's secret
	}
	return !now.Before(c.leaves)
}

// IsValid implements [driver.Validator]: it is asked when a connection is put back.
func (c *connection) IsValid() bool {
	if v, ok := c.Conn.(driver.Validator); ok && !v.IsValid() {
		return false
	}
	return !c.drained()
}

// ResetSession implements [driver.SessionResetter]: it is asked when a connection is taken.
func (c *connection) ResetSession(ctx context.Context) error {
	if c.drained() {
		return driver.ErrBadConn
	}
	if r, ok := c.Conn.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}

// Ping implements [driver.Pinger].
func (c *connection) Ping(ctx context.Context) error {
	if p, ok := c.Conn.(driver.Pinger); ok {
		return p.Ping(ctx)
	}
	return nil
}

// PrepareContext implements [driver.ConnPrepareContext].
func (c *connection) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if p, ok := c.Conn.(driver.ConnPrepareContext); ok {
		return p.PrepareContext(ctx, query)
	}
	statement, err := c.Prepare(query)
	if err == nil && ctx.Err() != nil {
		_ = statement.Close() // nobody waits for it
		return nil, ctx.Err()
	}
	return statement, err
}

// BeginTx implements [driver.ConnBeginTx].
func (c *connection) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if b, ok := c.Conn.(driver.ConnBeginTx); ok {
		return b.BeginTx(ctx, o)
	}
	if o.ReadOnly || o.Isolation != 0 {
		return nil, errors.New("the driver knows neither isolation levels nor read-only transactions")
	}
	return c.Begin()
}

// ExecContext implements [driver.ExecerContext].
func (c *connection) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if e, ok := c.Conn.(driver.ExecerContext); ok {
		return e.ExecContext(ctx, query, args)
	}
	return nil, driver.ErrSkip
}

// QueryContext implements [driver.QueryerContext].
func (c *connection) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if q, ok := c.Conn.(driver.QueryerContext); ok {
		return q.QueryContext(ctx, query, args)
	}
	return nil, driver.ErrSkip
}

// CheckNamedValue implements [driver.NamedValueChecker].
func (c *connection) CheckNamedValue(v *driver.NamedValue) error {
	if n, ok := c.Conn.(driver.NamedValueChecker); ok {
		return n.CheckNamedValue(v)
	}
	return driver.ErrSkip
}
