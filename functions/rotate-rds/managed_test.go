package main_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/local/lambda/lambdatest"
	"github.com/rekey-aws/rekey/shared/rdsapi/rdsapitest"
)

const instanceARN = "arn:aws:rds:us-east-1:123456789012:db:shop"

// instanceAt is an RDS with one instance, at a host and port.
func instanceAt(t *testing.T, e engine, host string, port int) *rdsapitest.Fake {
	return (&rdsapitest.Fake{Instances: []rdsapitest.Instance{{
		DBInstanceIdentifier: "shop", DBInstanceArn: instanceARN, Engine: e.secret,
		Endpoint: &rdsapitest.Address{Address: host, Port: port},
	}}}).Serve(t)
}

// manageAdministrator makes the administrator's secret as RDS does, and names it
// in the user's.
func (a *account) manageAdministrator(admin string) {
	a.t.Helper()
	made, err := a.client.CreateSecret(a.t.Context(), &sdk.CreateSecretInput{Name: aws.String("rds!db-" + admin)})
	if err != nil {
		a.t.Fatal(err)
	}
	a.store(*made.ARN, map[string]any{"username": admin, "password": adminPassword})
	if err := a.server.SetOwner(*made.ARN, "rds", map[string]string{"aws:rds:primaryDBInstanceArn": instanceARN}); err != nil {
		a.t.Fatal(err)
	}
	password, doc := a.value("AWSCURRENT")
	doc["password"], doc["masterarn"] = password, *made.ARN
	a.store(a.secret, doc)
}

// store makes a document a secret's current value.
func (a *account) store(id string, doc map[string]any) {
	a.t.Helper()
	text, err := json.Marshal(doc)
	if err == nil {
		_, err = a.client.PutSecretValue(a.t.Context(), &sdk.PutSecretValueInput{SecretId: &id, SecretString: aws.String(string(text))})
	}
	if err != nil {
		a.t.Fatal(err)
	}
}

// The administrator's secret is one that RDS manages: it holds no host, and
// RDS's API tells it.
func TestManagedAdministrator(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, e engine) {
		db := databasetest.Shared(t, e.server, e.version)
		rds := instanceAt(t, e, db.Host, db.Port)
		a := newAccount(t, e, db, "managed", map[string]string{"AWS_ENDPOINT_URL_RDS": rds.URL})
		if err := db.Exec(t.Context(), administrators(e, "manager", a.user)...); err != nil {
			t.Fatal(err)
		}
		a.manageAdministrator("manager")
		for range 2 {
			if err := a.rotate(true); err != nil {
				t.Fatalf("%v\n%s", err, a.logs.String())
			}
			for _, label := range []string{"AWSCURRENT", "AWSPREVIOUS"} {
				password, rest := a.value(label)
				if err := db.Login(t.Context(), fmt.Sprint(rest["username"]), password); err != nil {
					t.Errorf("%s does not log in: %v", label, err)
				}
				a.mustNotLeak(password, adminPassword)
			}
		}
		for _, action := range rds.Calls() {
			lambdatest.Called("rds:" + action)
		}
		if want := slices.Repeat([]string{"DescribeDBInstances"}, 4); !slices.Equal(rds.Calls(), want) { // preflight and set, each time
			t.Errorf("calls to RDS: %v", rds.Calls())
		}
	})
}

// What RDS says of another server, or refuses to say, ends the rotation before
// anything changed; the administrator's password goes nowhere.
func TestManagedAdministratorRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	t.Parallel()
	e := engines[0]
	for name, c := range map[string]struct {
		host string
		code string // of RDS
		says []string
	}{
		"elsewhere": {"shop.abc.us-east-1.rds.amazonaws.com", "", []string{"wrong configuration", "not an endpoint of RDS"}},
		"denied":    {"", "AccessDenied", []string{"permission denied", "rds:DescribeDBInstances"}},
		"gone":      {"", "DBInstanceNotFound", []string{"wrong configuration", instanceARN}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := databasetest.Start(t, database.Options{Engine: e.server, Version: e.version, LogStatements: true})
			host := c.host
			if host == "" {
				host = db.Host
			}
			rds := instanceAt(t, e, host, db.Port)
			rds.Fault = func(string, int) string { return c.code }
			a := newAccount(t, e, db, "managed_"+name, map[string]string{"AWS_ENDPOINT_URL_RDS": rds.URL})
			if err := db.Exec(t.Context(), administrators(e, "manager", a.user)...); err != nil {
				t.Fatal(err)
			}
			a.manageAdministrator("manager")
			a.calls = nil
			err := a.rotate(true)
			if err == nil {
				t.Fatal("it rotated")
			}
			for _, s := range append(c.says, "What to do") {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("the error does not say %q: %v", s, err)
				}
			}
			if slices.Contains(a.calls, "PutSecretValue") || slices.Contains(a.calls, "UpdateSecretVersionStage") {
				t.Errorf("it wrote: %v", a.calls)
			}
			logs, err := db.Logs()
			if err != nil || strings.Contains(logs, "user=manager") || strings.Contains(logs, "_clone") {
				t.Errorf("the administrator logged in: %v", err)
			}
			a.mustNotLeak(adminPassword)
		})
	}
}
