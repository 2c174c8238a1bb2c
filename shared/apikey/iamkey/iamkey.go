// Package iamkey is the [apikey.Provider] of access keys of IAM users, by the AWS
// SDK.
//
//	{"provider": "aws-iam", "userName": "deploy", "accessKeyId": "AKIA…", "secretAccessKey": "…"}
//
// The function's role manages the keys. So that nobody who may write a secret can
// have it make keys of any user, a key is made only for the user whose key the
// secret already holds, and who proves it by a call.
package iamkey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/awsclient"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Name is what secrets call the provider.
const Name = "aws-iam"

// Keys of the secret's document.
const (
	idField     = "accessKeyId"
	secretField = "secretAccessKey"
	userKey     = "userName"
)

// Provider is the [apikey.Provider].
type Provider struct {
	settings awsclient.Settings
	iam      *iam.Client
	sleep    func(context.Context, time.Duration) bool
}

// New makes a provider from the function's settings, see [awsclient.Read]; lookup
// is os.LookupEnv. sleep waits, and reports whether there was time for it; nil: a
// timer. Nothing is called before the first use. Errors are ErrConfig.
func New(lookup func(string) (string, bool), sleep func(context.Context, time.Duration) bool) (*Provider, error) {
	s, err := awsclient.Read(lookup)
	if err != nil {
		return nil, err
	}
	if sleep == nil {
		sleep = wait
	}
	return &Provider{settings: s, sleep: sleep, iam: iam.New(iam.Options{
		Region: s.Region, Credentials: s.Credentials, HTTPClient: s.HTTPClient, Retryer: s.Retryer, AppID: awsclient.AppID,
		BaseEndpoint:    s.Endpoint("IAM"),
		EndpointOptions: iam.EndpointResolverOptions{UseFIPSEndpoint: s.FIPS, UseDualStackEndpoint: s.DualStack},
	})}, nil
}

// Traits implements [apikey.Provider]. Access keys have no names: one whose answer
// was lost is told from others' only if the user is the secret's alone
// ("exclusive": true).
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func (p *Provider) Traits() apikey.Traits {
	return apikey.Traits{
		Class: apikey.Dual, Fields: []string{idField, secretField}, Public: []string{idField}, ID: idField,
		Limit: 2, Lists: true, Revokes: true, LastUsed: true,
	}
}

// AdminFields implements [apikey.Reader]: the function's role manages the keys.
func (p *Provider) AdminFields() (required, optional []string, itself bool) { return nil, nil, true }

// ReadSettings implements [apikey.Reader].
func (p *Provider) ReadSettings(secret, _ rotation.Document, administered bool) (map[string]string, error) {
	if administered {
		return nil, badKey("adminSecretArn", "names an administrator, and the function's role manages access keys", "absent")
	}
	raw, _ := secret.Raw(userKey)
	var name string
	if json.Unmarshal(raw, &name) != nil || name == "" || len(name) > 64 {
		return nil, badKey(userKey, "is not the name of a user", "the name of the IAM user, without path, 1 to 64 characters")
	}
	return map[string]string{userKey: name}, nil
}

func badKey(key, wrong, expected string) error {
	return rotation.WithHint(fmt.Errorf("reading the secret: the key %q %s: %w", key, wrong, rotation.ErrConfig),
		fmt.Sprintf("%q must be %s.", key, expected))
}

// Issue implements [apikey.Provider]. The call is made once: a second one after a
// lost answer would make a second key.
func (p *Provider) Issue(ctx context.Context, a apikey.Account, _ apikey.Order) (apikey.Key, error) {
	if err := p.identify(ctx, a, a.Current); err != nil {
		return apikey.Key{}, apikey.NotSent(fmt.Errorf("trying the current key: %w", err))
	}
	out, err := p.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: user(a)}, func(o *iam.Options) { o.Retryer = aws.NopRetryer{} })
	var full *types.LimitExceededException
	switch {
	case errors.As(err, &full):
		return apikey.Key{}, apikey.NotSent(rotation.WithHint(fmt.Errorf("CreateAccessKey: user %s has two keys: %w", *user(a), apikey.ErrLimit),
			"Delete the key of the user that nobody uses; one whose answer was lost is deleted by the rotation itself if the secret says \"exclusive\": true."))
	case err != nil && answered(err):
		return apikey.Key{}, apikey.NotSent(translate(ctx, "CreateAccessKey", err))
	case err != nil:
		return apikey.Key{}, translate(ctx, "CreateAccessKey", err)
	}
	return apikey.Key{
		ID: aws.ToString(out.AccessKey.AccessKeyId), Created: aws.ToTime(out.AccessKey.CreateDate),
		Material: apikey.Material{
			idField:     rotation.TextValue(aws.ToString(out.AccessKey.AccessKeyId)),
			secretField: rotation.TextValue(aws.ToString(out.AccessKey.SecretAccessKey)),
		},
	}, nil
}

// propagation are the waits for a new key to be known everywhere: IAM is
// eventually consistent, usually within seconds.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
var propagation = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 6 * time.Second, 8 * time.Second, 10 * time.Second}

// Check implements [apikey.Provider]: it asks STS who the key belongs to.
func (p *Provider) Check(ctx context.Context, a apikey.Account, k apikey.Key) error {
	err := p.identify(ctx, a, k)
	for _, pause := range propagation {
		if !errors.Is(err, errUnknownKey) || !p.sleep(ctx, pause) {
			break
		}
		err = p.identify(ctx, a, k)
	}
	return err
}

