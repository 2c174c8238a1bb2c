// Package account is what the forwarder asks of its own AWS account: the values of sinks'
// secrets, the log lines of rotation functions, the list of secrets, and the queue of dead
// letters. Errors wrap a sentinel of package rotation.
package account

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/awsclient"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Account is the function's account, in its Region. It is safe for concurrent use. Nothing is
// called before the first use.
type Account struct {
	secrets *secretsmanager.Client
	aws     awsclient.Settings
	region  string
	now     func() time.Time

	mu     sync.Mutex
	values map[string]remembered
}

type remembered struct {
	value rotation.Value
	since time.Time
}

// New makes the clients from the function's settings; now is the clock, time.Now if nil.
func New(s awsclient.Settings, now func() time.Time) *Account {
	if now == nil {
		now = time.Now
	}
	return &Account{
		aws: s, region: s.Region, now: now, values: map[string]remembered{},
		secrets: secretsmanager.New(secretsmanager.Options{
			Region: s.Region, Credentials: s.Credentials, HTTPClient: s.HTTPClient, Retryer: s.Retryer, AppID: awsclient.AppID,
			BaseEndpoint:    s.Endpoint("SECRETS_MANAGER"),
			EndpointOptions: secretsmanager.EndpointResolverOptions{UseFIPSEndpoint: s.FIPS, UseDualStackEndpoint: s.DualStack},
		}),
	}
}

// fresh is how long a value is used before it is read again.
const fresh = 5 * time.Minute

// Value is the current value of a secret, as it was read at most five minutes ago; anew, as it
// is now. It makes the Account a sink.Secrets.
func (a *Account) Value(ctx context.Context, id string, anew bool) (rotation.Value, error) {
	a.mu.Lock()
	known, found := a.values[id]
	a.mu.Unlock()
	if found && !anew && a.now().Sub(known.since) < fresh {
		return known.value, nil
	}
	out, err := a.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id},
		func(o *secretsmanager.Options) { o.Retryer = awsclient.UntilDeadline(ctx, o.Retryer) })
	if err != nil {
		return rotation.Value{}, secretsErrors.Translate(ctx, "reading the sink's secret "+id+": GetSecretValue", err)
	}
	v := rotation.TextValue(aws.ToString(out.SecretString))
	a.mu.Lock()
	defer a.mu.Unlock()
	a.values[id] = remembered{v, a.now()}
	return v, nil
}

// Page is a part of the list of the secrets of the Region, with where the next begins; empty:
// there is none. Of those marked for deletion there are none in it. With a tag, only secrets
// that have it are.
func (a *Account) Page(ctx context.Context, from, tag string) ([]audit.Metadata, string, error) {
	in := &secretsmanager.ListSecretsInput{MaxResults: aws.Int32(100)} // the most
	if from != "" {
		in.NextToken = &from
	}
	if tag != "" {
		in.Filters = []types.Filter{{Key: types.FilterNameStringTypeTagKey, Values: []string{tag}}}
	}
	out, err := a.secrets.ListSecrets(ctx, in, func(o *secretsmanager.Options) { o.Retryer = awsclient.UntilDeadline(ctx, o.Retryer) })
	if err != nil {
		return nil, "", secretsErrors.Translate(ctx, "looking at the secrets: ListSecrets", err)
	}
	list := make([]audit.Metadata, 0, len(out.SecretList))
	for _, s := range out.SecretList {
		list = append(list, Metadata(&s, a.region))
	}
	return list, aws.ToString(out.NextToken), nil
}

// Metadata is what an entry of ListSecrets in a Region tells of a secret's rotation.
func Metadata(s *types.SecretListEntry, region string) audit.Metadata {
	m := audit.Metadata{
		Secret:          audit.NamedSecret(aws.ToString(s.ARN), "", region),
		RotationEnabled: aws.ToBool(s.RotationEnabled), LastRotated: aws.ToTime(s.LastRotatedDate), NextRotation: aws.ToTime(s.NextRotationDate),
		Deleted: aws.ToTime(s.DeletedDate), PrimaryRegion: aws.ToString(s.PrimaryRegion),
	}
	if r := s.RotationRules; r != nil {
		m.AfterDays, m.Schedule = int(aws.ToInt64(r.AutomaticallyAfterDays)), aws.ToString(r.ScheduleExpression)
	}
	return m
}
