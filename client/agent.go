package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/smithy-go"

	"github.com/rekey-aws/rekey/shared/netfault"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Agent is the HTTP interface of the AWS Secrets Manager Agent, and of the AWS Parameters
// and Secrets Lambda Extension. Both are caches themselves, on this machine.
//
//   - https://docs.aws.amazon.com/secretsmanager/latest/userguide/secrets-manager-agent.html
//   - https://docs.aws.amazon.com/secretsmanager/latest/userguide/retrieving-secrets_lambda.html
type Agent struct {
	// Endpoint is http://localhost:2773 if empty. The port is the agent's http_port, or the
	// extension's PARAMETERS_SECRETS_EXTENSION_HTTP_PORT.
	Endpoint string
	// Token proves that the request is this program's own and not one that somebody made it
	// send (SSRF). The agent's is the content of the file that its installation names, such
	// as /var/run/awssmatoken; the extension's is AWS_SESSION_TOKEN. It is asked for each
	// request, because both change.
	Token func() (string, error)
	// Fresh is asked instead when a value may be too old. The agent needs none: it is told
	// to refresh. The extension cannot be, so that without Fresh it is believed.
	Fresh Source
	// HTTPClient is one without proxy and redirects if nil.
	HTTPClient *http.Client
}

// Source makes a source of the agent. The Endpoint must be on this machine.
func (a Agent) Source() (Source, error) {
	a.Endpoint = cmp.Or(a.Endpoint, "http://localhost:2773")
	u, err := url.Parse(a.Endpoint)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, badAgent("its endpoint is not an address", "Give one such as http://localhost:2773.")
	}
	if host := u.Hostname(); host != "localhost" && host != "127.0.0.1" && host != "::1" {
		return nil, badAgent("its endpoint is on another machine, "+host, "Secrets go there in the clear: use an agent of this machine.")
	}
	if a.Token == nil {
		return nil, badAgent("it has no token", "Set Token: the agent answers nobody without.")
	}
	if a.HTTPClient == nil {
		a.HTTPClient = &http.Client{
			Transport:     &http.Transport{}, // no proxy: the agent is here
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return agent{a}, nil
}

func badAgent(wrong, remedy string) error {
	return rotation.WithHint(fmt.Errorf("using the agent for secrets: %s: %w", wrong, rotation.ErrConfig), remedy)
}

type agent struct{ Agent }

// maxAnswer is more than the largest secret as JSON.
const maxAnswer = 8 * rotation.MaxValueSize

func (a agent) Fetch(ctx context.Context, id string, fresh bool) (*Secret, error) {
	if fresh && a.Fresh != nil {
		return a.Fresh.Fetch(ctx, id, fresh)
	}
	query := url.Values{"secretId": {id}}
	if fresh {
		query.Set("refreshNow", "true")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(a.Endpoint, "/")+"/secretsmanager/get?"+query.Encode(), http.NoBody)
	if err != nil {
		return nil, badAgent("its endpoint is not an address", "Give one such as http://localhost:2773.")
	}
	token, err := a.Token()
	if err != nil {
		why := ""
		if file := (*fs.PathError)(nil); errors.As(err, &file) { // another's text might hold the token
			why = ": " + file.Error()
		}
		return nil, badAgent("its token cannot be read"+why, "Let this program read the agent's token.")
	}
	request.Header.Set("X-Aws-Parameters-Secrets-Token", strings.TrimSpace(token))
	answer, err := a.HTTPClient.Do(request)
	if err != nil {
		return nil, unreached(ctx, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, unreached(ctx, err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, refusal(ctx, answer.StatusCode, body)
	}
	return read(body)
}

func unreached(ctx context.Context, err error) error {
	fault, known := netfault.Classify(ctx, err)
	if !known {
		fault = fmt.Errorf("the call failed in an unknown way (%T): %w", err, rotation.ErrUnreachable)
	}
	return rotation.WithHint(fmt.Errorf("asking the agent: %w", fault), "Check that the agent runs, and its port.")
}

// read takes an answer, which is that of GetSecretValue.
func read(body []byte) (*Secret, error) {
	var out struct {
		ARN          string
		Version      string `json:"VersionId"`
		SecretString *string
		SecretBinary []byte
	}
	if json.Unmarshal(body, &out) != nil || out.ARN == "" { // its error quotes the secret
		return nil, fmt.Errorf("asking the agent: it answered something else than a secret: %w", rotation.ErrVendor)
	}
	value := rotation.BinaryValue(out.SecretBinary)
	if out.SecretString != nil {
		value = rotation.TextValue(*out.SecretString)
	}
	return NewSecret(out.ARN, out.Version, value, time.Now()), nil
}

// refusal gives the answer of an agent that did not give the secret its kind. The agent
// passes on what Secrets Manager said, whose code tells more than the status.
func refusal(ctx context.Context, status int, body []byte) error {
	var said struct {
		Type    string `json:"__type"`
		Message string `json:"message"` // or Message
	}
	_ = json.Unmarshal(body, &said) // without a code the status tells
	if said.Type != "" {
		code := said.Type[strings.LastIndexByte(said.Type, '#')+1:]
		return meanings.Translate(ctx, "asking the agent", &smithy.GenericAPIError{Code: code, Message: said.Message})
	}
	err := fmt.Errorf("asking the agent: HTTP status %d", status)
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return rotation.WithHint(fmt.Errorf("%w: %w", err, rotation.ErrDenied), "Check the agent's token. "+notAllowed)
	case status == http.StatusNotFound:
		return rotation.WithHint(fmt.Errorf("%w: %w", err, rotation.ErrNotFound), noSuchSecret)
	case status == http.StatusTooManyRequests:
		return fmt.Errorf("%w: %w", err, rotation.ErrThrottled)
	case status < http.StatusInternalServerError:
		return fmt.Errorf("%w: %w", err, rotation.ErrConfig)
	}
	return fmt.Errorf("%w: %w", err, rotation.ErrVendor)
}