// CheckNow implements [apikey.Checker].
func (p *Provider) CheckNow(ctx context.Context, a apikey.Account, k apikey.Key) error {
	return p.identify(ctx, a, k)
}

// errUnknownKey is that STS does not know a key: not yet, or no more.
var errUnknownKey = fmt.Errorf("GetCallerIdentity: the access key is not known: %w", rotation.ErrRefused)

// identify proves that a key works and is the user's. No permission is needed to
// ask.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
func (p *Provider) identify(ctx context.Context, a apikey.Account, k apikey.Key) error {
	s := p.settings
	client := sts.New(sts.Options{
		Region: s.Region, HTTPClient: s.HTTPClient, Retryer: awsclient.UntilDeadline(ctx, s.Retryer), AppID: awsclient.AppID,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: k.Material.Text(idField), SecretAccessKey: k.Material.Text(secretField)}, nil
		}),
		BaseEndpoint:    s.Endpoint("STS"),
		EndpointOptions: sts.EndpointResolverOptions{UseFIPSEndpoint: s.FIPS, UseDualStackEndpoint: s.DualStack},
	})
	out, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	switch {
	case code(err) == "InvalidClientTokenId":
		return rotation.WithHint(errUnknownKey, "Put an access key of the user that works into AWSCURRENT; then rotate.")
	case code(err) == "SignatureDoesNotMatch":
		return rotation.WithHint(fmt.Errorf("GetCallerIdentity: the secret access key is not the one of %s: %w", k.Material.Text(idField), rotation.ErrRefused),
			"Put an access key of the user that works into AWSCURRENT; then rotate.")
	case err != nil:
		return translate(ctx, "GetCallerIdentity", err)
	}
	arn := aws.ToString(out.Arn) // arn:aws:iam::123456789012:user/path/name
	_, resource, _ := strings.Cut(arn, ":user/")
	if name := resource[strings.LastIndex(resource, "/")+1:]; name != *user(a) || strings.Count(arn, ":user/") != 1 {
		return rotation.WithHint(fmt.Errorf("GetCallerIdentity: the key is %s's, not the user %s's: %w", arn, *user(a), rotation.ErrConfig),
			`"userName" must be the user whose access key the secret holds.`)
	}
	return nil
}

// List implements [apikey.Provider].
func (p *Provider) List(ctx context.Context, a apikey.Account) ([]apikey.Key, error) {
	out, err := p.iam.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: user(a)}, within(ctx)) // two at most: one page
	if err != nil {
		return nil, translate(ctx, "ListAccessKeys", err)
	}
	var keys []apikey.Key
	for _, m := range out.AccessKeyMetadata {
		k := apikey.Key{ID: aws.ToString(m.AccessKeyId), Created: aws.ToTime(m.CreateDate), Inactive: m.Status == types.StatusTypeInactive}
		used, err := p.iam.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: m.AccessKeyId}, within(ctx))
		if err != nil {
			return nil, translate(ctx, "GetAccessKeyLastUsed", err)
		}
		if used.AccessKeyLastUsed != nil {
			k.LastUsed = aws.ToTime(used.AccessKeyLastUsed.LastUsedDate)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// Revoke implements [apikey.Provider]: it deactivates the key, and deletes it.
func (p *Provider) Revoke(ctx context.Context, a apikey.Account, k apikey.Key) error {
	if there, err := p.deactivate(ctx, a, k); err != nil || !there {
		return err
	}
	_, err := p.iam.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: user(a), AccessKeyId: &k.ID}, within(ctx))
	return gone(ctx, "DeleteAccessKey", err)
}

// RetireKey implements [apikey.KeyRetirer]: it deactivates the old key, and deletes
// it the next time. In between a person who finds that something still needs it
// can activate it again.
func (p *Provider) RetireKey(ctx context.Context, a apikey.Account, old apikey.Key) error {
	keys, err := p.List(ctx, a)
	if err != nil {
		return err
	}
	for _, k := range keys {
		switch {
		case k.ID != old.ID:
		case k.Inactive:
			return p.Revoke(ctx, a, old)
		default:
			if there, err := p.deactivate(ctx, a, old); err != nil || !there {
				return err
			}
			return rotation.WithHint(fmt.Errorf("ending the old key: it is inactive from now on, and deleted the next time: %w", rotation.ErrBusy),
				"If something still needs it: aws iam update-access-key --status Active.")
		}
	}
	return nil
}

// deactivate reports whether the key is there.
func (p *Provider) deactivate(ctx context.Context, a apikey.Account, k apikey.Key) (there bool, err error) {
	_, err = p.iam.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: user(a), AccessKeyId: &k.ID, Status: types.StatusTypeInactive}, within(ctx))
	return err == nil, gone(ctx, "UpdateAccessKey", err)
}

func user(a apikey.Account) *string { return aws.String(a.Settings[userKey]) }

// wait reports whether there was time for it.
func wait(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

var (
	_ apikey.Provider   = (*Provider)(nil)
	_ apikey.Reader     = (*Provider)(nil)
	_ apikey.KeyRetirer = (*Provider)(nil)
	_ apikey.Checker    = (*Provider)(nil)
)
