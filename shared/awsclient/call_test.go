package awsclient_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	smithyendpoints "github.com/aws/smithy-go/endpoints"

	"github.com/rekey-aws/rekey/shared/awsclient"
	"github.com/rekey-aws/rekey/shared/rotation"
)

var (
	logs   = awsclient.Service{Name: "logs", Variable: "CLOUDWATCH_LOGS", Version: "1.1", Target: "Logs_20140328.", GovCloud: true}
	events = awsclient.Service{Name: "events", Variable: "EVENTBRIDGE", Version: "1.1", Target: "AWSEvents.", GovCloud: true, GovCloudDual: true}
	tables = awsclient.Service{Name: "dynamodb", Variable: "DYNAMODB", Version: "1.0", Target: "DynamoDB_20120810.", GovCloud: true}
	queues = awsclient.Service{Name: "sqs", Variable: "SQS", Version: "1.0", Target: "AmazonSQS.", GovCloud: true}
	stream = awsclient.Service{Name: "firehose", Variable: "FIREHOSE", Version: "1.1", Target: "Firehose_20150804."}
)

func settings(t *testing.T, environment map[string]string) awsclient.Settings {
	t.Helper()
	s, err := awsclient.Read(func(name string) (string, bool) { v, ok := environment[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// hostOf is the host that a call would go to.
type hostOf struct{ host string }

func (h *hostOf) Do(r *http.Request) (*http.Response, error) {
	h.host = r.URL.String()
	return nil, context.Canceled
}

// The endpoints are those that the SDK's own clients would speak to, in every partition.
func TestEndpointsAreTheSDKs(t *testing.T) {
	t.Parallel()
	sdk := map[string]func(region string, fips, dual bool) (smithyendpoints.Endpoint, error){
		"logs": func(r string, f, d bool) (smithyendpoints.Endpoint, error) {
			return cloudwatchlogs.NewDefaultEndpointResolverV2().ResolveEndpoint(t.Context(), cloudwatchlogs.EndpointParameters{Region: &r, UseFIPS: &f, UseDualStack: &d})
		},
		"events": func(r string, f, d bool) (smithyendpoints.Endpoint, error) {
			return eventbridge.NewDefaultEndpointResolverV2().ResolveEndpoint(t.Context(), eventbridge.EndpointParameters{Region: &r, UseFIPS: &f, UseDualStack: &d})
		},
		"dynamodb": func(r string, f, d bool) (smithyendpoints.Endpoint, error) {
			return dynamodb.NewDefaultEndpointResolverV2().ResolveEndpoint(t.Context(), dynamodb.EndpointParameters{Region: &r, UseFIPS: &f, UseDualStack: &d})
		},
		"firehose": func(r string, f, d bool) (smithyendpoints.Endpoint, error) {
			return firehose.NewDefaultEndpointResolverV2().ResolveEndpoint(t.Context(), firehose.EndpointParameters{Region: &r, UseFIPS: &f, UseDualStack: &d})
		},
		"sqs": func(r string, f, d bool) (smithyendpoints.Endpoint, error) {
			return sqs.NewDefaultEndpointResolverV2().ResolveEndpoint(t.Context(), sqs.EndpointParameters{Region: &r, UseFIPS: &f, UseDualStack: &d})
		},
	}
	regions := []string{
		"us-east-1", "us-west-2", "ca-central-1", "eu-central-1", "ap-southeast-7", "mx-central-1", "il-central-1", "sa-east-1", "af-south-1",
		"cn-north-1", "cn-northwest-1", "us-gov-east-1", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "us-isof-south-1", "eusc-de-east-1",
	}
	for _, service := range []awsclient.Service{logs, queues, stream, events, tables} {
		for _, region := range regions {
			for _, flags := range [][2]bool{{}, {true, false}, {false, true}, {true, true}} {
				s := settings(t, map[string]string{
					"AWS_REGION": region, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "example", "AWS_MAX_ATTEMPTS": "1",
					"AWS_USE_FIPS_ENDPOINT": fmt.Sprint(flags[0]), "AWS_USE_DUALSTACK_ENDPOINT": fmt.Sprint(flags[1]),
				})
				sent := &hostOf{}
				s.HTTPClient = sent
				_ = s.Call(t.Context(), service, "Any", struct{}{}, nil)
				want, err := sdk[service.Name](region, flags[0], flags[1])
				if err != nil || sent.host != want.URI.String()+"/" {
					t.Errorf("%s in %s, FIPS and dual stack %v: %q; the SDK has %q, %v", service.Name, region, flags, sent.host, &want.URI, err)
				}
			}
		}
	}
	s := settings(t, map[string]string{"AWS_REGION": "x.example.com/", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "example"})
	if err := s.Call(t.Context(), logs, "Any", struct{}{}, nil); !errors.Is(err, rotation.ErrConfig) {
		t.Errorf("a Region that is a host: %v", err)
	}
}

// What may pass is tried again; what will not is told.
func TestCallTriesAgain(t *testing.T) {
	t.Parallel()
	const done = `{"Answer":"done"}`
	slow := `{"__type":"ThrottlingException"}`
	for name, c := range map[string]struct {
		answers []string // "": the connection is lost
		tries   int
		want    error
	}{
		"throttled":   {[]string{`{"__type":"ThrottlingException","message":"slow"}`, done}, 2, nil},
		"lost":        {[]string{"", done}, 2, nil},
		"refused":     {[]string{`{"__type":"com.amazonaws.logs#AccessDeniedException:http://x","Message":"no"}`}, 1, rotation.ErrDenied},
		"always slow": {[]string{slow, slow, slow}, 3, rotation.ErrThrottled},
		"no JSON":     {[]string{`<html>`}, 1, rotation.ErrVendor},
		"nonsense":    {[]string{`{"Answer":7}`}, 1, rotation.ErrVendor},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := 0
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				signed := r.Header.Get("Authorization")
				if !strings.Contains(signed, "/eu-central-1/logs/aws4_request") || !strings.Contains(signed, "x-amz-target") {
					t.Errorf("signed as %q", signed)
				}
				answer := c.answers[min(n, len(c.answers)-1)]
				n++
				if answer == "" {
					panic(http.ErrAbortHandler)
				}
				if !strings.HasPrefix(answer, `{"Answer"`) {
					w.WriteHeader(http.StatusBadRequest)
				}
				_, _ = w.Write([]byte(answer))
			}))
			defer web.Close()
			s := settings(t, map[string]string{
				"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": web.URL, "AWS_MAX_ATTEMPTS": "3", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "example",
			})
			var out struct{ Answer string }
			err := s.Call(t.Context(), logs, "FilterLogEvents", struct{}{}, &out)
			if err != nil {
				deny := map[string]awsclient.Meaning{"AccessDeniedException": {Kind: rotation.ErrDenied}}
				err = awsclient.Errors{Codes: deny}.Translate(t.Context(), "FilterLogEvents", err)
			}
			if !errors.Is(err, c.want) || n != c.tries {
				t.Errorf("%d tries, want %d: %v", n, c.tries, err)
			}
			if c.want == nil && out.Answer != "done" {
				t.Errorf("got %+v", out)
			}
		})
	}
}

func TestCallWithoutCredentials(t *testing.T) {
	t.Parallel()
	s := settings(t, map[string]string{"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
	err := s.Call(t.Context(), logs, "FilterLogEvents", struct{}{}, nil)
	if err = (awsclient.Errors{}).Translate(t.Context(), "FilterLogEvents", err); !errors.Is(err, rotation.ErrDenied) {
		t.Errorf("%v", err)
	}
}
