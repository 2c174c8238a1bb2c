package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/local/lambda"
	"github.com/rekey-aws/rekey/local/lambda/lambdatest"
	"github.com/rekey-aws/rekey/local/secretsmanager"
	"github.com/rekey-aws/rekey/shared/secretstore"
)

func TestMain(m *testing.M) { lambdatest.Main(m, "rotate-rds", databasetest.StopShared) }

// account is AWS on this machine: Secrets Manager, the function, and a database
// with a user whose secret is rotated.
type account struct {
	t        testing.TB
	client   *sdk.Client
	server   *secretsmanager.Server
	function *lambda.Function
	database *database.Server
	secret   string // ARN
	user     string
	password string // the first
	dual     bool   // the user may keep its old password

	mu    sync.Mutex
	logs  bytes.Buffer
	calls []string // the function's
	steps []secretsmanager.RotationEvent
	fault func(operation string) secretsmanager.FaultKind
}

func (a *account) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.logs.Write(p)
}

// engine is a server that the function rotates on.
type engine struct {
	name    string // of the subtest
	secret  string // the secret's "engine"
	server  database.Engine
	version string
	create  string // %s, %s: user, password
	grant   string // the privilege to keep an old password; "": none is granted
}

var engines = []engine{
	{"PostgreSQL 15", "postgres", database.Postgres, "15", `CREATE ROLE %s LOGIN PASSWORD '%s'`, ""},
	{"PostgreSQL 18", "aurora-postgresql", database.Postgres, "18", `CREATE ROLE %s LOGIN PASSWORD '%s'`, ""},
	{"MySQL 9", "mysql", database.MySQL, "9", `CREATE USER %s@'%%' IDENTIFIED BY '%s'`, ""},
	{"MariaDB 10.11", "mariadb", database.MariaDB, "10.11", `CREATE USER %s@'%%' IDENTIFIED BY '%s'`, ""},
}

// withDual are the engines, and once more those that know dual passwords.
var withDual = append(slices.Clone(engines),
	engine{"MySQL 9 dual", "aurora-mysql", database.MySQL, "9", `CREATE USER %s@'%%' IDENTIFIED BY '%s'`, "APPLICATION_PASSWORD_ADMIN"},
	engine{"MariaDB 10.11 dual", "mariadb", database.MariaDB, "10.11", `CREATE USER %s@'%%' IDENTIFIED BY '%s'`, "CREATE USER"},
)

// functionKey is the access key under which the function's calls are told from
// the test's.
const functionKey = "AKIDFUNCTION"

