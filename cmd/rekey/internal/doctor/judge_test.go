package doctor

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rekey-aws/rekey/shared/rotation"
)

var now = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

const (
	secretARN   = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app-AbCdEf"
	functionARN = "arn:aws:lambda:eu-west-1:123456789012:function:rotate-rds:live"
	keyARN      = "arn:aws:kms:eu-west-1:123456789012:key/1234"
	admission   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"secretsmanager.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"` + functionARN + `","Condition":{"StringEquals":{"AWS:SourceAccount":"%s"}}}]}`
)

// healthy are the facts of a secret with which all is well; change makes something wrong.
func healthy(change func(*facts)) *facts {
	f := &facts{
		now: now, region: "eu-west-1",
		secret: &secretsmanager.DescribeSecretOutput{
			ARN: aws.String(secretARN), Name: aws.String("app"), KmsKeyId: aws.String(keyARN),
			RotationEnabled: aws.Bool(true), RotationLambdaARN: aws.String(functionARN),
			RotationRules:   &smtypes.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30)},
			LastRotatedDate: aws.Time(now.AddDate(0, 0, -3)), NextRotationDate: aws.Time(now.AddDate(0, 0, 27)), LastChangedDate: aws.Time(now.AddDate(0, 0, -3)),
			VersionIdsToStages: map[string][]string{"v2": {"AWSCURRENT", "AWSPENDING"}, "v1": {"AWSPREVIOUS"}},
			ReplicationStatus:  []smtypes.ReplicationStatusType{{Region: aws.String("eu-west-2"), Status: smtypes.StatusTypeInSync}},
			PrimaryRegion:      aws.String("eu-west-1"),
		},
		function:  &lambda.GetFunctionConfigurationOutput{State: lambdatypes.StateActive, LastUpdateStatus: lambdatypes.LastUpdateStatusSuccessful, Role: aws.String("arn:aws:iam::123456789012:role/path/rotator")},
		admission: fmt.Sprintf(admission, "123456789012"),
		policy:    `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"secretsmanager:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`,
		key:       &kmstypes.KeyMetadata{Arn: aws.String(keyARN), KeyId: aws.String("1234"), KeyState: kmstypes.KeyStateEnabled},
	}
	change(f)
	return f
}

func TestHealthy(t *testing.T) {
	t.Parallel()
	f := healthy(func(*facts) {})
	all := append(f.settings(), f.symptoms()...)
	if len(all) != 10 {
		t.Errorf("%d findings", len(all))
	}
	for _, found := range all {
		if found.Verdict != rotation.OK || found.Remedy != "" {
			t.Errorf("%+v", found)
		}
	}
}

