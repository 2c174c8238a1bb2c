package rotating

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
)

const functionARN = "arn:aws:lambda:eu-west-1:123456789012:function:rotate-rds"

// cloud is Secrets Manager and CloudWatch Logs, whose rotations take their course by the clock
// of the test's bubble.
type cloud struct {
	mu      sync.Mutex
	names   []string
	secrets map[string]*secretsmanager.DescribeSecretOutput
	lines   []logtypes.FilteredLogEvent
	denied  bool        // the log is
	gone    func() bool // nothing of Secrets Manager is reached
	busy    int         // so often the log is not read, since too many ask
	calls   map[string]int
	begun   []time.Time
	most    int // rotations under way at once
	under   int

	// course is a rotation; it is called in a goroutine of its own.
	course func(c *cloud, name, version string)
	// refuse, unless it is nil, is the answer of RotateSecret.
	refuse func(c *cloud, token string) error
}

func newCloud(course func(*cloud, string, string), names ...string) *cloud {
	c := &cloud{names: names, secrets: map[string]*secretsmanager.DescribeSecretOutput{}, calls: map[string]int{}, course: course}
	for _, name := range names {
		c.secrets[name] = &secretsmanager.DescribeSecretOutput{
			Name: &name, ARN: aws.String("arn:aws:secretsmanager:eu-west-1:123456789012:secret:" + name), RotationEnabled: aws.Bool(true),
			RotationLambdaARN: aws.String(functionARN), VersionIdsToStages: map[string][]string{"first": {"AWSCURRENT"}},
		}
	}
	return c
}

func (c *cloud) find(id string) *secretsmanager.DescribeSecretOutput {
	return c.secrets[id[strings.LastIndex(id, ":")+1:]]
}

func (c *cloud) DescribeSecret(_ context.Context, in *secretsmanager.DescribeSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls["DescribeSecret"]++
	if c.gone != nil && c.gone() {
		return nil, &net.OpError{Op: "dial", Err: syscall.ENETUNREACH}
	}
	s := c.find(*in.SecretId)
	if s == nil {
		return nil, &smithy.GenericAPIError{Code: "ResourceNotFoundException", Message: "there is none"}
	}
	seen := *s
	seen.VersionIdsToStages = map[string][]string{}
	for v, stages := range s.VersionIdsToStages {
		seen.VersionIdsToStages[v] = slices.Clone(stages)
	}
	return &seen, nil
}

func (c *cloud) ListSecrets(context.Context, *secretsmanager.ListSecretsInput, ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretsOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := &secretsmanager.ListSecretsOutput{}
	for _, name := range c.names {
		s := c.secrets[name]
		out.SecretList = append(out.SecretList, types.SecretListEntry{
			Name: s.Name, ARN: s.ARN, RotationEnabled: s.RotationEnabled, RotationLambdaARN: s.RotationLambdaARN, SecretVersionsToStages: s.VersionIdsToStages,
		})
	}
	return out, nil
}

func (c *cloud) RotateSecret(ctx context.Context, in *secretsmanager.RotateSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.RotateSecretOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls["RotateSecret"]++
	s := c.find(*in.SecretId)
	if c.refuse != nil {
		if err := c.refuse(c, aws.ToString(in.ClientRequestToken)); err != nil {
			return nil, err
		}
	}
	if ctx.Err() != nil { // it is sent, and nobody waits for the answer
		return nil, &aws.RequestCanceledError{Err: ctx.Err()}
	}
	c.begun = append(c.begun, time.Now())
	version := aws.ToString(in.ClientRequestToken)
	if version == "" {
		version = fmt.Sprintf("version-%028d", len(c.begun))
	}
	s.VersionIdsToStages[version] = []string{"AWSPENDING"}
	c.under++
	c.most = max(c.most, c.under)
	go func() {
		c.course(c, *s.Name, version)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.under--
	}()
	return &secretsmanager.RotateSecretOutput{ARN: s.ARN, Name: s.Name, VersionId: &version}, nil
}

func (c *cloud) FilterLogEvents(_ context.Context, in *cloudwatchlogs.FilterLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls["FilterLogEvents"]++
	if c.denied {
		return nil, &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not authorized to perform logs:FilterLogEvents"}
	}
	if c.busy > 0 {
		c.busy--
		return nil, &smithy.GenericAPIError{Code: "ThrottlingException", Message: "Rate exceeded"}
	}
	out := &cloudwatchlogs.FilterLogEventsOutput{}
	for _, e := range c.lines {
		if *e.Timestamp >= *in.StartTime {
			out.Events = append(out.Events, e)
		}
	}
	return out, nil
}

// says is a line of the function's log.
func (c *cloud) says(version, step, outcome, kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, logtypes.FilteredLogEvent{Timestamp: aws.Int64(time.Now().UnixMilli()), Message: aws.String(fmt.Sprintf(
		`{"time":%q,"msg":"rotation step","step":%q,"version":%q,"outcome":%q,"kind":%q,"error":"the cause","hint":"The remedy.","request_id":"%s-%d"}`,
		time.Now().Format(time.RFC3339Nano), step, version, outcome, kind, step, len(c.lines)))})
}

func (c *cloud) label(name, version string, stages ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secrets[name].VersionIdsToStages[version] = stages
}

// well is a rotation that takes four seconds.
func well(c *cloud, name, version string) {
	for _, step := range []string{"createSecret", "setSecret", "testSecret", "finishSecret"} {
		time.Sleep(time.Second)
		c.says(version, step, "done", "")
	}
	c.label(name, version, "AWSCURRENT")
}

// fails is one whose setSecret fails so often, with a kind of failure, before it succeeds.
func fails(times int, kind string) func(*cloud, string, string) {
	return func(c *cloud, name, version string) {
		for range times {
			time.Sleep(time.Second)
			c.says(version, "setSecret", "failed", kind)
			time.Sleep(10 * time.Second) // until Secrets Manager tries again
		}
		well(c, name, version)
	}
}
