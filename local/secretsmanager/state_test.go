package secretsmanager_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.etcd.io/bbolt"

	"github.com/rekey-aws/rekey/local/secretsmanager"
)

func in(dir string) func(*secretsmanager.Options) {
	return func(o *secretsmanager.Options) { o.StateDir = dir }
}

// reopened ends a world and begins another on the same directory.
func (w *world) reopened(t *testing.T, dir string, edit ...func(*secretsmanager.Options)) *world {
	t.Helper()
	must(0, w.srv.Close())(t)
	next := newWorld(t, append(edit, in(dir))...)
	next.now = w.clock()
	return next
}

func TestSecretsSurviveARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	w := newWorld(t, in(dir))
	must(w.CreateSecret(t.Context(), &api.CreateSecretInput{
		Name: aws.String("s"), SecretString: aws.String("v0"), Description: aws.String("d"), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
	}))(t)
	must(0, w.rotate(1, withRules(types.RotationRulesType{ScheduleExpression: aws.String("rate(10 days)"), Duration: aws.String("2h")})))(t)
	must(w.wait())(t)
	must(0, w.put(2, "CUSTOM"))(t)
	must(w.CreateSecret(t.Context(), &api.CreateSecretInput{Name: aws.String("bin"), SecretBinary: []byte{0, 1, 255}}))(t)
	w.create("deleted", "v")
	must(w.DeleteSecret(t.Context(), &api.DeleteSecretInput{SecretId: aws.String("deleted")}))(t)
	w.create("gone", "v")
	must(w.DeleteSecret(t.Context(), &api.DeleteSecretInput{SecretId: aws.String("gone"), ForceDeleteWithoutRecovery: aws.Bool(true)}))(t)
	w.value("s")
	before, versions := w.describe("s"), must(w.ListSecretVersionIds(t.Context(), &api.ListSecretVersionIdsInput{SecretId: aws.String("s"), IncludeDeprecated: aws.Bool(true)}))(t)

	w = w.reopened(t, dir)
	after, versionsAfter := w.describe("s"), must(w.ListSecretVersionIds(t.Context(), &api.ListSecretVersionIdsInput{SecretId: aws.String("s"), IncludeDeprecated: aws.Bool(true)}))(t)
	same := cmp.Options{
		cmpopts.IgnoreUnexported(api.DescribeSecretOutput{}, api.ListSecretVersionIdsOutput{}, types.Tag{}, types.RotationRulesType{}, types.SecretVersionsListEntry{}),
		cmpopts.IgnoreFields(api.DescribeSecretOutput{}, "ResultMetadata"), cmpopts.IgnoreFields(api.ListSecretVersionIdsOutput{}, "ResultMetadata"),
	}
	if diff := cmp.Diff(before, after, same); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(versions, versionsAfter, same); diff != "" {
		t.Error(diff)
	}
	for stage, want := range map[string]string{"AWSCURRENT": "made for " + token(1), "AWSPREVIOUS": "v0", "CUSTOM": token(2)} {
		if got := must(w.GetSecretValue(t.Context(), &api.GetSecretValueInput{SecretId: aws.String("s"), VersionStage: &stage}))(t); *got.SecretString != want {
			t.Errorf("%s is %q", stage, *got.SecretString)
		}
	}
	if got := must(w.GetSecretValue(t.Context(), &api.GetSecretValueInput{SecretId: aws.String("bin")}))(t); !bytes.Equal(got.SecretBinary, []byte{0, 1, 255}) {
		t.Error(got.SecretBinary)
	}
	if w.describe("deleted").DeletedDate == nil {
		t.Error("the mark for deletion is lost")
	}
	_, err := w.DescribeSecret(t.Context(), &api.DescribeSecretInput{SecretId: aws.String("gone")})
	refused(t, err, "ResourceNotFoundException", "")
}

// Whoever has the file learns no name, no description, no label and no value, in whatever
// encoding they may have been kept.
func TestTheStateFileTellsNothing(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, in(dir))
	hidden := []string{"a-telling-name", "a telling description", "a-telling-tag", "A-TELLING-LABEL", "plaintext-of-the-secret", "plaintext-of-another"}
	must(w.CreateSecret(t.Context(), &api.CreateSecretInput{
		Name: &hidden[0], Description: &hidden[1], SecretString: &hidden[4], Tags: []types.Tag{{Key: &hidden[2], Value: aws.String("v")}},
	}))(t)
	must(w.PutSecretValue(t.Context(), &api.PutSecretValueInput{SecretId: &hidden[0], SecretBinary: []byte(hidden[5]), VersionStages: hidden[3:4]}))(t)
	must(0, w.srv.Close())(t)
	files := must(os.ReadDir(dir))(t)
	for _, f := range files {
		path := filepath.Join(dir, f.Name())
		content := readFile(t, path)
		for _, h := range hidden {
			for _, form := range []string{h, base64.StdEncoding.EncodeToString([]byte(h))} {
				if bytes.Contains(content, []byte(form)) {
					t.Errorf("%s holds %q", f.Name(), h)
				}
			}
		}
		if mode := must(os.Stat(path))(t).Mode().Perm(); runtime.GOOS != "windows" && mode != 0o600 {
			t.Errorf("%s has mode %o", f.Name(), mode)
		}
	}
	if len(files) != 2 {
		t.Errorf("the directory holds %v", files)
	}
}

