package redshift

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/lib/pq"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/pgwire"
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
	connector.Dialer(&pgwire.Dialer{Context: ctx, Login: l, TLS: dbuser.VerifiedTLS(l, d.Roots)})
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
