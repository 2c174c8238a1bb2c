package dbuser

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/rekey-aws/rekey/shared/netfault"
	"github.com/rekey-aws/rekey/shared/rdsca"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Dial opens the TCP connection of a login. When ctx ends, whatever waits on
// the connection fails at once: the one time-out of everything that a driver
// does with it, cancellation included.
func Dial(ctx context.Context, l Login) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(l.Host, strconv.Itoa(l.Port)))
	l.Trace.dialed(conn, err)
	if err != nil {
		return nil, err
	}
	b := &boundConn{Conn: conn}
	b.unbind = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return b, nil
}

// boundConn ends with its context and ignores the deadlines that drivers set.
type boundConn struct {
	net.Conn
	unbind func() bool
}

func (b *boundConn) SetDeadline(time.Time) error      { return nil }
func (b *boundConn) SetReadDeadline(time.Time) error  { return nil }
func (b *boundConn) SetWriteDeadline(time.Time) error { return nil }

func (b *boundConn) Close() error {
	b.unbind()
	return b.Conn.Close()
}

// TLSConfig verifies the server's certificate under the name that the login
// gives, against roots; nil: the system's and those of RDS.
func TLSConfig(l Login, roots *x509.CertPool) *tls.Config {
	if roots == nil {
		roots = rdsca.Pool()
	}
	return VerifiedTLS(l, roots)
}

// VerifiedTLS is [TLSConfig] without RDS's authorities; nil: the system's alone.
func VerifiedTLS(l Login, roots *x509.CertPool) *tls.Config {
	config := &tls.Config{RootCAs: roots, ServerName: l.ServerName, MinVersion: tls.VersionTLS12}
	if l.Trace != nil {
		config.VerifyConnection = l.Trace.secured // after the certificate was verified
	}
	return config
}

// OpenOnce wraps one open connection in database/sql's interface. It never
// connects again: database/sql would retry a login on its own.
func OpenOnce(conn driver.Conn) *sql.DB {
	db := sql.OpenDB(&once{conn: conn})
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	return db
}

type once struct{ conn driver.Conn }

func (o *once) Connect(context.Context) (driver.Conn, error) {
	if o.conn == nil {
		return nil, errConnectionLost
	}
	conn := o.conn
	o.conn = nil
	return conn, nil
}

func (o *once) Driver() driver.Driver { return nil }

// Close is for a connection that nothing was asked on: the pool never got it, and
// ends with its connector only.
func (o *once) Close() error {
	if o.conn == nil {
		return nil
	}
	return o.conn.Close()
}

var errConnectionLost = errors.New("the connection was lost")

// Try runs statements in a read-only transaction and rolls it back; translate
// gives the driver's errors their kind.
func Try(ctx context.Context, db *sql.DB, statements []string, translate func(context.Context, error) error) error {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return translate(ctx, err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	for i, statement := range statements {
		if err := drain(tx.QueryContext(ctx, statement)); err != nil {
			return fmt.Errorf("running statement %d (%s): %w", i, clip(statement), translate(ctx, err))
		}
	}
	return nil
}

// drain reads rows to their end, where the last errors are.
func drain(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

// Classify is [netfault.Classify] with the ways in which database/sql says that
// a connection is gone.
func Classify(ctx context.Context, err error) (error, bool) {
	if known, ok := netfault.Classify(ctx, err); ok {
		return known, true
	}
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, errConnectionLost) {
		return fmt.Errorf("the server closed the connection: %w", rotation.ErrUnreachable), true
	}
	return nil, false
}