func newAccount(t testing.TB, e engine, db *database.Server, user string, environment map[string]string, tune ...func(*lambda.Config)) *account {
	t.Helper()
	if e.grant != "" {
		user += "_dual"
	}
	a := &account{t: t, database: db, user: user, password: "First-Password-of-" + user, dual: e.grant != ""}
	registry := &lambda.Registry{}
	var err error
	a.server, err = secretsmanager.New(secretsmanager.Options{
		Invoker: registry,
		Backoff: func(int) time.Duration { return 10 * time.Millisecond },
		OnCall: func(c secretsmanager.Call) {
			a.mu.Lock()
			defer a.mu.Unlock()
			if c.AccessKeyID == functionKey {
				lambdatest.Called("secretsmanager:" + c.Operation)
				a.calls = append(a.calls, c.Operation)
			}
		},
		OnRotation: func(e secretsmanager.RotationEvent) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.steps = append(a.steps, e)
		},
		Fault: func(operation string, _ int) secretsmanager.Fault {
			a.mu.Lock()
			defer a.mu.Unlock()
			if a.fault == nil {
				return secretsmanager.Fault{}
			}
			return secretsmanager.Fault{Kind: a.fault(operation)}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(a.server)
	config := lambda.Config{
		Name: "rotate-rds", Binary: lambdatest.Binary, Timeout: 30 * time.Second, Logs: a,
		Credentials: lambda.Credentials{AccessKeyID: functionKey, SecretAccessKey: "example", SessionToken: "example"},
		Env:         map[string]string{"AWS_ENDPOINT_URL": web.URL, "SSL_CERT_FILE": db.CAFile()},
	}
	maps.Copy(config.Env, environment)
	for _, change := range tune {
		change(&config)
	}
	if a.function, err = lambda.New(config); err != nil {
		t.Fatal(err)
	}
	if err := registry.Add(a.function); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(a.server.Close(), registry.Close()); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	a.client, err = secretstore.Client(func(name string) (string, bool) {
		v, ok := map[string]string{"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": web.URL, "AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "example"}[name]
		return v, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	a.createUser(e)
	return a
}

// createUser makes the user and its secret.
func (a *account) createUser(e engine) {
	a.t.Helper()
	statements := []string{fmt.Sprintf(e.create, a.user, a.password)}
	if a.dual {
		statements = append(statements, "GRANT "+e.grant+" ON *.* TO "+a.user+"@'%'")
	}
	if err := a.database.Exec(a.t.Context(), statements...); err != nil {
		a.t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{
		"engine": e.secret, "host": a.database.Host, "port": a.database.Port, "username": a.user, "password": a.password, "team": "payments",
	})
	if err != nil {
		a.t.Fatal(err)
	}
	made, err := a.client.CreateSecret(a.t.Context(), &sdk.CreateSecretInput{Name: &a.user, SecretString: aws.String(string(text))})
	if err != nil {
		a.t.Fatal(err)
	}
	a.secret = *made.ARN
}

// rotate asks for a rotation and waits for its end.
func (a *account) rotate(immediately bool) error {
	a.t.Helper()
	_, err := a.client.RotateSecret(a.t.Context(), &sdk.RotateSecretInput{
		SecretId: &a.secret, RotationLambdaARN: aws.String(a.function.ARN()), RotateImmediately: &immediately,
		RotationRules: &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30)},
	})
	if err != nil {
		a.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(a.t.Context(), 2*time.Minute)
	defer cancel()
	_, err = a.server.Wait(ctx, a.secret)
	return err
}

// value is the password, and the rest of the document, of a version.
func (a *account) value(stage string) (password string, rest map[string]any) {
	a.t.Helper()
	out, err := a.client.GetSecretValue(a.t.Context(), &sdk.GetSecretValueInput{SecretId: &a.secret, VersionStage: &stage})
	if err != nil {
		a.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(*out.SecretString), &rest); err != nil {
		a.t.Fatal(err)
	}
	password, _ = rest["password"].(string)
	delete(rest, "password")
	return password, rest
}

// mustHaveRotated asserts what a person would check.
func (a *account) mustHaveRotated(old string) {
	a.t.Helper()
	current, rest := a.value("AWSCURRENT")
	previous, _ := a.value("AWSPREVIOUS")
	if current == old || previous != old {
		a.t.Error("the labels are not on the new and the old value")
	}
	if rest["team"] != "payments" {
		a.t.Error("an unknown key was lost")
	}
	if err := a.database.Login(a.t.Context(), a.user, current); err != nil {
		a.t.Errorf("locked out: AWSCURRENT does not log in: %v", err)
	}
	if valid := a.database.Login(a.t.Context(), a.user, old) == nil; valid != a.dual {
		a.t.Errorf("the old password logs in: %v, want %v", valid, a.dual)
	}
	a.mustNotLeak(current, previous)
}

// mustNotLeak searches what the function and the database wrote.
func (a *account) mustNotLeak(passwords ...string) {
	a.t.Helper()
	serverLogs, err := a.database.Logs()
	if err != nil {
		a.t.Fatal(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range append(passwords, a.password) {
		if strings.Contains(a.logs.String(), p) {
			a.t.Errorf("a password is in the function's output:\n%s", a.logs.String())
		}
		if strings.Contains(serverLogs, p) {
			a.t.Error("a password is in the server's logs")
		}
	}
}

func eachEngine(t *testing.T, test func(t *testing.T, e engine)) { eachOf(t, engines, test) }

func eachOf(t *testing.T, engines []engine, test func(t *testing.T, e engine)) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs database servers")
	}
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			test(t, e)
		})
	}
}
