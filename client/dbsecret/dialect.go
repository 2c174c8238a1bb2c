package dbsecret

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
)

// dialect is how a kind of server is logged in to.
type dialect struct {
	port     string
	database string
	dsn      func(*login) string
	refused  func(error) bool
}

var (
	postgres = dialect{port: "5432", database: "postgres", dsn: postgresURL, refused: sqlState("28P01")}
	redshift = dialect{port: "5439", database: "dev", dsn: postgresURL, refused: sqlState("28P01", "28000")}
	mysql    = dialect{port: "3306", dsn: mysqlName, refused: refusedByMySQL}
)

// dialects by the secret's engine.
var dialects = map[string]dialect{
	"postgres": postgres, "aurora-postgresql": postgres, "redshift": redshift,
	"mysql": mysql, "aurora-mysql": mysql, "mariadb": mysql,
}

// login is what one connection is made with.
type login struct {
	dialect                              dialect
	host, port, user, password, database string
	params                               map[string]string
}

func (l *login) connect(ctx context.Context, drv driver.Driver) (driver.Conn, error) {
	dsn := l.dialect.dsn(l)
	if d, ok := drv.(driver.DriverContext); ok {
		connector, err := d.OpenConnector(dsn)
		if err != nil {
			return nil, err
		}
		return connector.Connect(ctx)
	}
	return l.open(ctx, drv, dsn)
}

// open is for drivers that take no context, such as lib/pq's: the caller does not wait for
// longer than it wants to, and a connection that comes later is closed.
func (l *login) open(ctx context.Context, drv driver.Driver, dsn string) (driver.Conn, error) {
	type opened struct {
		conn driver.Conn
		err  error
	}
	done := make(chan opened, 1)
	go func() {
		conn, err := drv.Open(dsn)
		done <- opened{conn, err}
	}()
	select {
	case o := <-done:
		return o.conn, o.err
	case <-ctx.Done():
		go func() {
			if o := <-done; o.err == nil {
				_ = o.conn.Close() // nobody waits for it
			}
		}()
		return nil, context.Cause(ctx)
	}
}

// postgresURL is read by lib/pq and by pgx:
// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
func postgresURL(l *login) string {
	query := url.Values{"sslmode": {"verify-full"}, "connect_timeout": {"10"}}
	for name, value := range l.params {
		query.Set(name, value)
	}
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(l.user, l.password),
		Host: net.JoinHostPort(l.host, l.port), Path: "/" + l.database, RawQuery: query.Encode(),
	}
	return u.String()
}

// mysqlName is the data source name of go-sql-driver/mysql. It takes everything up to the
// last @ and after the first colon for the password, so that this one may hold both.
// https://github.com/go-sql-driver/mysql#dsn-data-source-name
func mysqlName(l *login) string {
	var b strings.Builder
	b.WriteString(l.user + ":" + l.password + "@tcp(" + net.JoinHostPort(l.host, l.port) + ")/" + url.PathEscape(l.database) + "?tls=" + url.QueryEscape(cmp.Or(l.params["tls"], "true")))
	for _, name := range slices.Sorted(maps.Keys(l.params)) {
		if name != "tls" {
			b.WriteString("&" + name + "=" + url.QueryEscape(l.params[name]))
		}
	}
	return b.String()
}

// sqlState knows errors of lib/pq and pgx by the method that both have. 28P01 is
// invalid_password; servers as old as Redshift's ancestor have only 28000,
// invalid_authorization_specification, which others use for hosts without a rule.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
func sqlState(codes ...string) func(error) bool {
	return func(err error) bool {
		var coded interface{ SQLState() string }
		return errors.As(err, &coded) && slices.Contains(codes, coded.SQLState())
	}
}

// refusedByMySQL knows errors by their text, because the driver's type has no method for the
// number. 1045 is ER_ACCESS_DENIED_ERROR; 1698 is MariaDB's, and MySQL's without a password:
// https://dev.mysql.com/doc/mysql-errors/9.0/en/server-error-reference.html
func refusedByMySQL(err error) bool {
	text := err.Error()
	return strings.HasPrefix(text, "Error 1045 ") || strings.HasPrefix(text, "Error 1698 ")
}

// redacted is a driver's error, unless it holds the password: those of malformed connection
// strings can.
func (l *login) redacted(err error) error {
	for _, hidden := range []string{l.password, url.QueryEscape(l.password), url.PathEscape(l.password), url.UserPassword("", l.password).String()[1:]} {
		if hidden != "" && strings.Contains(err.Error(), hidden) {
			return errRedacted
		}
	}
	return err
}
