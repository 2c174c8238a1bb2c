package cloudtrail_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/local/cloudtrail"
	"github.com/rekey-aws/rekey/local/eventbus"
	"github.com/rekey-aws/rekey/local/lambda"
	"github.com/rekey-aws/rekey/local/secretsmanager"
)

// alerts deploys the compiled function of testdata, and returns the file it writes to.
func alerts(t *testing.T) (*lambda.Registry, string) {
	t.Helper()
	dir := t.TempDir()
	binary, err := lambda.Build(t.Context(), lambda.BuildOptions{Package: "./local/cloudtrail/testdata/alert", Out: dir})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "alerts")
	f, err := lambda.New(lambda.Config{Name: "alert", Binary: binary, Env: map[string]string{"ALERTS": file}, Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	functions := &lambda.Registry{}
	if err := functions.Add(f); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = functions.Close() })
	return functions, file
}

// The whole way, as on AWS: a rotation fails, CloudTrail records it, a rule matches, and a
// compiled function gets the event, once.
func TestAFailedRotationInvokesAFunction(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a function")
	}
	functions, file := alerts(t)
	folder := t.TempDir()
	bus, err := eventbus.New(eventbus.Options{Invoker: functions, DeadLetters: folder})
	if err != nil {
		t.Fatal(err)
	}
	if err := bus.PutRule(eventbus.Rule{
		Name:    "rotation-failed",
		Pattern: `{"source": ["aws.secretsmanager"], "detail-type": ["AWS Service Event via CloudTrail"], "detail": {"eventName": ["RotationFailed"]}}`,
		Targets: []eventbus.Target{{Function: "alert"}},
	}); err != nil {
		t.Fatal(err)
	}
	trail, err := cloudtrail.New(cloudtrail.Options{Put: bus.Put, OnError: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *secretsmanager.Options) {
		o.OnCall, o.OnRotation, o.OnSecret, o.OnLabels = trail.Call, trail.Rotation, trail.Secret, trail.Labels
	})
	defer w.close()
	w.rotate = func(map[string]string) error { return errFunction }
	arn := w.create("prod/db")
	if _, err := w.RotateSecret(t.Context(), &api.RotateSecretInput{SecretId: &arn, RotationLambdaARN: aws.String(functionARN)}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.manager.Wait(t.Context(), arn); err == nil {
		t.Fatal("the rotation succeeded")
	}
	if err := bus.Close(t.Context()); err != nil { // waits for the delivery
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if want := "AWS Service Event via CloudTrail|RotationFailed|" + arn + "\n"; err != nil || string(got) != want {
		t.Errorf("the function wrote %q, %v; want %q", got, err, want)
	}
	if dead, err := os.ReadDir(folder); err != nil || len(dead) != 0 {
		t.Errorf("dead letters: %v, %v", dead, err)
	}
}
