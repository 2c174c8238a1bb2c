package redshift_test

import (
	"crypto/x509"
	"testing"

	"github.com/lib/pq"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	localredshift "github.com/rekey-aws/rekey/local/redshift"
	"github.com/rekey-aws/rekey/local/redshift/redshifttest"
	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/dbuser/dbusertest"
	"github.com/rekey-aws/rekey/shared/redshift"
)

func TestMain(m *testing.M) { databasetest.Main(m) }

func target() dbusertest.Target {
	return dbusertest.Target{
		Engine: "redshift", Server: database.Postgres, Version: "15", Options: localredshift.Options,
		Driver: func(roots *x509.CertPool) dbuser.Driver { return redshift.Driver{Roots: roots} },
		Front: func(t testing.TB, server *database.Server) dbusertest.Front {
			s := redshifttest.Before(t, server)
			return dbusertest.Front{Port: s.Port, CAPEM: s.CAPEM(), Log: func() string { return redshifttest.Log(s) }}
		},
		CreateUser: func(user, password string) []string {
			return []string{"CREATE ROLE " + id(user) + " LOGIN PASSWORD " + lit(password)}
		},
		ChangePassword: func(user, password string) string { return "ALTER ROLE " + id(user) + " PASSWORD " + lit(password) },
		MaxUsername:    63, // PostgreSQL's
		NewPasswords:   []string{"~!#$%^&*()_+{}|:<>?Aa1", "Aa1-----", "$1$$%s;--Zz9"},
	}
}

func TestExercise(t *testing.T) { dbusertest.Exercise(t, target()) }

func id(name string) string { return pq.QuoteIdentifier(name) }

func lit(s string) string { return pq.QuoteLiteral(s) }
