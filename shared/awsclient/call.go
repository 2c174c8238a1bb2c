package awsclient

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Service is a service of which little is wanted, and which speaks AWS JSON. The SDK's
// package of a service describes each of its operations in variables, which every cold start
// of a function pays for: see docs/decisions/0024-calls-without-packages.md.
type Service struct {
	Name     string // in host names and signatures, such as "logs"
	Variable string // as in [Settings.Endpoint]
	Version  string // of the protocol: 1.0 or 1.1
	Target   string // what X-Amz-Target has before the operation, such as "Logs_20140328."

	// GovCloud says that the service's plain endpoints in GovCloud are those of FIPS; GovCloudDual
	// that those with IPv6 are so too.
	GovCloud, GovCloudDual bool
}

// RefusedError is an answer that is no result. It is a [smithy.APIError].
type RefusedError struct {
	smithy.GenericAPIError
	Body []byte // the whole answer, whose other members an operation may want
}

// Call calls an operation: in is written as JSON, out is read from it. What may pass is tried
// again, as the settings say and the deadline leaves time for; the SDK's core signs, and
// decides what that is. It is safe for concurrent use. Errors are of the SDK's kinds, for
// [Errors.Translate].
//
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
func (s Settings) Call(ctx context.Context, service Service, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("writing the request: %w", err)
	}
	tries := UntilDeadline(ctx, s.Retryer)
	for attempt := 1; ; attempt++ {
		err := s.try(ctx, service, operation, body, out)
		if err == nil || attempt >= tries.MaxAttempts() || !tries.IsErrorRetryable(err) {
			return err
		}
		pause, last := tries.RetryDelay(attempt, err)
		if last != nil {
			return last
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

func (s Settings) try(ctx context.Context, service Service, operation string, body []byte, out any) error {
	request, err := s.signed(ctx, service, operation, body)
	if err != nil {
		return err
	}
	response, err := s.HTTPClient.Do(request)
	if err != nil {
		return &smithyhttp.RequestSendError{Err: err}
	}
	defer func() { _ = response.Body.Close() }()
	const most = 16 << 20 // no answer is as long
	answer, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err != nil {
		return &smithyhttp.RequestSendError{Err: err}
	}
	if response.StatusCode != http.StatusOK {
		return refusal(response, answer)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return &smithy.GenericAPIError{Code: "SerializationError", Message: "the answer is not what was asked for"}
	}
	return nil
}

func (s Settings) signed(ctx context.Context, service Service, operation string, body []byte) (*http.Request, error) {
	endpoint, err := s.endpointOf(service)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("addressing %s: %w", service.Name, err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-"+service.Version)
	r.Header.Set("X-Amz-Target", service.Target+operation)
	r.Header.Set("User-Agent", "app/"+AppID)
	credentials, err := s.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	return r, v4.NewSigner().SignHTTP(ctx, credentials, r, hex.EncodeToString(sum[:]), service.Name, s.Region, time.Now())
}

// refusal is what a service answered in place of a result, as the SDK would say it.
func refusal(response *http.Response, answer []byte) error {
	var said struct {
		Type    string `json:"__type"`
		Message string `json:"message"` // or Message
	}
	if err := json.Unmarshal(answer, &said); err != nil || said.Type == "" {
		said.Type, said.Message = "UnknownError", fmt.Sprintf("HTTP %d", response.StatusCode)
	}
	code, _, _ := strings.Cut(said.Type[strings.LastIndexByte(said.Type, '#')+1:], ":")
	return &awshttp.ResponseError{RequestID: response.Header.Get("X-Amzn-Requestid"), ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: response},
		Err:      &RefusedError{smithy.GenericAPIError{Code: code, Message: said.Message}, answer},
	}}
}

// partitions are the domains of AWS's partitions, by how the names of their Regions begin, as
// the SDK has them; what begins otherwise is in the first. The second domain has IPv6 too.
//
// https://docs.aws.amazon.com/general/latest/gr/rande.html
var partitions = []struct{ regions, domain, dual string }{
	{"", "amazonaws.com", "api.aws"},
	{"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
	{"eusc-", "amazonaws.eu", "api.amazonwebservices.eu"},
	{"us-iso-", "c2s.ic.gov", "api.aws.ic.gov"},
	{"us-isob-", "sc2s.sgov.gov", "api.aws.scloud"},
	{"eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"},
	{"us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"},
}

// endpointOf is the endpoint of the settings, or else the service's usual one. A test compares
// it with the SDK's.
func (s Settings) endpointOf(service Service) (string, error) {
	if own := s.Endpoint(service.Variable); own != nil {
		return strings.TrimSuffix(*own, "/") + "/", nil
	}
	if strings.Trim(s.Region, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return "", badSetting("AWS_REGION", "is not the name of a Region", "Give one such as eu-central-1.")
	}
	at := partitions[0]
	for _, p := range partitions[1:] {
		if strings.HasPrefix(s.Region, p.regions) {
			at = p
		}
	}
	name, domain := service.Name, at.domain
	if s.DualStack == aws.DualStackEndpointStateEnabled {
		domain = at.dual
	}
	plain := service.GovCloud && domain == at.domain || service.GovCloudDual && domain == at.dual
	if s.FIPS == aws.FIPSEndpointStateEnabled && !(plain && strings.HasPrefix(s.Region, "us-gov-")) {
		name += "-fips"
	}
	return "https://" + name + "." + s.Region + "." + domain + "/", nil
}
