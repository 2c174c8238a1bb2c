package main

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
)

// fleetCommands make what a rotation fails of.
//
//	dbchange NAME        somebody changes the user's password in the database by hand
//	dbaway NAME          the secret names a port where no server is, and no version another
//	sm-policy NAME FILE  the secret's resource policy
//	sm-turn-on NAME EXPRESSION [FUNCTION]
//	                     rotation with a schedule, windows of three hours; it is rehearsed.
//	                     The function is rotate-rds if none is named
var fleetCommands = map[string]scriptCommand{
	"dbchange": func(ts *testscript.TestScript, not bool, args []string) {
		if not || len(args) != 1 {
			ts.Fatalf("usage: dbchange NAME")
		}
		s := scriptOf(ts)
		password := fmt.Sprintf("By-hand-%d", time.Now().UnixNano())
		s.stored(password)
		server := databasetest.Shared(s.t, database.Postgres, "")
		ts.Check(server.Exec(s.t.Context(), fmt.Sprintf(`ALTER ROLE %q PASSWORD '%s'`, userOf(args[0]), password)))
	},
	"dbaway": func(ts *testscript.TestScript, not bool, args []string) {
		if not || len(args) != 1 {
			ts.Fatalf("usage: dbaway NAME")
		}
		s := scriptOf(ts)
		var document map[string]any
		ts.Check(json.Unmarshal(s.get(ts, args[0], "AWSCURRENT"), &document))
		closed, err := net.Listen("tcp4", "127.0.0.1:0")
		ts.Check(err)
		document["port"] = closed.Addr().(*net.TCPAddr).Port
		ts.Check(closed.Close())
		changed, err := json.Marshal(document)
		ts.Check(err)
		_, err = s.aws.PutSecretValue(s.t.Context(), &secretsmanager.PutSecretValueInput{SecretId: &args[0], SecretString: aws.String(string(changed))})
		ts.Check(err)
	},
	"sm-policy": func(ts *testscript.TestScript, not bool, args []string) {
		if not || len(args) != 2 {
			ts.Fatalf("usage: sm-policy NAME FILE")
		}
		s := scriptOf(ts)
		_, err := s.aws.PutResourcePolicy(s.t.Context(), &secretsmanager.PutResourcePolicyInput{SecretId: &args[0], ResourcePolicy: aws.String(ts.ReadFile(args[1]))})
		ts.Check(err)
	},
	"sm-turn-on": func(ts *testscript.TestScript, not bool, args []string) {
		if not || len(args) < 2 || len(args) > 3 {
			ts.Fatalf("usage: sm-turn-on NAME EXPRESSION [FUNCTION]")
		}
		s, function := scriptOf(ts), rotateRDSARN
		if len(args) == 3 {
			function = strings.Replace(function, "rotate-rds", args[2], 1)
		}
		_, err := s.aws.RotateSecret(s.t.Context(), &secretsmanager.RotateSecretInput{
			SecretId: &args[0], RotationLambdaARN: &function, RotateImmediately: aws.Bool(false),
			RotationRules: &types.RotationRulesType{ScheduleExpression: &args[1], Duration: aws.String("3h")},
		})
		ts.Check(err)
	},
}
