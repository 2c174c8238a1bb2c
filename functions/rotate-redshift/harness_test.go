package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
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
	"github.com/rekey-aws/rekey/local/redshift"
	"github.com/rekey-aws/rekey/local/redshift/redshifttest"
	"github.com/rekey-aws/rekey/local/secretsmanager"
	"github.com/rekey-aws/rekey/shared/redshiftapi/redshiftapitest"
	"github.com/rekey-aws/rekey/shared/secretstore"
)

func TestMain(m *testing.M) { lambdatest.Main(m, "rotate-redshift", databasetest.StopShared) }

const (
	clusterHost   = "shop.abc123.us-east-1.redshift.amazonaws.com"
	workgroupHost = "reports.123456789012.us-east-1.redshift-serverless.amazonaws.com"
	customDomain  = "dwh.example.com"
	clusterARN    = "arn:aws:redshift:us-east-1:123456789012:cluster:shop"
	namespaceARN  = "arn:aws:redshift-serverless:us-east-1:123456789012:namespace/22222222-0000-0000-0000-000000000000"
	adminPassword = "Password-1-of-the-administrator"
	userPassword  = "First-Password-1"
	functionKey   = "AKIDFUNCTION" // by which the function's calls are told from the test's
)

// account is AWS on this machine: Secrets Manager, the function, Redshift's APIs,
// and a warehouse with a user whose secret is rotated.
type account struct {
	t        *testing.T
	client   *sdk.Client
	server   *secretsmanager.Server
	function *lambda.Function
	database *database.Server
	front    *redshift.Server
	api      *redshiftapitest.Fake
	secret   string // ARN

	mu    sync.Mutex
	logs  bytes.Buffer
	calls []string // the function's, of Secrets Manager
}

func (a *account) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.logs.Write(p)
}

func (a *account) output() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.logs.String()
}

// newAccount has a user app, and a superuser root. The secret gets keys, and
// those that are nil are left out.
func newAccount(t *testing.T, keys map[string]any, environment map[string]string, tune ...func(*lambda.Config)) *account {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a database server")
	}
	a := &account{t: t}
	a.database = databasetest.Start(t, redshift.Options(database.Options{
		LogStatements: true, CertificateHosts: []string{"localhost", "127.0.0.1", clusterHost, workgroupHost, customDomain},
	}))
	a.front = redshifttest.Before(t, a.database)
	a.api = (&redshiftapitest.Fake{
		Clusters:   []redshiftapitest.Cluster{{ClusterIdentifier: "shop", ClusterNamespaceArn: clusterARN, Address: clusterHost, Port: 5439, MultiAZ: "Disabled"}},
		Workgroups: []redshiftapitest.Workgroup{{WorkgroupName: "reports", NamespaceName: "finance", Endpoint: &redshiftapitest.Endpoint{Address: workgroupHost, Port: 5439}}},
		Namespaces: []redshiftapitest.Namespace{{NamespaceName: "finance", NamespaceArn: namespaceARN}},
		Domains:    []redshiftapitest.Domain{{Name: customDomain, Workgroup: "reports"}},
		Warehouse:  a.front, Secret: a.readCurrent, Role: "IAMR:rotate-redshift",
	}).Serve(t)
	t.Cleanup(func() {
		for _, action := range a.api.Actions() {
			lambdatest.Called(action)
		}
	})
	a.silently("CREATE ROLE app LOGIN PASSWORD '"+userPassword+"'", "CREATE ROLE root LOGIN SUPERUSER PASSWORD '"+adminPassword+"'",
		`CREATE ROLE "IAM:rekey_admin" LOGIN SUPERUSER PASSWORD '`+redshiftapitest.TemporaryPassword+`'`, `CREATE ROLE rekey_admin LOGIN SUPERUSER`,
		`CREATE ROLE "IAMR:rotate-redshift" LOGIN SUPERUSER PASSWORD '`+redshiftapitest.TemporaryPassword+`'`)
	a.deploy(environment, tune...)
	doc := map[string]any{"engine": "redshift", "host": "localhost", "port": a.front.Port, "username": "app", "password": userPassword, "team": "finance"}
	maps.Copy(doc, keys)
	a.secret = a.store("app", doc)
	return a
}

