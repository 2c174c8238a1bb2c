package redshift

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// wire runs statements over one connection.
type wire struct {
	driver Driver
	login  dbuser.Login
	db     *sql.DB
}

// dial logs in. lib/pq is given a connection with TLS up already: see
// docs/decisions/0004.
func (d Driver) dial(ctx context.Context, l dbuser.Login) (*wire, error) {
	connector, err := pq.NewConnectorConfig(pq.Config{
		Host: l.Host, Port: uint16(l.Port), Database: l.Database,
		User: wireUser(l), Password: l.Password.Reveal(),
		SSLMode:         pq.SSLModeDisable,
		ApplicationName: "rekey",
		ClientEncoding:  "UTF8", Datestyle: "ISO, MDY", // lib/pq works with no other
	})
	if err != nil {
		return nil, translate(ctx, err)
	}
	connector.Dialer(&dialer{ctx: ctx, login: l, roots: d.Roots})
	conn, err := connector.Connect(ctx)
	if err != nil {
		return nil, translate(ctx, err)
	}
	return &wire{driver: d, login: l, db: dbuser.OpenOnce(conn)}, nil
}

// wireUser is the name under which temporary credentials log in.
//
// https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentials.html
// https://docs.aws.amazon.com/redshift-serverless/latest/APIReference/API_GetCredentials.html
func wireUser(l dbuser.Login) string {
	if l.Token && !strings.HasPrefix(l.Username, "IAM") {
		return "IAM:" + l.Username
	}
	return l.Username
}

func (w *wire) in(ctx context.Context, database string) (runner, error) {
	l := w.login
	l.Database = database
	return w.driver.dial(ctx, l)
}

func (w *wire) close() error { return w.db.Close() }

func (w *wire) try(ctx context.Context, statements []string) error {
	return dbuser.Try(ctx, w.db, statements, translate)
}

func (w *wire) run(ctx context.Context, statement string) ([][]string, error) {
	tables, err := w.read(ctx, []string{statement})
	if err != nil || len(tables) == 0 {
		return nil, err
	}
	return tables[0], nil
}

// read sends all queries in one message, which is answered with a result for
// each: a warehouse may be far away.
//
// https://www.postgresql.org/docs/8.0/protocol-flow.html (Simple Query)
func (w *wire) read(ctx context.Context, queries []string) (tables [][][]string, err error) {
	rows, err := w.db.QueryContext(ctx, strings.Join(queries, ";\n"))
	if err != nil {
		return nil, translate(ctx, err)
	}
	defer rows.Close()
	for more := true; more; more = rows.NextResultSet() {
		table, err := result(rows)
		if err != nil {
			return nil, translate(ctx, err)
		}
		tables = append(tables, table)
	}
	if err := rows.Err(); err != nil {
		return nil, translate(ctx, err)
	}
	if len(tables) != len(queries) && len(queries) > 1 {
		return nil, fmt.Errorf("%d queries have %d results: %w", len(queries), len(tables), rotation.ErrVendor)
	}
	return tables, nil
}

// result is one result as text; NULL is "".
func result(rows *sql.Rows) (table [][]string, err error) {
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		cells := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row := make([]string, len(columns))
		for i, c := range cells {
			row[i] = c.String
		}
		table = append(table, row)
	}
	return table, rows.Err()
}

// dialer connects and turns TLS on.
type dialer struct {
	ctx   context.Context
	login dbuser.Login
	roots *x509.CertPool
}

var errNoTLS = errors.New("the server does not offer TLS")

func (d *dialer) Dial(string, string) (net.Conn, error) { return d.dial() }

func (d *dialer) DialTimeout(string, string, time.Duration) (net.Conn, error) { return d.dial() }

func (d *dialer) dial() (net.Conn, error) {
	conn, err := dbuser.Dial(d.ctx, d.login)
	if err != nil || d.login.Plaintext {
		return conn, err
	}
	secure, err := startTLS(d.ctx, conn, &tls.Config{RootCAs: d.roots, ServerName: d.login.ServerName, MinVersion: tls.VersionTLS12})
	if err != nil {
		_ = conn.Close() // the reason is err
		return nil, err
	}
	return secure, nil
}

// startTLS asks for TLS with an SSLRequest and shakes hands. The server's one
// byte is read alone: what else came with it would pass for something that came
// over TLS (CVE-2021-23222).
//
// https://www.postgresql.org/docs/8.0/protocol-flow.html
func startTLS(ctx context.Context, conn net.Conn, config *tls.Config) (net.Conn, error) {
	const sslRequest = 80877103
	request := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 8), sslRequest)
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	var answer [1]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return nil, err
	}
	if answer[0] != 'S' {
		return nil, errNoTLS
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return secure, nil
}
