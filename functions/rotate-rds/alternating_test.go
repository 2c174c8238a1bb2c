package main_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
)

const adminPassword = "Password-of-the-administrator"

// administrators are the statements that make one who may manage a user.
func administrators(e engine, admin, user string) []string {
	if e.server == database.Postgres {
		statements := []string{"CREATE ROLE " + admin + " LOGIN CREATEROLE PASSWORD '" + adminPassword + "'"}
		if e.version != "15" {
			statements = append(statements, "GRANT "+user+" TO "+admin+" WITH ADMIN OPTION")
		}
		return statements
	}
	return []string{
		"CREATE USER " + admin + "@'%' IDENTIFIED BY '" + adminPassword + "'",
		"GRANT CREATE USER ON *.* TO " + admin + "@'%'",
		"GRANT SELECT ON mysql.* TO " + admin + "@'%'",
		"GRANT SELECT ON app.* TO " + admin + "@'%' WITH GRANT OPTION",
		"GRANT SELECT ON app.* TO " + user + "@'%'",
	}
}

// Two users take turns, as Secrets Manager drives the compiled function: both
// credentials of a pair are valid after each rotation, and none is told.
func TestAlternatingUsers(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, e engine) {
		db := databasetest.Shared(t, e.server, e.version)
		a := newAccount(t, e, db, "alternated", nil)
		if err := db.Exec(t.Context(), administrators(e, "alternator", a.user)...); err != nil {
			t.Fatal(err)
		}
		a.nameAdministrator(e, "alternator")
		if got := verdicts(a.diagnose(adminPassword)); got != "function:fail" {
			t.Errorf("diagnosis before rotation is turned on: %s", got)
		}
		if err := a.rotate(false); err != nil { // a rehearsal, which makes no clone
			t.Fatalf("%v\n%s", err, a.logs.String())
		}
		if got := verdicts(a.diagnose(adminPassword)); !strings.Contains(got, "pair:ok AWSCURRENT:works") {
			t.Errorf("diagnosis: %s", got)
		}
		users := "SELECT count(*) FROM mysql.user WHERE User = 'alternated_clone'"
		if e.server == database.Postgres {
			users = "SELECT count(*) FROM pg_roles WHERE rolname = 'alternated_clone'"
		}
		if rows, err := db.Query(t.Context(), users); err != nil || rows[0][0] != "0" {
			t.Errorf("a diagnosis made the clone: %v, %v", rows, err)
		}
		names := []string{"alternated", "alternated_clone"}
		for n := range 4 {
			if err := a.rotate(true); err != nil {
				t.Fatalf("%v\n%s", err, a.logs.String())
			}
			for i, label := range []string{"AWSCURRENT", "AWSPREVIOUS"} {
				password, rest := a.value(label)
				if user := rest["username"]; user != names[(n+1+i)%2] || rest["team"] != "payments" {
					t.Errorf("rotation %d: %s is of %v", n, label, user)
				}
				if err := db.Login(t.Context(), fmt.Sprint(rest["username"]), password); err != nil {
					t.Errorf("rotation %d: %s does not log in: %v", n, label, err)
				}
				a.mustNotLeak(password, adminPassword)
			}
		}
		if !strings.Contains(a.logs.String(), `"strategy":"alternating"`) {
			t.Errorf("the log does not name the strategy:\n%s", a.logs.String())
		}
		if err := a.rotate(false); err != nil {
			t.Errorf("rehearsal: %v", err)
		}
		password, _ := a.value("AWSCURRENT")
		const want = "rotation:ok value:ok password:ok dns:ok tcp:ok tls:ok login:ok server:ok administrator:ok administrator's_login:ok pair:ok AWSCURRENT:works AWSPREVIOUS:works"
		if got := verdicts(a.diagnose(password, adminPassword)); got != want {
			t.Errorf("diagnosis: %s", got)
		}
	})
}

// nameAdministrator makes the administrator's secret and names it in the user's.
func (a *account) nameAdministrator(e engine, admin string) {
	a.t.Helper()
	text, err := json.Marshal(map[string]any{"engine": e.secret, "host": a.database.Host, "port": a.database.Port, "username": admin, "password": adminPassword})
	if err != nil {
		a.t.Fatal(err)
	}
	made, err := a.client.CreateSecret(a.t.Context(), &sdk.CreateSecretInput{Name: &admin, SecretString: aws.String(string(text))})
	if err != nil {
		a.t.Fatal(err)
	}
	password, doc := a.value("AWSCURRENT")
	doc["password"], doc["masterarn"] = password, *made.ARN
	if text, err = json.Marshal(doc); err != nil {
		a.t.Fatal(err)
	}
	if _, err := a.client.PutSecretValue(a.t.Context(), &sdk.PutSecretValueInput{SecretId: &a.secret, SecretString: aws.String(string(text))}); err != nil {
		a.t.Fatal(err)
	}
}
