package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
)

// secretCommands make secrets, with and without a database, and look at them.
var secretCommands = map[string]scriptCommand{
	"dbsecret": dbsecret,
	"dblogin":  dblogin,
	"sm":       sm,
	"await": func(ts *testscript.TestScript, not bool, args []string) {
		if not || len(args) < 2 || len(args) > 3 {
			ts.Fatalf("usage: await EVENT NAME [N]")
		}
		times := 1
		if len(args) == 3 {
			var err error
			times, err = strconv.Atoi(args[2])
			ts.Check(err)
		}
		s := scriptOf(ts)
		e := s.local.await(s.t, args[0], args[1], times)
		_, _ = fmt.Fprintf(ts.Stdout(), "%s %s %s %s\n", e.Event, e.Secret, e.Version, e.Error)
	},
}

func dbsecret(ts *testscript.TestScript, not bool, args []string) {
	s := scriptOf(ts)
	if testing.Short() {
		s.t.Skip("needs a database server")
	}
	off := len(args) == 2 && args[0] == "-off"
	if not || len(args) != 1 && !off {
		ts.Fatalf("usage: dbsecret [-off] NAME")
	}
	name := args[len(args)-1]
	server := databasetest.Shared(s.t, database.Postgres, "")
	user, password := userOf(name), fmt.Sprintf("First-%d-of-%s", time.Now().UnixNano(), name)
	ts.Check(server.Exec(s.t.Context(), fmt.Sprintf(`CREATE ROLE %q LOGIN PASSWORD '%s'`, user, password)))
	document, err := json.Marshal(map[string]any{
		"engine": server.Engine, "host": server.Host, "port": server.Port, "dbname": server.Database,
		"username": user, "password": password, "team": "payments",
	})
	ts.Check(err)
	s.stored(password)
	_, err = s.aws.CreateSecret(s.t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String(string(document))})
	ts.Check(err)
	if off {
		return
	}
	_, err = s.aws.RotateSecret(s.t.Context(), &secretsmanager.RotateSecretInput{
		SecretId: &name, RotationLambdaARN: aws.String(rotateRDSARN), RotateImmediately: aws.Bool(false),
		RotationRules: &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30)},
	})
	ts.Check(err)
	s.local.await(s.t, "RotationSucceeded", name, 1) // of the trial
}

// userOf is the database user of a secret.
func userOf(name string) string {
	return regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(name), "_")
}

func dblogin(ts *testscript.TestScript, not bool, args []string) {
	s := scriptOf(ts)
	if len(args) != 2 {
		ts.Fatalf("usage: dblogin NAME STAGE")
	}
	value := s.get(ts, args[0], args[1])
	var document struct{ Username, Password string }
	if err := json.Unmarshal(value, &document); err != nil {
		ts.Fatalf("the value of %s is no secret of a database: %v", args[0], err)
	}
	err := databasetest.Shared(s.t, database.Postgres, "").Login(s.t.Context(), document.Username, document.Password)
	switch refusal := database.Refusal(err); {
	case not && err == nil:
		ts.Fatalf("%s of %s logs in", args[1], args[0])
	case not && refusal == "", !not && err != nil:
		ts.Fatalf("logging in with %s of %s: %v", args[1], args[0], err)
	}
}

// get is a version's value, remembered for secretless.
func (s *script) get(ts *testscript.TestScript, name, stage string) []byte {
	out, err := s.aws.GetSecretValue(s.t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &name, VersionStage: &stage})
	ts.Check(err)
	if out.SecretString == nil {
		return out.SecretBinary
	}
	value := *out.SecretString
	var document struct{ Password string }
	if json.Unmarshal([]byte(value), &document) == nil && document.Password != "" {
		s.stored(document.Password)
	}
	return []byte(value)
}