func TestFindings(t *testing.T) {
	t.Parallel()
	denied := fmt.Errorf("GetPolicy: AccessDeniedException: no: %w", rotation.ErrDenied)
	for name, c := range map[string]struct {
		change  func(*facts)
		check   string
		verdict rotation.Verdict
		says    string // in what was said or is to be done
	}{
		"to be deleted":         {func(f *facts) { f.secret.DeletedDate = aws.Time(now) }, "secret", rotation.Fail, "restore-secret"},
		"a replica":             {func(f *facts) { f.secret.PrimaryRegion = aws.String("us-east-1") }, "secret", rotation.Fail, "--region us-east-1"},
		"of another service":    {func(f *facts) { f.secret.OwningService = aws.String("rds") }, "secret", rotation.Fail, "managed by rds"},
		"of a vendor":           {func(f *facts) { f.secret.Type = aws.String("SalesforceClientSecret") }, "secret", rotation.Fail, "SalesforceClientSecret"},
		"never rotated":         {func(f *facts) { f.secret.RotationLambdaARN, f.secret.RotationEnabled = nil, nil }, "rotation", rotation.Fail, "--rotation-lambda-arn"},
		"rotation off":          {func(f *facts) { f.secret.RotationEnabled = aws.Bool(false) }, "rotation", rotation.Fail, "turned off"},
		"no schedule":           {func(f *facts) { f.secret.RotationRules = nil }, "schedule", rotation.Warn, "someone asks"},
		"nothing planned":       {func(f *facts) { f.secret.NextRotationDate = nil }, "schedule", rotation.Warn, "no next rotation"},
		"overdue":               {func(f *facts) { f.secret.NextRotationDate = aws.Time(now.AddDate(0, 0, -4)) }, "schedule", rotation.Warn, "overdue"},
		"a moment late":         {func(f *facts) { f.secret.NextRotationDate = aws.Time(now.Add(-time.Minute)) }, "schedule", rotation.OK, "next by"},
		"AWS's own key":         {func(f *facts) { f.secret.KmsKeyId = nil }, "key", rotation.OK, "aws/secretsmanager"},
		"key disabled":          {func(f *facts) { f.key.KeyState = kmstypes.KeyStateDisabled }, "key", rotation.Fail, "enable-key"},
		"key to be deleted":     {func(f *facts) { f.key.KeyState = kmstypes.KeyStatePendingDeletion }, "key", rotation.Fail, "cancel-key-deletion"},
		"key unavailable":       {func(f *facts) { f.key.KeyState = kmstypes.KeyStateUnavailable }, "key", rotation.Fail, "Unavailable"},
		"no such key":           {func(f *facts) { f.keyErr = fmt.Errorf("x: %w", rotation.ErrNotFound) }, "key", rotation.Fail, "does not exist"},
		"key not to be seen":    {func(f *facts) { f.keyErr = denied }, "key", rotation.Skipped, "Allow kms:DescribeKey"},
		"no policy":             {func(f *facts) { f.policy = "" }, "policy", rotation.OK, "no resource policy"},
		"policy not to be seen": {func(f *facts) { f.policyErr = denied }, "policy", rotation.Skipped, "GetResourcePolicy"},
		"everyone may read": {func(f *facts) {
			f.policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`
		}, "policy", rotation.Warn, "everyone"},
		"the function is kept out": {func(f *facts) {
			f.policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"secretsmanager:PutSecretValue","Resource":"*","Condition":{"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::123456789012:role/other"}}}]}`
		}, "policy", rotation.Fail, "role: PutSecretValue"},
		"the function is excepted": {func(f *facts) {
			f.policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"secretsmanager:*","Resource":"*","Condition":{"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::123456789012:role/path/rotator"}}}]}`
		}, "policy", rotation.OK, "does not keep"},
		"nobody can judge it": {func(f *facts) {
			f.policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"secretsmanager:*","Resource":"*","Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-1"}}}]}`
		}, "policy", rotation.Skipped, "aws:SourceVpce"},
		"no policy at all":             {func(f *facts) { f.policy = "{" }, "policy", rotation.Skipped, "not understood"},
		"function gone":                {func(f *facts) { f.functionErr = fmt.Errorf("x: %w", rotation.ErrNotFound) }, "function", rotation.Fail, "there is no function"},
		"function not to be seen":      {func(f *facts) { f.functionErr = denied }, "function", rotation.Skipped, "lambda:GetFunctionConfiguration"},
		"function failed":              {func(f *facts) { f.function.State = lambdatypes.StateFailed }, "function", rotation.Fail, "cannot run"},
		"function idle":                {func(f *facts) { f.function.State = lambdatypes.StateInactive }, "function", rotation.OK, "ready"},
		"function pending":             {func(f *facts) { f.function.State = lambdatypes.StatePending }, "function", rotation.Warn, "made ready"},
		"update failed":                {func(f *facts) { f.function.LastUpdateStatus = lambdatypes.LastUpdateStatusFailed }, "function", rotation.Warn, "former code"},
		"nobody may invoke":            {func(f *facts) { f.admission = "" }, "invocation", rotation.Fail, "add-permission"},
		"another account may":          {func(f *facts) { f.admission = fmt.Sprintf(admission, "210987654321") }, "invocation", rotation.Fail, "--source-account 123456789012"},
		"another function's statement": {func(f *facts) { f.admission = strings.ReplaceAll(f.admission, ":live", "") }, "invocation", rotation.Fail, "does not let"},
		"admission not to be seen":     {func(f *facts) { f.admitErr = denied }, "invocation", rotation.Skipped, "lambda:GetPolicy"},
		"stuck": {func(f *facts) {
			f.secret.VersionIdsToStages = map[string][]string{"v2": {"AWSCURRENT"}, "v3": {"AWSPENDING"}}
		}, "labels", rotation.Fail, "rekey unstick app"},
		"under way": {func(f *facts) {
			f.secret.VersionIdsToStages, f.secret.LastChangedDate = map[string][]string{"v2": {"AWSCURRENT"}, "v3": {"AWSPENDING"}}, aws.Time(now.Add(-time.Second))
		}, "labels", rotation.Warn, "may be under way"},
		"failed a moment ago": {func(f *facts) {
			f.secret.VersionIdsToStages, f.secret.LastChangedDate = map[string][]string{"v2": {"AWSCURRENT"}, "v3": {"AWSPENDING"}}, aws.Time(now.Add(-time.Second))
			f.failure = &failure{Step: rotation.SetSecret, Time: now}
		}, "labels", rotation.Fail, "rekey unstick app"},
		"nothing current":  {func(f *facts) { f.secret.VersionIdsToStages = nil }, "labels", rotation.Fail, "put-secret-value"},
		"a replica behind": {func(f *facts) { f.secret.ReplicationStatus[0].Status = smtypes.StatusTypeFailed }, "replicas", rotation.Warn, "eu-west-2 is Failed"},
		"it failed": {func(f *facts) {
			f.failure = &failure{now.Add(-time.Hour), rotation.SetSecret, "tls", "no TLS", "Offer TLS."}
		}, "last rotation", rotation.Warn, "setSecret failed 60 minutes ago (tls): no TLS; Offer TLS."},
		"log not to be seen": {func(f *facts) { f.failureErr = denied }, "last rotation", rotation.Skipped, "/aws/lambda/rotate-rds"},
		"the log has another name": {func(f *facts) {
			f.failureErr = denied
			f.function.LoggingConfig = &lambdatypes.LoggingConfig{LogGroup: aws.String("/all")}
		}, "last rotation", rotation.Skipped, "on /all"},
		"AWS does not answer": {func(f *facts) { f.failureErr = errors.New("no answer") }, "last rotation", rotation.Skipped, "no answer"},
	} {
		f := healthy(c.change)
		found := false
		for _, got := range append(f.settings(), f.symptoms()...) {
			if (got.Verdict != rotation.OK) != (got.Remedy != "") {
				t.Errorf("%s: a remedy where none is needed, or none where one is: %+v", name, got)
			}
			if got.Check != c.check {
				continue
			}
			found = true
			if text := got.Said + "; " + got.Remedy; got.Verdict != c.verdict || !strings.Contains(text, c.says) {
				t.Errorf("%s: %s: %s, want %s with %q", name, got.Verdict, text, c.verdict, c.says)
			}
		}
		if !found {
			t.Errorf("%s: nothing about %s", name, c.check)
		}
	}
}

