package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
)

// A reply that is lost does not fail a rotation: the call is made again, with the same token.
func TestFaultLosesReply(t *testing.T) {
	needsEverything(t)
	server := databasetest.Shared(t, database.Postgres, "")
	l := startLocal(t, "--fault", "PutSecretValue:lose=#1", "--env", "SSL_CERT_FILE="+server.CAFile())
	aws := newClient(t, l.ready.Endpoint)
	aws.must(t, nil, "create-secret", "--name", "app", "--secret-string", "file://"+databaseUser(t, server, "fault_user", "First-password-0123456789"))
	aws.must(t, nil, "rotate-secret", "--secret-id", "app", "--rotation-lambda-arn", rotateRDSARN, "--rotation-rules", "AutomaticallyAfterDays=30")
	l.await(t, "RotationSucceeded", "app", 1)
	puts := slices.DeleteFunc(callsOf(l, "rotate-rds"), func(operation string) bool { return operation != "PutSecretValue" })
	if len(puts) != 2 {
		t.Errorf("%d calls of PutSecretValue, want one and its repetition:\n%s", len(puts), l.text.String())
	}
	if err := server.Login(t.Context(), "fault_user", aws.value(t, "app", "AWSCURRENT").password(t)); err != nil {
		t.Error(err)
	}
	l.stop(t)
}

func TestFaultThrottles(t *testing.T) {
	needsEverything(t)
	l := startLocal(t, "--fault", "ListSecrets:throttle=100%", "--fault", "*:latency=1ms..2ms", "--kms-key", "alias/app", "--replication-delay", "10m")
	aws := newClient(t, l.ready.Endpoint)
	aws.refused(t, "ThrottlingException", "list-secrets")

	aws.must(t, nil, "create-secret", "--name", "app", "--secret-string", "value", "--kms-key-id", "alias/app")
	aws.refused(t, "Alias alias/other is not found", "create-secret", "--name", "other", "--secret-string", "value", "--kms-key-id", "alias/other")
	var replicated struct{ ReplicationStatus []struct{ Status string } }
	aws.must(t, &replicated, "replicate-secret-to-regions", "--secret-id", "app", "--add-replica-regions", "Region=eu-west-1,KmsKeyId=alias/app")
	if len(replicated.ReplicationStatus) != 1 || replicated.ReplicationStatus[0].Status != "InProgress" {
		t.Errorf("replication: %+v", replicated)
	}
	l.stop(t)
}

// credentialsFile is one that only its owner may read.
func credentialsFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// With keys, only who signs with one of them is let in; the functions have their own.
func TestCredentials(t *testing.T) {
	needsEverything(t)
	file := credentialsFile(t, "# of tests\n[app]\naws_access_key_id = tester\naws_secret_access_key = none\nregion = us-east-1\n\n[role]\nrole_arn = x\n")
	server := databasetest.Shared(t, database.Postgres, "")
	l := startLocal(t, "--events", "--credentials", file, "--env", "SSL_CERT_FILE="+server.CAFile())
	aws := newClient(t, l.ready.Endpoint) // which is tester
	aws.must(t, nil, "create-secret", "--name", "app", "--secret-string", "file://"+databaseUser(t, server, "signed_user", "First-password-0123456789"))
	aws.must(t, nil, "rotate-secret", "--secret-id", "app", "--rotation-lambda-arn", rotateRDSARN, "--rotation-rules", "AutomaticallyAfterDays=30")
	l.await(t, "RotationSucceeded", "app", 1)
	if by := l.events()["CreateSecret"][0].Detail.UserIdentity.ARN; by != "arn:aws:iam::123456789012:user/app" {
		t.Errorf("the profile app calls as %s", by)
	}
	l.stop(t)

	other := startLocal(t, "--credentials", credentialsFile(t, "[app]\naws_access_key_id=tester\naws_secret_access_key=another\n"))
	newClient(t, other.ready.Endpoint).refused(t, "InvalidSignatureException", "list-secrets")
	other.stop(t)
}

// The database that rekey local starts has its secret made with the command's own key.
func TestCredentialsWithDatabase(t *testing.T) {
	needsEverything(t)
	file := credentialsFile(t, "[app]\naws_access_key_id = tester\naws_secret_access_key = none\n")
	l := startLocal(t, "--credentials", file, "--database", "auto")
	newClient(t, l.ready.Endpoint).value(t, l.ready.Secret, "AWSCURRENT").password(t)
	l.stop(t)
}

func TestSettingsRefused(t *testing.T) {
	open := credentialsFile(t, "[a]\naws_access_key_id=a\naws_secret_access_key=unseen\n")
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	credentials := func(text string) []string { return []string{"--credentials", credentialsFile(t, text)} }
	const key = "aws_access_key_id=a\naws_secret_access_key=unseen\n"
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"fault without colon":      {[]string{"--fault", "GetSecretValue"}, "write OPERATION:KIND=VALUE"},
		"fault of no kind":         {[]string{"--fault", "*:burn=5%"}, "use throttle, error"},
		"fault of no operation":    {[]string{"--fault", "GetSecret:throttle=5%"}, `"GetSecret"`},
		"fault of no share":        {[]string{"--fault", "*:throttle=101%"}, "percentage up to 100%"},
		"delay":                    {[]string{"--replication-delay", "soon"}, "--replication-delay"},
		"delay in the past":        {[]string{"--replication-delay=-5s"}, "such as 5s"},
		"key":                      {[]string{"--kms-key", "app"}, "alias/app"},
		"dead letters of no rule":  {[]string{"--dead-letters", t.TempDir()}, "give --rule"},
		"rule that is not there":   {[]string{"--rule", "/nowhere"}, "--rule: /nowhere: "},
		"two rules of a name":      {[]string{"--rule", ruleOf(t, onFailure), "--rule", ruleOf(t, onFailure)}, "give each its own"},
		"no credentials":           {[]string{"--credentials", "/nowhere"}, "--credentials: /nowhere: "},
		"a folder":                 {[]string{"--credentials", t.TempDir()}, "no file"},
		"anyone's credentials":     {[]string{"--credentials", open}, "chmod 600"},
		"empty credentials":        {credentials(""), "at least one"},
		"half a key":               {credentials("[a]\naws_access_key_id=a\n"), "give both"},
		"key of no profile":        {credentials(key), "line 1: it is under no [PROFILE]"},
		"no heading":               {credentials("[a\n" + key), "line 1: it is no heading"},
		"no setting":               {credentials("[a]\n" + key + "unseen\n"), "line 4: "},
		"key of two profiles":      {credentials("[a]\n" + key + "[b]\n" + key), "the profile b"},
		"account of a profile":     {credentials("[a]\n" + key + "aws_account_id=1\n"), "twelve digits"},
		"key that cannot be given": {credentials("[a]\naws_access_key_id=a/b\naws_secret_access_key=unseen\n"), "no request can carry"},
		"key of the command":       {credentials("[a]\naws_access_key_id=rekey-local\naws_secret_access_key=unseen\n"), "of another caller"},
		"key of a function":        {credentials("[a]\naws_access_key_id=rotate-rds\naws_secret_access_key=unseen\n"), "rotate-rds"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := rekey(t, append([]string{"local", "--port", "0", "--function", "rotate-rds=" + rotateRDS}, test.args...)...)
			stdout, stderr, code := result(t, cmd)
			if code != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, test.says) || strings.Contains(stderr, "unseen") {
				t.Errorf("exit code %d, stdout %q, stderr %q, want %q", code, stdout, stderr, test.says)
			}
			nothingLeft(t, cmd)
		})
	}
}
