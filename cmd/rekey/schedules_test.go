package main

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// A schedule invokes a function, which plans another try with a schedule of its own, and both
// outlive the process where there is a state directory.
func TestLocalSchedules(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	l := startLocal(t, "--state", state, "--retire-after", "1h")
	client := schedules(l)
	const event = `{"Step":"retireSecret","SecretId":"arn:aws:secretsmanager:us-east-1:123456789012:secret:gone-AbCdEf",` +
		`"ClientRequestToken":"11111111-1111-1111-1111-111111111111","Retires":"22222222-2222-2222-2222-222222222222","NotBefore":"2026-01-31T12:00:00Z","Try":1}`
	_, err := client.CreateSchedule(t.Context(), &scheduler.CreateScheduleInput{
		Name: aws.String("now"), ActionAfterCompletion: types.ActionAfterCompletionDelete,
		ScheduleExpression: aws.String(time.Now().UTC().Add(time.Second).Format("at(2006-01-02T15:04:05)")),
		FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
		Target: &types.Target{
			Arn: aws.String(l.ready.Functions[0]), RoleArn: aws.String("arn:aws:iam::123456789012:role/any"), Input: aws.String(event),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	told := l.awaitLine(t, func(e entry) bool { return e.Type == "schedule" })
	if told.Step != "retireSecret" || told.Secret != "gone" || !strings.Contains(told.Error, "not found") {
		t.Errorf("told %+v", told)
	}
	want := func(l *local) {
		t.Helper()
		list, err := schedules(l).ListSchedules(t.Context(), &scheduler.ListSchedulesInput{})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Schedules) != 1 || !strings.HasPrefix(*list.Schedules[0].Name, "rekey-") || !strings.HasSuffix(*list.Schedules[0].Name, "-2") {
			t.Errorf("schedules: %v", list.Schedules)
		}
	}
	want(l)
	l.stop(t)
	want(startLocal(t, "--state", state))
}

// The throw-away database's user keeps its old password, until it is retired.
func TestLocalRetires(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	t.Parallel()
	l := startLocal(t, "--database", "mariadb", "--retire-after", "1s")
	client := secretsmanager.New(secretsmanager.Options{
		Region: l.ready.Region, BaseEndpoint: &l.ready.Endpoint, Credentials: credentials.NewStaticCredentialsProvider("me", "none", ""),
	})
	_, err := client.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{
		SecretId: aws.String("local/app"), RotationLambdaARN: aws.String(l.ready.Functions[0]), RotationRules: &smtypes.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30)},
	})
	if err != nil {
		t.Fatal(err)
	}
	l.await(t, "RotationSucceeded", "local/app", 1)
	if told := l.awaitLine(t, func(e entry) bool { return e.Type == "schedule" }); told.Step != "retireSecret" || told.Secret != "local/app" || told.Error != "" {
		t.Errorf("told %+v", told)
	}
}

func schedules(l *local) *scheduler.Client {
	return scheduler.New(scheduler.Options{
		Region: l.ready.Region, BaseEndpoint: &l.ready.Endpoint,
		Credentials: credentials.NewStaticCredentialsProvider("me", "none", ""),
	})
}

// awaitLine waits for a line.
func (l *local) awaitLine(t *testing.T, wanted func(entry) bool) entry {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		for _, e := range l.all() {
			if wanted(e) {
				return e
			}
		}
	}
	t.Fatalf("no such line in:\n%s", l.text.String())
	return entry{}
}