func TestDeletedValuesLeaveTheFile(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, in(dir))
	w.create("s", "v")
	must(w.DeleteSecret(t.Context(), &api.DeleteSecretInput{SecretId: aws.String("s"), RecoveryWindowInDays: aws.Int64(7)}))(t)
	w.pass(8 * 24 * time.Hour)
	must(0, w.srv.RunDue(t.Context()))(t)
	w.create("s", "v") // over one that was swept
	must(w.DeleteSecret(t.Context(), &api.DeleteSecretInput{SecretId: aws.String("s"), RecoveryWindowInDays: aws.Int64(7)}))(t)
	w.pass(8 * 24 * time.Hour)
	w.create("s", "v") // over one that was not
	must(0, w.srv.Close())(t)
	db := must(bbolt.Open(filepath.Join(dir, "secrets.db"), 0o600, &bbolt.Options{ReadOnly: true}))(t)
	defer db.Close()
	must(0, db.View(func(tx *bbolt.Tx) error {
		for _, bucket := range []string{"secrets", "values"} {
			if n := tx.Bucket([]byte(bucket)).Stats().KeyN; n != 1 {
				t.Errorf("%d records are left in %s, want 1", n, bucket)
			}
		}
		return nil
	}))(t)
}

func TestStateThatCannotBeOpened(t *testing.T) {
	key := func(dir string) string { return filepath.Join(dir, "secrets.key") }
	for what, c := range map[string]struct {
		spoil func(t *testing.T, dir string)
		says  []string
	}{
		"another key": {func(t *testing.T, dir string) {
			other := t.TempDir()
			must(0, newWorld(t, in(other)).srv.Close())(t)
			must(0, os.WriteFile(key(dir), readFile(t, key(other)), 0o600))(t)
		}, []string{"secrets.key holds another key", "restore that key file"}},
		"no key":         {func(t *testing.T, dir string) { must(0, os.Remove(key(dir)))(t) }, []string{"secrets.key is missing", "restore the key file"}},
		"a spoilt key":   {func(t *testing.T, dir string) { must(0, os.WriteFile(key(dir), []byte("x"), 0o600))(t) }, []string{"secrets.key holds no key"}},
		"an open key":    {func(t *testing.T, dir string) { must(0, os.Chmod(key(dir), 0o640))(t) }, []string{"secrets.key is open to others (mode 0640)", "chmod 600"}},
		"a spoilt value": {spoilRecords, []string{"damaged record (values", "it was changed since it was written"}},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			w := newWorld(t, in(dir))
			w.create("one", "hush")
			w.create("two", "hush")
			must(0, w.srv.Close())(t)
			c.spoil(t, dir)
			_, err := secretsmanager.New(secretsmanager.Options{StateDir: dir})
			if err == nil {
				t.Fatal("it was opened")
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error %q does not say %q", err, part)
				}
			}
		})
	}
}

// spoilRecords gives one secret's value to the other.
func spoilRecords(t *testing.T, dir string) {
	db := must(bbolt.Open(filepath.Join(dir, "secrets.db"), 0o600, nil))(t)
	defer db.Close()
	must(0, db.Update(func(tx *bbolt.Tx) error {
		values := tx.Bucket([]byte("values"))
		first, v := values.Cursor().First()
		last, _ := values.Cursor().Last()
		if bytes.Equal(first, last) {
			t.Error("there is one value only")
		}
		return values.Put(slices.Clone(last), slices.Clone(v))
	}))(t)
}

func TestOneServerForADirectory(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, in(dir))
	_, err := secretsmanager.New(secretsmanager.Options{StateDir: dir})
	if err == nil || !strings.Contains(err.Error(), "is in use: stop the other process") {
		t.Errorf("got %v", err)
	}
	must(0, w.srv.Close())(t)
	_, err = w.CreateSecret(t.Context(), &api.CreateSecretInput{Name: aws.String("s")})
	refused(t, err, "InternalServiceError", "") // not acknowledged, since it would be lost
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for _, o := range []secretsmanager.Options{
		{Account: "12"},
		{Region: "Mars!"},
		{Attempts: -1},
		{StateDir: "/dev/null/x"},
		{Keys: []string{"my key"}},
		{Callers: map[string]secretsmanager.Caller{"": {}}},
		{Callers: map[string]secretsmanager.Caller{"A": {Account: "1"}}},
		{Callers: map[string]secretsmanager.Caller{"A": {Principal: "app"}}},
	} {
		if _, err := secretsmanager.New(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

func TestARotationIsTakenUpAfterARestart(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, in(dir))
	w.create("s", "v0")
	w.function.entered, w.function.block = make(chan string, 4), make(chan struct{})
	w.function.fail = func(step string, n int) error {
		if step == "setSecret" {
			return errors.New("never reached")
		}
		return nil
	}
	must(0, w.rotate(1))(t)
	<-w.function.entered // the server ends in the middle of createSecret
	w = w.reopened(t, dir)
	refused(t, w.rotate(2), "InvalidRequestException", stillPending)
	must(0, w.srv.RunDue(t.Context()))(t)
	must(0, w.srv.RunDue(t.Context()))(t) // and again begins no second one
	res := must(w.wait())(t)
	if res.Token != token(1) || w.value("s") != "made for "+token(1) {
		t.Errorf("the rotation was taken up as %+v", res)
	}
	if got := w.function.ran(); !slices.Equal(got, fourSteps) {
		t.Errorf("steps %v", got)
	}
	w = w.reopened(t, dir)
	must(0, w.srv.RunDue(t.Context()))(t)
	if got := w.function.ran(); len(got) != 0 {
		t.Errorf("a rotation that had ended ran again: %v", got)
	}
}
