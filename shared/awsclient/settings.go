// Package awsclient is what clients of AWS services in a function have in
// common: the settings of its environment, when to try again, and what the
// errors mean.
package awsclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Settings are the standard settings of the AWS SDKs that can occur in a
// function's environment.
type Settings struct {
	Region      string
	Credentials aws.CredentialsProvider
	HTTPClient  aws.HTTPClient
	Retryer     aws.Retryer
	FIPS        aws.FIPSEndpointState
	DualStack   aws.DualStackEndpointState

	lookup environment
}

// Read reads the settings; lookup is os.LookupEnv. Nothing is called before the
// first use. Errors are ErrConfig.
//
//	AWS_REGION, AWS_DEFAULT_REGION            the Region
//	AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
//	AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS
//	AWS_USE_FIPS_ENDPOINT, AWS_USE_DUALSTACK_ENDPOINT, AWS_CA_BUNDLE, AWS_MAX_ATTEMPTS
//
// The SDK's own loader would read these too, and files, and link four more
// services: 2 MB and a quarter of the start-up time.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
func Read(lookup func(string) (string, bool)) (Settings, error) {
	e := environment(lookup)
	s := Settings{
		Region:      e.first("AWS_REGION", "AWS_DEFAULT_REGION"),
		Credentials: aws.NewCredentialsCache(e),
		lookup:      e,
	}
	if s.Region == "" {
		return Settings{}, badSetting("AWS_REGION", "is not set", "Set it to the secret's Region, such as eu-central-1; Lambda does.")
	}
	if e.yes("AWS_USE_FIPS_ENDPOINT") {
		s.FIPS = aws.FIPSEndpointStateEnabled
	}
	if e.yes("AWS_USE_DUALSTACK_ENDPOINT") {
		s.DualStack = aws.DualStackEndpointStateEnabled
	}
	client, err := e.httpClient()
	if err != nil {
		return Settings{}, err
	}
	s.HTTPClient = whole{client}
	if s.Retryer, err = e.retryer(); err != nil {
		return Settings{}, err
	}
	return s, nil
}

// AppID is what the clients call themselves in their requests.
const AppID = "rekey"

// Endpoint is where a service is reached, or nil for its usual place. service is
// as AWS writes it in variables: SECRETS_MANAGER, RDS.
func (s Settings) Endpoint(service string) *string {
	if s.lookup.yes("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
		return nil
	}
	if endpoint := s.lookup.first("AWS_ENDPOINT_URL_"+service, "AWS_ENDPOINT_URL"); endpoint != "" {
		return &endpoint
	}
	return nil
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

func badSetting(name, wrong, remedy string) error {
	return rotation.WithHint(fmt.Errorf("reading the function's settings: %s %s: %w", name, wrong, rotation.ErrConfig), remedy)
}
