package dbusertest_test

import (
	"crypto/x509"
	"testing"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/dbuser/dbusertest"
	"github.com/rekey-aws/rekey/shared/mysql"
	"github.com/rekey-aws/rekey/shared/postgres"
)

func TestMain(m *testing.M) { databasetest.Main(m) }

// row is a server with a strategy.
type row struct {
	server   string
	strategy dbuser.Strategy
	target   dbusertest.Target
}

// rows are all servers with the strategies that they know.
func rows() []row {
	return []row{
		{"PostgreSQL 15", dbuser.Single, postgresTarget("15")},
		{"PostgreSQL 18", dbuser.Single, postgresTarget("18")},
		{"MySQL 9", dbuser.Single, mysqlTarget(database.MySQL, "9", "")},
		{"MySQL 9", dbuser.Dual, mysqlTarget(database.MySQL, "9", "APPLICATION_PASSWORD_ADMIN")},
		{"MariaDB 10.11", dbuser.Single, mysqlTarget(database.MariaDB, "10.11", "")},
		{"MariaDB 10.11", dbuser.Dual, mysqlTarget(database.MariaDB, "10.11", "CREATE USER")},
	}
}

func postgresTarget(version string) dbusertest.Target {
	return dbusertest.Target{
		Engine: "postgres", Server: database.Postgres, Version: version,
		Driver: func(roots *x509.CertPool) dbuser.Driver { return postgres.Driver{Roots: roots} },
		CreateUser: func(user, password string) []string {
			return []string{"CREATE ROLE " + user + " LOGIN PASSWORD '" + password + "'"}
		},
	}
}

// mysqlTarget is a server whose users get a privilege, with which they may keep
// their old password.
func mysqlTarget(engine database.Engine, version, privilege string) dbusertest.Target {
	return dbusertest.Target{
		Engine: string(engine), Server: engine, Version: version, Dual: privilege != "",
		Driver: func(roots *x509.CertPool) dbuser.Driver {
			return mysql.Driver{MariaDB: engine == database.MariaDB, Roots: roots}
		},
		CreateUser: func(user, password string) []string {
			statements := []string{"CREATE USER " + user + "@'%' IDENTIFIED BY '" + password + "'"}
			if privilege != "" {
				statements = append(statements, "GRANT "+privilege+" ON *.* TO "+user+"@'%'")
			}
			return statements
		},
	}
}
