package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/account"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/functionlog"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// facts are what AWS says about a secret and its rotation, to whoever asks from outside.
// Whatever could not be asked has its error instead.
type facts struct {
	now    time.Time
	region string // that was asked
	secret *secretsmanager.DescribeSecretOutput

	function    *lambda.GetFunctionConfigurationOutput
	functionErr error
	admission   string // the function's resource policy; "": it has none
	admitErr    error
	policy      string // the secret's resource policy; "": it has none
	policyErr   error
	key         *kmstypes.KeyMetadata // nil: the secret has AWS's own key
	keyErr      error
	failure     *failure // the last, since the last rotation that succeeded
	failureErr  error
}

// failure is the log line of a step that failed.
type failure struct {
	Time  time.Time
	Step  rotation.Step
	Kind  string
	Error string
	Hint  string
}

// secretsAPI, functionsAPI, keysAPI and logsAPI are what is asked of AWS. Nothing in them
// changes anything.
type (
	secretsAPI interface {
		DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
		GetResourcePolicy(context.Context, *secretsmanager.GetResourcePolicyInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetResourcePolicyOutput, error)
	}
	functionsAPI interface {
		GetFunctionConfiguration(context.Context, *lambda.GetFunctionConfigurationInput, ...func(*lambda.Options)) (*lambda.GetFunctionConfigurationOutput, error)
		GetPolicy(context.Context, *lambda.GetPolicyInput, ...func(*lambda.Options)) (*lambda.GetPolicyOutput, error)
		Invoke(context.Context, *lambda.InvokeInput, ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
	}
	keysAPI interface {
		DescribeKey(context.Context, *kms.DescribeKeyInput, ...func(*kms.Options)) (*kms.DescribeKeyOutput, error)
	}
	logsAPI interface {
		FilterLogEvents(context.Context, *cloudwatchlogs.FilterLogEventsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error)
	}
)

// look asks AWS. Its error is that there is no such secret, or that it cannot be looked at.
func (e *Examiner) look(ctx context.Context, id string) (*facts, error) {
	out, err := e.secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &id})
	if err != nil {
		return nil, account.Explain(ctx, "looking at the secret "+id+": DescribeSecret", err)
	}
	f := &facts{now: e.now(), region: e.region, secret: out}
	if f.beyond() {
		return f, nil
	}
	e.lookAtPolicy(ctx, f)
	e.lookAtKey(ctx, f)
	if aws.ToString(out.RotationLambdaARN) != "" {
		e.lookAtFunction(ctx, f)
		f.failure, f.failureErr = e.lastFailure(ctx, f)
	}
	return f, nil
}

func (e *Examiner) lookAtPolicy(ctx context.Context, f *facts) {
	out, err := e.secrets.GetResourcePolicy(ctx, &secretsmanager.GetResourcePolicyInput{SecretId: f.secret.ARN})
	if err != nil {
		f.policyErr = account.Explain(ctx, "GetResourcePolicy", err)
		return
	}
	f.policy = aws.ToString(out.ResourcePolicy)
}

func (e *Examiner) lookAtKey(ctx context.Context, f *facts) {
	if aws.ToString(f.secret.KmsKeyId) == "" {
		return
	}
	out, err := e.keys.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: f.secret.KmsKeyId})
	var none *kmstypes.NotFoundException
	if errors.As(err, &none) {
		f.keyErr = fmt.Errorf("DescribeKey: there is no such key: %w", rotation.ErrNotFound)
		return
	}
	if err != nil {
		f.keyErr = account.Explain(ctx, "DescribeKey", err)
		return
	}
	f.key = out.KeyMetadata
}

func (e *Examiner) lookAtFunction(ctx context.Context, f *facts) {
	out, err := e.functions.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: f.secret.RotationLambdaARN})
	if err != nil {
		f.functionErr = account.Explain(ctx, "GetFunctionConfiguration", err)
		return
	}
	f.function = out
	policy, err := e.functions.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: f.secret.RotationLambdaARN})
	var none *lambdatypes.ResourceNotFoundException // it has no policy
	switch {
	case errors.As(err, &none):
	case err != nil:
		f.admitErr = account.Explain(ctx, "GetPolicy", err)
	default:
		f.admission = aws.ToString(policy.Policy)
	}
}

const (
	logsSince    = 24 * time.Hour   // the furthest that the log is read back
	logsPatience = 10 * time.Second // for the pages of a large log
)

// lastFailure reads the function's log for the last step that failed since the last rotation
// that succeeded.
func (e *Examiner) lastFailure(ctx context.Context, f *facts) (*failure, error) {
	ctx, cancel := context.WithTimeout(ctx, logsPatience)
	defer cancel()
	since := f.now.Add(-logsSince)
	if last := aws.ToTime(f.secret.LastRotatedDate); last.After(since) {
		since = last
	}
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(e.logs, &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: aws.String(f.logGroup()), StartTime: aws.Int64(since.UnixMilli()),
		FilterPattern: aws.String(fmt.Sprintf(`{ $.secret = "%s" && $.outcome = "failed" }`, aws.ToString(f.secret.ARN))),
	})
	var last *failure
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return last, account.Explain(ctx, "FilterLogEvents", err)
		}
		for _, event := range page.Events {
			if found := readFailure(aws.ToString(event.Message)); found != nil && (last == nil || found.Time.After(last.Time)) {
				last = found
			}
		}
	}
	return last, nil
}

// readFailure reads a log line of a rotation's step; nil if it is another's.
func readFailure(line string) *failure {
	var f failure
	if json.Unmarshal([]byte(line), &f) != nil {
		return nil
	}
	switch f.Step {
	case rotation.CreateSecret, rotation.SetSecret, rotation.TestSecret, rotation.FinishSecret:
		return &f
	}
	return nil
}

func (f *facts) logGroup() string {
	if f.function != nil && f.function.LoggingConfig != nil && aws.ToString(f.function.LoggingConfig.LogGroup) != "" {
		return *f.function.LoggingConfig.LogGroup
	}
	return functionlog.Group(aws.ToString(f.secret.RotationLambdaARN))
}

// beyond tells that nothing of ours could rotate the secret, so that there is nothing more to
// look at.
func (f *facts) beyond() bool {
	s := f.secret
	return s.DeletedDate != nil || aws.ToString(s.OwningService) != "" || aws.ToString(s.Type) != "" || f.replica()
}

func (f *facts) replica() bool {
	primary := aws.ToString(f.secret.PrimaryRegion)
	return primary != "" && primary != f.region
}