// sm does to secrets what the commands under test do not.
func sm(ts *testscript.TestScript, not bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: sm create|put|get|label|describe|rotate|delete|tag NAME …")
	}
	if not && args[0] != "rotate" {
		ts.Fatalf("sm %s cannot be negated", args[0])
	}
	s, name, rest := scriptOf(ts), args[1], args[2:]
	ctx := s.t.Context()
	switch args[0] {
	case "create", "put":
		s.put(ts, args[0], args[1:])
	case "get":
		if len(rest) != 1 {
			ts.Fatalf("usage: sm get NAME STAGE")
		}
		_, _ = ts.Stdout().Write(s.get(ts, name, rest[0]))
	case "label":
		s.label(ts, name, rest)
	case "describe":
		out, err := s.aws.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &name})
		ts.Check(err)
		ts.Check(json.NewEncoder(ts.Stdout()).Encode(out))
	case "rotate":
		s.rotate(ts, not, name, rest)
	case "delete":
		_, err := s.aws.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: &name})
		ts.Check(err)
	case "tag":
		in := &secretsmanager.TagResourceInput{SecretId: &name}
		for _, tag := range rest {
			key, value, _ := strings.Cut(tag, "=")
			in.Tags = append(in.Tags, types.Tag{Key: &key, Value: &value})
		}
		_, err := s.aws.TagResource(ctx, in)
		ts.Check(err)
	default:
		ts.Fatalf("there is no sm %s", args[0])
	}
}

func (s *script) put(ts *testscript.TestScript, operation string, args []string) {
	flags := flag.NewFlagSet(operation, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	binary, stage := flags.Bool("binary", false, ""), flags.String("stage", "", "")
	ts.Check(flags.Parse(args))
	if flags.NArg() != 2 {
		ts.Fatalf("usage: sm %s [-binary] [-stage STAGE] NAME VALUE|@FILE", operation)
	}
	name, value := flags.Arg(0), flags.Arg(1)
	if file, ok := strings.CutPrefix(value, "@"); ok {
		value = ts.ReadFile(file)
	}
	s.stored(value)
	text, bytes := &value, []byte(nil)
	if *binary {
		text, bytes = nil, []byte(value)
	}
	if operation == "create" {
		_, err := s.aws.CreateSecret(s.t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: text, SecretBinary: bytes})
		ts.Check(err)
		return
	}
	in := &secretsmanager.PutSecretValueInput{SecretId: &name, SecretString: text, SecretBinary: bytes}
	if *stage != "" {
		in.VersionStages = []string{*stage}
	}
	out, err := s.aws.PutSecretValue(s.t.Context(), in)
	ts.Check(err)
	_, _ = fmt.Fprintln(ts.Stdout(), *out.VersionId)
}

func (s *script) label(ts *testscript.TestScript, name string, args []string) {
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: sm label NAME STAGE FROM [TO]")
	}
	out, err := s.aws.DescribeSecret(s.t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &name})
	ts.Check(err)
	version := func(of string) *string {
		if of == "-" {
			return nil
		}
		for id, stages := range out.VersionIdsToStages {
			if id == of || slices.Contains(stages, of) {
				return &id
			}
		}
		return &of
	}
	in := &secretsmanager.UpdateSecretVersionStageInput{SecretId: &name, VersionStage: &args[0], RemoveFromVersionId: version(args[1])}
	if len(args) == 3 {
		in.MoveToVersionId = version(args[2])
	}
	_, err = s.aws.UpdateSecretVersionStage(s.t.Context(), in)
	ts.Check(err)
}

// rotate starts a rotation, to the version that has a label if one is given, and awaits its end;
// not: it must fail.
func (s *script) rotate(ts *testscript.TestScript, not bool, name string, label []string) {
	in := &secretsmanager.RotateSecretInput{SecretId: &name}
	if len(label) > 0 {
		seen, err := s.aws.DescribeSecret(s.t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &name})
		ts.Check(err)
		for version, stages := range seen.VersionIdsToStages {
			if slices.Contains(stages, label[0]) {
				in.ClientRequestToken = &version
			}
		}
	}
	out, err := s.aws.RotateSecret(s.t.Context(), in)
	ts.Check(err)
	want := map[bool]string{false: "RotationSucceeded", true: "RotationFailed"}[not]
	e := s.local.awaitEnd(s.t, name, *out.VersionId)
	if e.Event != want {
		ts.Fatalf("%s: %s: %s", name, e.Event, e.Error)
	}
	_, _ = fmt.Fprintln(ts.Stdout(), e.Version)
}

// awaitEnd waits for the end of one rotation.
func (l *local) awaitEnd(t *testing.T, secret, version string) entry {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		for _, e := range l.all() {
			if e.Type == "rotation" && e.Secret == secret && e.Version == version && (e.Event == "RotationSucceeded" || e.Event == "RotationFailed") {
				return e
			}
		}
	}
	t.Fatalf("the rotation of %s to %s does not end", secret, version)
	return entry{}
}
