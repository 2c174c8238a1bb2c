package dbusertest_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
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
		{"PostgreSQL 15", dbuser.Alternating, alternatingPostgres("15")},
		{"PostgreSQL 18", dbuser.Single, postgresTarget("18")},
		{"PostgreSQL 18", dbuser.Alternating, alternatingPostgres("18")},
		{"MySQL 9", dbuser.Single, mysqlTarget(database.MySQL, "9", "")},
		{"MySQL 9", dbuser.Dual, mysqlTarget(database.MySQL, "9", "APPLICATION_PASSWORD_ADMIN")},
		{"MySQL 9", dbuser.Alternating, alternatingMySQL(database.MySQL, "9")},
		{"MariaDB 10.11", dbuser.Single, mysqlTarget(database.MariaDB, "10.11", "")},
		{"MariaDB 10.11", dbuser.Dual, mysqlTarget(database.MariaDB, "10.11", "CREATE USER")},
		{"MariaDB 10.11", dbuser.Alternating, alternatingMySQL(database.MariaDB, "10.11")},
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

func alternatingPostgres(version string) dbusertest.Target {
	target := postgresTarget(version)
	target.CreateAdmin = func(admin, password, user string) []string {
		statements := []string{
			"CREATE ROLE " + admin + " LOGIN CREATEROLE PASSWORD '" + password + "'",
			"ALTER ROLE " + user + " SET work_mem = '7MB'",
		}
		if version != "15" {
			statements = append(statements, "GRANT "+user+" TO "+admin+" WITH ADMIN OPTION")
		}
		return statements
	}
	target.Alike = func(ctx context.Context, server *database.Server, base, clone string) error {
		rows, err := server.Query(ctx, `SELECT pg_has_role($2::name, $1::name, 'USAGE'),
			(SELECT setconfig @> ARRAY['work_mem=7MB', 'role=' || $1::text] FROM pg_db_role_setting WHERE setrole = (SELECT oid FROM pg_roles WHERE rolname = $2))`, base, clone)
		if err == nil && (rows[0][0] != "true" || rows[0][1] != "true") {
			err = fmt.Errorf("the clone is not like the base: member %s, settings %s", rows[0][0], rows[0][1])
		}
		return err
	}
	return target
}

func alternatingMySQL(engine database.Engine, version string) dbusertest.Target {
	target := mysqlTarget(engine, version, "")
	create := target.CreateUser
	target.CreateUser = func(user, password string) []string {
		return append(create(user, password),
			"GRANT SELECT, INSERT ON app.* TO "+user+"@'%' WITH GRANT OPTION", "GRANT PROCESS ON *.* TO "+user+"@'%'")
	}
	target.CreateAdmin = func(admin, password, _ string) []string {
		return []string{
			"CREATE USER " + admin + "@'%' IDENTIFIED BY '" + password + "'",
			"GRANT CREATE USER, PROCESS ON *.* TO " + admin + "@'%' WITH GRANT OPTION",
			"GRANT SELECT, INSERT ON app.* TO " + admin + "@'%' WITH GRANT OPTION",
			"GRANT SELECT ON mysql.* TO " + admin + "@'%'",
		}
	}
	target.Alike = func(ctx context.Context, server *database.Server, base, clone string) error {
		grants := func(user string) (string, error) {
			rows, err := server.Query(ctx, "SHOW GRANTS FOR "+user+"@'%'")
			var lines []string
			for _, row := range rows {
				line, _, _ := strings.Cut(row[0], " IDENTIFIED BY") // MariaDB tells the verifier
				lines = append(lines, strings.ReplaceAll(line, clone, base))
			}
			slices.Sort(lines)
			return strings.Join(lines, "\n"), err
		}
		a, err := grants(base)
		if err != nil {
			return err
		}
		b, err := grants(clone)
		if err == nil && a != b {
			err = fmt.Errorf("the clone is not like the base: %s, %s", b, a)
		}
		return err
	}
	return target
}
