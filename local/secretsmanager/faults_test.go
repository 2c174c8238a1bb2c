package secretsmanager_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/local/secretsmanager"
)

func TestParseFaults(t *testing.T) {
	for spec, want := range map[string][]secretsmanager.FaultRule{
		"GetSecretValue:throttle=5%": {{Operations: []string{"GetSecretValue"}, Kind: secretsmanager.Throttle, Share: 0.05}},
		"PutSecretValue:lose=#2":     {{Operations: []string{"PutSecretValue"}, Kind: secretsmanager.LoseReply, Nth: 2}},
		"*:latency=20ms..1s,error=0.5%,drop=100%": {
			{Latency: 20 * time.Millisecond, MaxLatency: time.Second}, {Kind: secretsmanager.ServerError, Share: 0.005}, {Kind: secretsmanager.Drop, Share: 1},
		},
		"PutSecretValue+UpdateSecret:rate=50": {{Operations: []string{"PutSecretValue", "UpdateSecret"}, Rate: 50}},
		"quotas":                              secretsmanager.Quotas(),
	} {
		got, err := secretsmanager.ParseFaults(spec)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", spec, err, diff)
		}
	}
	for spec, says := range map[string]string{
		"GetSecretValue":               "it has no colon",
		"GetSecretValue:":              `"" is no kind of fault`,
		"GetSecretValue:slow=1":        `"slow" is no kind of fault: use throttle, error, drop, lose, rate or latency`,
		"GetSecretValue:throttle=5":    "throttle=5 is no share of calls",
		"GetSecretValue:throttle=0%":   "is no share of calls",
		"GetSecretValue:throttle=101%": "is no share of calls",
		"GetSecretValue:throttle=NaN%": "is no share of calls",
		"GetSecretValue:lose=#0":       "lose=#0 names no call",
		"GetSecretValue:rate=-1":       "is no number of calls a second",
		"GetSecretValue:latency=1":     "is no duration",
		"*:latency=2s..1s":             "is no duration",
		"Frobnicate:throttle=5%":       `for the operation "Frobnicate", which Secrets Manager has not`,
	} {
		if _, err := secretsmanager.ParseFaults(spec); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", spec, err)
		}
	}
	if _, err := secretsmanager.New(secretsmanager.Options{Faults: []secretsmanager.FaultRule{{Share: 2}}}); err == nil {
		t.Error("a share of 2 was taken")
	}
}

func TestFaultRules(t *testing.T) {
	rules := must(secretsmanager.ParseFaults("DescribeSecret:throttle=5%", "DescribeSecret:error=10%", "ListSecrets:error=#3", "TagResource+UntagResource:rate=5", "GetRandomPassword:latency=30ms"))(t)
	w := newWorld(t, func(o *secretsmanager.Options) { o.Faults = rules })
	w.create("s", "v")
	count := func(n int, call func() error) (codes map[string]int) {
		codes = map[string]int{}
		for range n {
			code := ""
			var e smithy.APIError
			if errors.As(call(), &e) {
				code = e.ErrorCode()
			}
			codes[code]++
		}
		return codes
	}
	describe := func() error {
		_, err := w.DescribeSecret(t.Context(), &api.DescribeSecretInput{SecretId: aws.String("s")})
		return err
	}
	if got := count(200, describe); got["ThrottlingException"] != 10 || got["InternalServiceError"] < 18 || got["InternalServiceError"] > 20 {
		t.Errorf("of 200 calls: %v", got)
	}
	list := func() error { _, err := w.ListSecrets(t.Context(), &api.ListSecretsInput{}); return err }
	if got := count(2, list); got[""] != 2 {
		t.Errorf("the first two: %v", got)
	}
	refused(t, list(), "InternalServiceError", "")
	must(0, list())(t)
	untag := func() error {
		_, err := w.UntagResource(t.Context(), &api.UntagResourceInput{SecretId: aws.String("s"), TagKeys: []string{"x"}})
		return err
	}
	if got := count(20, untag); got[""] < 5 || got["ThrottlingException"] == 0 {
		t.Errorf("of 20 calls at once, five a second: %v", got)
	}
	begin := time.Now()
	must(w.GetRandomPassword(t.Context(), &api.GetRandomPasswordInput{}))(t)
	if took := time.Since(begin); took < 30*time.Millisecond {
		t.Errorf("it waited %v", took)
	}
}
