package mysql

import (
	"context"
	"database/sql/driver"

	"github.com/rekey-aws/rekey/shared/dbuser"
)

// Intercept passes every statement that a session executes through a function,
// which runs it or not.
func Intercept(s dbuser.Session, through func(statement string, run func() error) error) error {
	own := s.(*session)
	conn, err := own.db.Conn(context.Background())
	if err != nil {
		return err
	}
	return conn.Raw(func(c any) error {
		own.db = dbuser.OpenOnce(interceptor{c.(driver.Conn), through})
		return nil
	})
}

type interceptor struct {
	driver.Conn
	through func(string, func() error) error
}

func (i interceptor) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (r driver.Result, err error) {
	err = i.through(query, func() error {
		r, err = i.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
		return err
	})
	return r, err
}

func (i interceptor) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return i.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}
