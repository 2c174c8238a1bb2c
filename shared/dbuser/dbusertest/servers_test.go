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
	localredshift "github.com/rekey-aws/rekey/local/redshift"
	"github.com/rekey-aws/rekey/local/redshift/redshifttest"
	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/dbuser/dbusertest"
	"github.com/rekey-aws/rekey/shared/mysql"
	"github.com/rekey-aws/rekey/shared/postgres"
	"github.com/rekey-aws/rekey/shared/redshift"
)

func TestMain(m *testing.M) { databasetest.Main(m) }

// row is a server with a strategy.
type row struct {
	server   string
	strategy dbuser.Strategy
	target   dbusertest.Target
	retire   bool // what is run is the end of the old password
}

func (r row) what() string {
	if r.retire {
		return string(r.strategy) + ", retiring"
	}
	return string(r.strategy)
}

// retiring are the servers whose strategy leaves something to retire.
func retiring() (all []row) {
	for _, row := range rows() {
		if row.retire = row.strategy == dbuser.Dual; row.retire {
			all = append(all, row)
		}
	}
	return all
}

// rows are all servers with the strategies that they know.
func rows() []row {
	return []row{
		{server: "PostgreSQL 15", strategy: dbuser.Single, target: postgresTarget("15")},
		{server: "PostgreSQL 15", strategy: dbuser.Alternating, target: alternatingPostgres("15")},
		{server: "PostgreSQL 18", strategy: dbuser.Single, target: postgresTarget("18")},
		{server: "PostgreSQL 18", strategy: dbuser.Alternating, target: alternatingPostgres("18")},
		{server: "MySQL 9", strategy: dbuser.Single, target: mysqlTarget(database.MySQL, "9", "")},
		{server: "MySQL 9", strategy: dbuser.Dual, target: mysqlTarget(database.MySQL, "9", "APPLICATION_PASSWORD_ADMIN")},
		{server: "MySQL 9", strategy: dbuser.Alternating, target: alternatingMySQL(database.MySQL, "9")},
		{server: "MariaDB 10.11", strategy: dbuser.Single, target: mysqlTarget(database.MariaDB, "10.11", "")},
		{server: "MariaDB 10.11", strategy: dbuser.Dual, target: mysqlTarget(database.MariaDB, "10.11", "CREATE USER")},
		{server: "MariaDB 10.11", strategy: dbuser.Alternating, target: alternatingMySQL(database.MariaDB, "10.11")},
		{server: "Redshift (stand-in)", strategy: dbuser.Single, target: redshiftTarget()},
		{server: "Redshift (stand-in)", strategy: dbuser.Alternating, target: alternatingRedshift()},
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

// redshiftTarget is PostgreSQL 15 behind the filter that stands in for Redshift.
func redshiftTarget() dbusertest.Target {
	return dbusertest.Target{
		Engine: "redshift", Server: database.Postgres, Version: "15", Options: localredshift.Options,
		Driver: func(roots *x509.CertPool) dbuser.Driver { return redshift.Driver{Roots: roots} },
		Front: func(t testing.TB, server *database.Server) dbusertest.Front {
			s := redshifttest.Before(t, server)
			return dbusertest.Front{Port: s.Port, CAPEM: s.CAPEM(), Log: func() string { return redshifttest.Log(s) }}
		},
		CreateUser: func(user, password string) []string {
			return []string{"CREATE ROLE " + user + " LOGIN PASSWORD '" + password + "'"}
		},
	}
}

func alternatingRedshift() dbusertest.Target {
	target := redshiftTarget()
	target.CreateAdmin = func(admin, password, user string) []string {
		return []string{
			"CREATE ROLE " + admin + " LOGIN SUPERUSER PASSWORD '" + password + "'",
			"CREATE ROLE readers_of_" + user + ` NOLOGIN`, "COMMENT ON ROLE readers_of_" + user + ` IS '{"kind": "group"}'`,
			"ALTER GROUP readers_of_" + user + " ADD USER " + user,
			"ALTER ROLE " + user + " SET statement_timeout = 7000",
			"GRANT CREATE ON DATABASE dev TO " + user,
		}
	}
	target.Alike = func(ctx context.Context, server *database.Server, base, clone string) error {
		rows, err := server.Query(ctx, `SELECT pg_has_role($2::name, 'readers_of_' || $1::text, 'MEMBER'), has_database_privilege($2::name, 'dev', 'CREATE'),
			(SELECT rolconfig @> ARRAY['statement_timeout=7000'] FROM pg_roles WHERE rolname = $2)`, base, clone)
		if err == nil && (rows[0][0] != "true" || rows[0][1] != "true" || rows[0][2] != "true") {
			err = fmt.Errorf("the clone is not like the base: %v", rows[0])
		}
		return err
	}
	return target
}
