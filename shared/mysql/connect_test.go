package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// failing is a connector with the errors that it has in turn, and then a connection.
type failing struct {
	driver.Connector
	errs  []error
	begun int
}

func (f *failing) Connect(context.Context) (driver.Conn, error) {
	f.begun++
	if f.begun <= len(f.errs) {
		return nil, f.errs[f.begun-1]
	}
	return struct{ driver.Conn }{}, nil
}

// A challenge that the driver misreads is asked for again; a refusal is not.
func TestConnectBeginsAgain(t *testing.T) {
	t.Parallel()
	refused := &mysql.MySQLError{Number: 1045}
	for _, c := range []struct {
		errs  []error
		begun int
		err   error
	}{
		{nil, 1, nil},
		{[]error{mysql.ErrMalformPkt}, 2, nil},
		{[]error{mysql.ErrMalformPkt, refused}, 2, refused},
		{[]error{refused}, 1, refused},
		{[]error{mysql.ErrInvalidConn}, 1, mysql.ErrInvalidConn},
		{[]error{mysql.ErrMalformPkt, mysql.ErrMalformPkt, mysql.ErrMalformPkt, nil}, connects, mysql.ErrMalformPkt},
	} {
		f := &failing{errs: c.errs}
		conn, err := connect(t.Context(), f)
		if f.begun != c.begun || !errors.Is(err, c.err) || (conn == nil) != (c.err != nil) {
			t.Errorf("%v: begun %d times: %v, %v", c.errs, f.begun, conn, err)
		}
	}
}