// deploy starts Secrets Manager and the function.
func (a *account) deploy(environment map[string]string, tune ...func(*lambda.Config)) {
	a.t.Helper()
	registry := &lambda.Registry{}
	var err error
	a.server, err = secretsmanager.New(secretsmanager.Options{
		Invoker: registry, Backoff: func(int) time.Duration { return 10 * time.Millisecond },
		OnCall: func(c secretsmanager.Call) {
			a.mu.Lock()
			defer a.mu.Unlock()
			if c.AccessKeyID == functionKey {
				lambdatest.Called("secretsmanager:" + c.Operation)
				a.calls = append(a.calls, c.Operation)
			}
		},
	})
	if err != nil {
		a.t.Fatal(err)
	}
	web := httptest.NewServer(a.server)
	authority := filepath.Join(a.t.TempDir(), "authority.pem")
	if err := os.WriteFile(authority, a.front.CAPEM(), 0o600); err != nil {
		a.t.Fatal(err)
	}
	config := lambda.Config{
		Name: "rotate-redshift", Binary: lambdatest.Binary, Timeout: 60 * time.Second, Logs: a,
		Credentials: lambda.Credentials{AccessKeyID: functionKey, SecretAccessKey: "example", SessionToken: "example"},
		Env:         map[string]string{"AWS_ENDPOINT_URL": web.URL, "SSL_CERT_FILE": authority},
	}
	maps.Copy(config.Env, a.api.Settings())
	maps.Copy(config.Env, environment)
	for _, change := range tune {
		change(&config)
	}
	if a.function, err = lambda.New(config); err != nil {
		a.t.Fatal(err)
	}
	if err := registry.Add(a.function); err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() {
		if err := errors.Join(a.server.Close(), registry.Close()); err != nil {
			a.t.Error(err)
		}
		web.Close()
	})
	settings := map[string]string{"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": web.URL, "AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "example"}
	if a.client, err = secretstore.Client(func(name string) (string, bool) { v, ok := settings[name]; return v, ok }); err != nil {
		a.t.Fatal(err)
	}
}

// silently runs statements that leave no trace in the logs.
func (a *account) silently(statements ...string) {
	a.t.Helper()
	if err := a.database.Exec(a.t.Context(), statements...); err != nil {
		a.t.Fatal(err)
	}
}

// store makes a secret, or gives one that is there a value. It returns the ARN.
func (a *account) store(name string, doc map[string]any) string {
	a.t.Helper()
	maps.DeleteFunc(doc, func(_ string, v any) bool { return v == nil })
	text, err := json.Marshal(doc)
	if err != nil {
		a.t.Fatal(err)
	}
	made, err := a.client.CreateSecret(a.t.Context(), &sdk.CreateSecretInput{Name: &name, SecretString: aws.String(string(text))})
	if err == nil {
		return *made.ARN
	}
	put, err := a.client.PutSecretValue(a.t.Context(), &sdk.PutSecretValueInput{SecretId: &name, SecretString: aws.String(string(text))})
	if err != nil {
		a.t.Fatal(err)
	}
	return *put.ARN
}

// set changes keys of the user's secret.
func (a *account) set(keys map[string]any) {
	a.t.Helper()
	doc := a.value("AWSCURRENT")
	maps.Copy(doc, keys)
	a.store(a.secret, doc)
}

// readCurrent is how the Data API reads a secret.
func (a *account) readCurrent(arn string) (user, password string, err error) {
	out, err := a.client.GetSecretValue(context.Background(), &sdk.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		return "", "", err
	}
	var doc struct{ Username, Password string }
	err = json.Unmarshal([]byte(*out.SecretString), &doc)
	return doc.Username, doc.Password, err
}

func (a *account) value(stage string) (doc map[string]any) {
	a.t.Helper()
	out, err := a.client.GetSecretValue(a.t.Context(), &sdk.GetSecretValueInput{SecretId: &a.secret, VersionStage: &stage})
	if err == nil {
		err = json.Unmarshal([]byte(*out.SecretString), &doc)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	return doc
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
	ctx, cancel := context.WithTimeout(a.t.Context(), 4*time.Minute)
	defer cancel()
	_, err = a.server.Wait(ctx, a.secret)
	return err
}

// mustRotate asserts what a person would check: both credentials of a pair log
// in, of a single user the new one only, and no password is told anywhere.
func (a *account) mustRotate(single bool) {
	a.t.Helper()
	if err := a.rotate(true); err != nil {
		a.t.Fatalf("%v\n%s", err, a.output())
	}
	current, previous := a.value("AWSCURRENT"), a.value("AWSPREVIOUS")
	if current["team"] != "finance" || current["password"] == previous["password"] {
		a.t.Errorf("the values are not what they should be")
	}
	if err := a.logsIn(current); err != nil {
		a.t.Errorf("locked out: AWSCURRENT does not log in: %v", err)
	}
	if err := a.logsIn(previous); (err == nil) == single {
		a.t.Errorf("AWSPREVIOUS: %v", err)
	}
	a.mustNotLeak(fmt.Sprint(current["password"]), fmt.Sprint(previous["password"]))
	if refused := a.front.Refused(); len(refused) > 0 {
		a.t.Errorf("Redshift would not take: %v", refused)
	}
}

func (a *account) logsIn(doc map[string]any) error {
	return a.database.Login(a.t.Context(), fmt.Sprint(doc["username"]), fmt.Sprint(doc["password"]))
}

// mustNotLeak searches what the function, the server and the Data API wrote.
func (a *account) mustNotLeak(passwords ...string) {
	a.t.Helper()
	serverLogs, err := a.database.Logs()
	if err != nil {
		a.t.Fatal(err)
	}
	for where, text := range map[string]string{"the function's output": a.output(), "the server's logs": serverLogs, "the statements": redshifttest.Log(a.front)} {
		for _, p := range append(passwords, userPassword, adminPassword, redshiftapitest.TemporaryPassword) {
			if strings.Contains(text, p) {
				a.t.Errorf("a password is in %s", where)
			}
		}
	}
}
