package database

import (
	"errors"

	"github.com/go-sql-driver/mysql"
	"github.com/lib/pq"
)

// Refusal is the server's own code for a password that it does not accept, if that is why
// Login failed; else "", and the failure says nothing about the password.
//
// https://www.postgresql.org/docs/current/errcodes-appendix.html
// https://dev.mysql.com/doc/mysql-errors/9.0/en/server-error-reference.html
func Refusal(err error) string {
	if e := (*pq.Error)(nil); errors.As(err, &e) && e.Code == "28P01" {
		return "SQLSTATE 28P01"
	}
	if e := (*mysql.MySQLError)(nil); errors.As(err, &e) && e.Number == 1045 {
		return "error 1045"
	}
	return ""
}
