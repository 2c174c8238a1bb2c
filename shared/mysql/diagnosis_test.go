package mysql_test

import (
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/shared/dbuser/dbusertest"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// What a diagnosis says of an account is what its rotation then does.
func TestDiagnosisForetellsTheStrategy(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	type account struct {
		name     string
		alter    []string // %: the account
		strategy string
		finding  string
		says     string
	}
	for engine, accounts := range map[database.Engine][]account{
		database.MySQL: {
			{"plain", nil, "single", "privileges:warn", "APPLICATION_PASSWORD_ADMIN is not granted"},
			{"keeper", []string{"GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO %"}, "dual", "privileges:ok", "keep the old one"},
			{"mighty", []string{"GRANT ALL ON *.* TO %"}, "dual", "privileges:ok", "keep the old one"},
			{"remembered", []string{"GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO %", "ALTER USER % PASSWORD HISTORY 2", "ALTER USER % IDENTIFIED BY 'Old-Password-of-remembered'"}, "single", "privileges:warn", "password policy"},
			{"asked", []string{"GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO %", "ALTER USER % PASSWORD REQUIRE CURRENT"}, "single", "privileges:warn", "PASSWORD REQUIRE CURRENT"},
			{"by_role", []string{"CREATE ROLE keepers", "GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO keepers", "GRANT keepers TO %", "SET DEFAULT ROLE keepers TO %"}, "dual", "privileges:ok", "keep the old one"},
		},
		database.MariaDB: {
			{"plain", nil, "single", "privileges:warn", "CREATE USER is not granted"},
			{"keeper", []string{"GRANT CREATE USER ON *.* TO %"}, "dual", "privileges:ok", "keep the old one"},
			{"elliptic", []string{"GRANT CREATE USER ON *.* TO %", "ALTER USER % IDENTIFIED VIA ed25519 USING PASSWORD('Old-Password-of-elliptic')"}, "single", "privileges:warn", "ed25519"},
		},
	} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			options := database.Options{Engine: engine, LogStatements: true}
			if engine == database.MariaDB {
				options.Settings = map[string]string{"plugin-load-add": "auth_ed25519"}
			}
			server := databasetest.Start(t, options)
			for _, a := range accounts {
				b := dbusertest.NewBench(t, target(engine, ""), server, a.name, "Old-Password-of-"+a.name)
				for _, statement := range a.alter {
					if err := server.Exec(t.Context(), strings.ReplaceAll(statement, "%", a.name+"@'%'")); err != nil {
						t.Fatalf("%s: %v", a.name, err)
					}
				}
				d := b.Diagnose(t)
				b.MustFind(t, d, "login:ok "+a.finding, a.says)
				if err := b.Rotate(t); err != nil {
					t.Fatalf("%s: %v", a.name, err)
				}
				if d.Strategy != a.strategy || !strings.Contains(b.Logs(), `"strategy":"`+a.strategy+`"`) {
					t.Errorf("%s: %s was foretold, want %s:\n%s", a.name, d.Strategy, a.strategy, b.Logs())
				}
			}
		})
	}
}

// An account that locks after two refused logins is not locked by a diagnosis.
func TestDiagnosisLocksNobodyOut(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	t.Parallel()
	server := databasetest.Shared(t, database.MySQL, "")
	b := dbusertest.NewBench(t, dual(database.MySQL, ""), server, "lockable", "Old-Password-of-lockable")
	for range 2 {
		if err := b.Rotate(t); err != nil {
			t.Fatal(err)
		}
	}
	// Of the current password alone the server knows; two others are refused.
	if err := server.Exec(t.Context(), "ALTER USER lockable@'%' DISCARD OLD PASSWORD FAILED_LOGIN_ATTEMPTS 2 PASSWORD_LOCK_TIME UNBOUNDED"); err != nil {
		t.Fatal(err)
	}
	b.PlantPending("New-Password-of-lockable")
	for range 3 {
		d := b.Diagnose(t)
		if got := d.Versions[0].Login; got != rotation.LoginWorks {
			t.Fatalf("locked out: %+v", d.Versions)
		}
	}
}
