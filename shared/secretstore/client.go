package secretstore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Client makes a Secrets Manager client from the standard settings of the AWS
// SDKs that can occur in a function's environment; lookup is os.LookupEnv.
// Nothing is read or called before the first use. Errors are ErrConfig.
//
//	AWS_REGION, AWS_DEFAULT_REGION            the Region
//	AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
//	AWS_ENDPOINT_URL_SECRETS_MANAGER, AWS_ENDPOINT_URL, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS
//	SECRETS_MANAGER_ENDPOINT                  as the official rotation templates call it
//	AWS_USE_FIPS_ENDPOINT, AWS_USE_DUALSTACK_ENDPOINT, AWS_CA_BUNDLE, AWS_MAX_ATTEMPTS
//
// The SDK's own loader would read these too, and files, and link four more
// services: 2 MB and a quarter of the start-up time.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
func Client(lookup func(string) (string, bool)) (*secretsmanager.Client, error) {
	e := environment(lookup)
	options := secretsmanager.Options{
		Region:      e.first("AWS_REGION", "AWS_DEFAULT_REGION"),
		Credentials: aws.NewCredentialsCache(e),
		AppID:       "rekey",
	}
	if options.Region == "" {
		return nil, badSetting("AWS_REGION", "is not set", "Set it to the secret's Region, such as eu-central-1; Lambda does.")
	}
	if endpoint := e.endpoint(); endpoint != "" {
		options.BaseEndpoint = &endpoint
	}
	if e.yes("AWS_USE_FIPS_ENDPOINT") {
		options.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
	}
	if e.yes("AWS_USE_DUALSTACK_ENDPOINT") {
		options.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
	}
	var err error
	if options.HTTPClient, err = e.httpClient(); err != nil {
		return nil, err
	}
	if options.Retryer, err = e.retryer(); err != nil {
		return nil, err
	}
	return secretsmanager.New(options), nil
}

type environment func(string) (string, bool)

func (e environment) first(names ...string) string {
	for _, name := range names {
		if v, _ := e(name); v != "" {
			return v
		}
	}
	return ""
}

func (e environment) yes(name string) bool {
	return strings.EqualFold(e.first(name), "true")
}

// endpoint: what is meant for Secrets Manager alone comes first.
func (e environment) endpoint() string {
	if own := e.first("SECRETS_MANAGER_ENDPOINT"); own != "" {
		return own
	}
	if e.yes("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
		return ""
	}
	return e.first("AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL")
}

var errNoCredentials = errors.New("no credentials in the environment")

// Retrieve implements [aws.CredentialsProvider] with the variables that Lambda
// sets from the function's role.
func (e environment) Retrieve(context.Context) (aws.Credentials, error) {
	c := aws.Credentials{
		AccessKeyID:     e.first("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: e.first("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    e.first("AWS_SESSION_TOKEN"),
		Source:          "environment",
	}
	if !c.HasKeys() {
		return aws.Credentials{}, errNoCredentials
	}
	return c, nil
}

// httpClient gives up on a connection attempt early enough to make another
// within the usual time-out of a function.
func (e environment) httpClient() (*awshttp.BuildableClient, error) {
	client := awshttp.NewBuildableClient().WithDialerOptions(func(d *net.Dialer) { d.Timeout = 5 * time.Second })
	file := e.first("AWS_CA_BUNDLE")
	if file == "" {
		return client, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, badSetting("AWS_CA_BUNDLE", "cannot be read", "Point it at a file of PEM certificates in the function's package, or unset it.")
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, badSetting("AWS_CA_BUNDLE", "has no certificate", "Point it at a file of PEM certificates, or unset it.")
	}
	return client.WithTransportOptions(func(t *http.Transport) {
		t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}), nil
}

// retryer tries again what may succeed a moment later, as long as there is time
// (see withinDeadline): a throttled call is worth more than three attempts.
func (e environment) retryer() (aws.Retryer, error) {
	attempts := 10
	if v := e.first("AWS_MAX_ATTEMPTS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return nil, badSetting("AWS_MAX_ATTEMPTS", "is not a number of attempts", "Set it to 1 or more, or unset it.")
		}
		attempts = n
	}
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.Backoff = attempts, retry.BackoffDelayerFunc(backoff)
	}), nil
}

// backoff is the pause after a failed attempt (the first is 1): from 100 ms,
// doubling up to 2 s, of which a random half is left away, so that functions
// that were throttled together do not come back together. The SDK's own begins
// at a second, which a function has better use for.
func backoff(attempt int, _ error) (time.Duration, error) {
	d := min(100*time.Millisecond<<min(attempt-1, 10), 2*time.Second)
	return d/2 + rand.N(d/2), nil
}

func badSetting(name, wrong, remedy string) error {
	return rotation.WithHint(fmt.Errorf("reading the function's settings: %s %s: %w", name, wrong, rotation.ErrConfig), remedy)
}

// withinDeadline ends the attempts of one call when the wait before the next
// would outlast the context: so the answer of AWS is what is reported, and not
// that time ran out.
func withinDeadline(ctx context.Context) func(*secretsmanager.Options) {
	return func(o *secretsmanager.Options) {
		if deadline, ok := ctx.Deadline(); ok {
			o.Retryer = untilDeadline{Retryer: o.Retryer, deadline: deadline}
		}
	}
}

type untilDeadline struct {
	aws.Retryer
	deadline time.Time
}

// RetryDelay returns the error of the last attempt if there is no time for another.
func (u untilDeadline) RetryDelay(attempt int, last error) (time.Duration, error) {
	d, err := u.Retryer.RetryDelay(attempt, last)
	if err == nil && time.Until(u.deadline) <= d {
		err = last
	}
	return d, err
}