// Where nothing of ours can rotate the secret, nothing more is looked at.
func TestBeyond(t *testing.T) {
	t.Parallel()
	f := healthy(func(f *facts) { f.secret.OwningService = aws.String("rds") })
	if all := append(f.settings(), f.symptoms()...); len(all) != 1 {
		t.Errorf("%+v", all)
	}
}

func TestReadFailure(t *testing.T) {
	t.Parallel()
	line := `{"time":"2026-03-10T11:00:00Z","step":"%s","outcome":"failed","kind":"refused","error":"logging in","hint":"Do it."}`
	if f := readFailure(fmt.Sprintf(line, "setSecret")); f == nil || f.Kind != "refused" || f.Error != "logging in" || f.Hint != "Do it." || f.Time.Hour() != 11 {
		t.Errorf("got %+v", f)
	}
	for _, other := range []string{fmt.Sprintf(line, "retireSecret"), fmt.Sprintf(line, "doctor"), "START RequestId", "", "[]"} {
		if f := readFailure(other); f != nil {
			t.Errorf("%s is read as %+v", other, f)
		}
	}
}

func TestComplaint(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]struct {
		verdict rotation.Verdict
		says    string
	}{
		`{"errorType":"StepError","errorMessage":"doctor of app: it broke. What to do: Mend it."}`:                 {rotation.Fail, "it broke; Mend it."},
		`{"errorType":"StepError","errorMessage":" of x (version ): reading the event: Step is \"doctor\": no"}`:   {rotation.Skipped, "older"},
		`{"errorType":"KeyError","errorMessage":"'ClientRequestToken'"}`:                                           {rotation.Skipped, "none of rekey's"},
		`{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: 1 Error: Task timed out after 30.00 seconds"}`: {rotation.Fail, "did not end in its time"},
		`{"errorMessage":"2026-03-10 1 Task timed out after 30.00 seconds"}`:                                       {rotation.Fail, "did not end in its time"},
		`{"errorType":"Runtime.ExitError","errorMessage":"exit status 1"}`:                                         {rotation.Fail, "does not run"},
		`null`: {rotation.Skipped, "older"},
		`"`:    {rotation.Skipped, "older"},
	} {
		got := complaint([]byte(payload), "rotate-rds")
		if text := got.Said + "; " + got.Remedy; got.Verdict != want.verdict || !strings.Contains(text, want.says) || got.Remedy == "" {
			t.Errorf("%s: %s %s", payload, got.Verdict, text)
		}
	}
}
