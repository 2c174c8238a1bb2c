package main

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
)

// doctorCommands bring secrets into states that need a doctor.
//
//	edited FILE NEW KEY=VALUE…  the secret in FILE (or stdout) with other values, to the file NEW
//	trusting                    programs trust the database's certificate, as the functions do
//	dbpassword NAME STAGE       the database user gets the password of that version; of none,
//	                            one that nobody knows: -
//	dbpair NAME                 dbsecret with alternating users; NAME-admin is the
//	                            administrator's secret
//	cancelled NAME              its rotation is turned off
//	policed NAME FILE           the secret gets the resource policy in FILE
//	rotates NAME FUNCTION       its rotation is turned on, and tried
//	vendor KEY…                 a vendor who takes these keys, and a rekey local of the script's
//	                            own whose rotate-apikey reaches it: $VENDOR
//	uninvited FUNCTION          Secrets Manager may not invoke the function any more
var doctorCommands = map[string]scriptCommand{
	"edited": edited,
	"trusting": func(ts *testscript.TestScript, _ bool, args []string) {
		arguments(ts, args, 0)
		ts.Setenv("SSL_CERT_FILE", databasetest.Shared(scriptOf(ts).t, database.Postgres, "").CAFile())
	},
	"dbpassword": dbpassword,
	"dbpair":     dbpair,
	"cancelled": func(ts *testscript.TestScript, _ bool, args []string) {
		arguments(ts, args, 1)
		_, err := scriptOf(ts).aws.CancelRotateSecret(scriptOf(ts).t.Context(), &secretsmanager.CancelRotateSecretInput{SecretId: &args[0]})
		ts.Check(err)
	},
	"vendor": vendor,
	"rotates": func(ts *testscript.TestScript, _ bool, args []string) {
		arguments(ts, args, 2)
		scriptOf(ts).rotates(ts, args[0], strings.Replace(rotateRDSARN, "rotate-rds", args[1], 1))
	},
	"policed": func(ts *testscript.TestScript, _ bool, args []string) {
		arguments(ts, args, 2)
		_, err := scriptOf(ts).aws.PutResourcePolicy(scriptOf(ts).t.Context(), &secretsmanager.PutResourcePolicyInput{
			SecretId: &args[0], ResourcePolicy: aws.String(ts.ReadFile(args[1])),
		})
		ts.Check(err)
	},
	"uninvited": func(ts *testscript.TestScript, _ bool, args []string) {
		arguments(ts, args, 1)
		s := scriptOf(ts)
		client := lambda.New(lambda.Options{
			Region: s.local.ready.Region, BaseEndpoint: &s.local.ready.Endpoint, Credentials: credentials.NewStaticCredentialsProvider("me", "none", ""),
		})
		out, err := client.GetPolicy(s.t.Context(), &lambda.GetPolicyInput{FunctionName: &args[0]})
		ts.Check(err)
		var policy struct{ Statement []struct{ Sid string } }
		ts.Check(json.Unmarshal([]byte(*out.Policy), &policy))
		for _, statement := range policy.Statement {
			_, err := client.RemovePermission(s.t.Context(), &lambda.RemovePermissionInput{FunctionName: &args[0], StatementId: &statement.Sid})
			ts.Check(err)
		}
	},
}

// arguments ends the script if there are not so many.
func arguments(ts *testscript.TestScript, args []string, n int) {
	if len(args) != n {
		ts.Fatalf("it takes %d arguments, not %d: see doctorCommands", n, len(args))
	}
}

func edited(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: edited FILE NEW KEY=VALUE…")
	}
	var document map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &document))
	for _, change := range args[2:] {
		key, value, _ := strings.Cut(change, "=")
		document[key] = value
		if number, err := strconv.Atoi(value); err == nil {
			document[key] = number
		}
		if key == "password" {
			scriptOf(ts).stored(value)
		}
	}
	text, err := json.Marshal(document)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o600))
}

func dbpassword(ts *testscript.TestScript, _ bool, args []string) {
	arguments(ts, args, 2)
	s := scriptOf(ts)
	of := args[1]
	if of == "-" {
		of = "AWSCURRENT"
	}
	var document struct{ Username, Password string }
	ts.Check(json.Unmarshal(s.get(ts, args[0], of), &document))
	if args[1] == "-" {
		document.Password = fmt.Sprintf("Nobody-knows-%d", time.Now().UnixNano())
	}
	ts.Check(databasetest.Shared(s.t, database.Postgres, "").Exec(s.t.Context(),
		fmt.Sprintf(`ALTER ROLE %q PASSWORD '%s'`, document.Username, document.Password)))
}

func dbpair(ts *testscript.TestScript, _ bool, args []string) {
	arguments(ts, args, 1)
	s := scriptOf(ts)
	if testing.Short() {
		s.t.Skip("needs a database server")
	}
	server := databasetest.Shared(s.t, database.Postgres, "")
	name, admin := args[0], args[0]+"-admin"
	secrets := map[string]map[string]any{}
	for _, id := range []string{admin, name} {
		password := fmt.Sprintf("First-%d-of-%s", time.Now().UnixNano(), id)
		s.stored(password)
		secrets[id] = map[string]any{
			"engine": server.Engine, "host": server.Host, "port": server.Port, "dbname": server.Database, "username": userOf(id), "password": password,
		}
		ts.Check(server.Exec(s.t.Context(), fmt.Sprintf(`CREATE ROLE %q LOGIN PASSWORD '%s'`, userOf(id), password)))
	}
	ts.Check(server.Exec(s.t.Context(), fmt.Sprintf(`ALTER ROLE %q CREATEROLE`, userOf(admin)), fmt.Sprintf(`GRANT %q TO %q WITH ADMIN OPTION`, userOf(name), userOf(admin))))
	for _, id := range []string{admin, name} {
		text, err := json.Marshal(secrets[id])
		ts.Check(err)
		made, err := s.aws.CreateSecret(s.t.Context(), &secretsmanager.CreateSecretInput{Name: &id, SecretString: aws.String(string(text))})
		ts.Check(err)
		secrets[name]["masterarn"] = *made.ARN
	}
	s.rotates(ts, name, rotateRDSARN)
}

func (s *script) rotates(ts *testscript.TestScript, name, functionARN string) {
	_, err := s.aws.RotateSecret(s.t.Context(), &secretsmanager.RotateSecretInput{
		SecretId: &name, RotationLambdaARN: &functionARN, RotateImmediately: aws.Bool(false),
		RotationRules: &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30)},
	})
	ts.Check(err)
	s.local.await(s.t, "RotationSucceeded", name, 1) // of the trial
}

// vendor is a registry of packages that asks who has a token.
func vendor(ts *testscript.TestScript, _ bool, keys []string) {
	s := scriptOf(ts)
	web := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if r.URL.Path != "/-/whoami" || !slices.Contains(keys, key) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(`{"username":"app"}`))
	}))
	s.t.Cleanup(web.Close)
	authority := ts.MkAbs("vendor.pem")
	ts.Check(os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600))
	ts.Setenv("VENDOR", web.URL)
	s.reach(startLocal(s.t, "--function", "rotate-apikey="+s.shared.keys, "--env", "SSL_CERT_FILE="+authority, "--env", "ALLOW_PRIVATE_HOSTS=127.0.0.1"), ts.Setenv)
}
