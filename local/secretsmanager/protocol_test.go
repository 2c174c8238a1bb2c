package secretsmanager_test

import (
	"encoding/json"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/local/secretsmanager"
)

func readerOf(s string) io.Reader { return strings.NewReader(s) }

func TestTheShapeOfReplies(t *testing.T) {
	w := newWorld(t)
	status, header, body := w.raw("secretsmanager.CreateSecret", `{"Name":"s","SecretString":"<&>é","ClientRequestToken":"`+token(1)+`","Description":null}`,
		"Authorization", "AWS4-HMAC-SHA256 Credential=AKIDRAW/20260715/eu-west-3/secretsmanager/aws4_request, SignedHeaders=host, Signature=00", "User-Agent", "a test")
	if status != 200 || header.Get("Content-Type") != "application/x-amz-json-1.1" || len(header.Get("x-amzn-RequestId")) != 36 {
		t.Errorf("got %d %v", status, header)
	}
	if arn, _ := body["ARN"].(string); !strings.Contains(arn, ":eu-west-3:") {
		t.Errorf("the Region of the credential scope was not used: %v", body)
	}
	c := w.calls[0]
	if c.Operation != "CreateSecret" || c.Secret != "s" || c.Region != "eu-west-3" || c.AccessKeyID != "AKIDRAW" || c.UserAgent != "a test" || c.Status != 200 || c.Error != "" {
		t.Errorf("observed %+v", c)
	}
	status, header, body = w.raw("secretsmanager.GetSecretValue", `{"SecretId":"nosuch"}`)
	if status != 400 || header.Get("x-amzn-ErrorType") != "ResourceNotFoundException" || body["__type"] != "ResourceNotFoundException" || body["Message"] != "Secrets Manager can't find the specified secret." {
		t.Errorf("got %d %v %v", status, header, body)
	}
	if status, header, body = w.raw("secretsmanager.TagResource", `{"SecretId":"s","Tags":[]}`, "Authorization", "Credential=A/20260715/eu-west-3/x"); status != 200 || body != nil || header.Get("Content-Length") != "0" {
		t.Errorf("TagResource answers %d %v", status, body)
	}
}

func TestWhatIsNotServedIsRefused(t *testing.T) {
	w := newWorld(t)
	w.create("s", "hush")
	const withToken = `,"ClientRequestToken":"00000000-0000-4000-8000-000000000001"}`
	for what, c := range map[string]struct{ target, body, code, message string }{
		"a partner's rotation":   {"secretsmanager.RotateSecret", `{"SecretId":"s","ExternalSecretRotationRoleArn":"arn:aws:iam::123456789012:role/r"` + withToken, "UnsupportedOperationException", `The local Secrets Manager of rekey does not support the parameter "ExternalSecretRotationRoleArn" here; nothing was done.`},
		"an operation of no one": {"secretsmanager.Frobnicate", `{}`, "UnknownOperationException", ""},
		"another service":        {"DynamoDB_20120810.ListTables", `{}`, "UnknownOperationException", ""},
		"a member of no one":     {"secretsmanager.DescribeSecret", `{"SecretId":"s","Colour":"red"}`, "UnsupportedOperationException", ""},
		"the wrong case":         {"secretsmanager.DescribeSecret", `{"secretId":"s"}`, "UnsupportedOperationException", ""},
		"a nested member":        {"secretsmanager.RotateSecret", `{"SecretId":"s","RotationRules":{"Moon":"full"}` + withToken, "UnsupportedOperationException", ""},
		"no JSON":                {"secretsmanager.DescribeSecret", `hush`, "SerializationException", ""},
		"a list":                 {"secretsmanager.DescribeSecret", `["hush"]`, "SerializationException", ""},
		"a wrong type":           {"secretsmanager.PutSecretValue", `{"SecretId":"s","SecretString":{"a":"hush"}` + withToken, "SerializationException", "The parameter SecretString has a value of the wrong type."},
		"bad base64":             {"secretsmanager.PutSecretValue", `{"SecretId":"s","SecretBinary":"hush!"` + withToken, "SerializationException", ""},
		"invalid UTF-8":          {"secretsmanager.PutSecretValue", "{\"SecretId\":\"s\",\"SecretString\":\"hush\xff\"" + withToken, "SerializationException", ""},
		"too long":               {"secretsmanager.PutSecretValue", `{"SecretString":"` + strings.Repeat("hush", 1<<18) + `"}`, "RequestEntityTooLargeException", ""},
		"no SecretId":            {"secretsmanager.DescribeSecret", ``, "ValidationException", "1 validation error detected: Value null at 'secretId' failed to satisfy constraint: Member must not be null"},
		"no token, put":          {"secretsmanager.PutSecretValue", `{"SecretId":"s","SecretString":"hush"}`, "InvalidRequestException", "You must provide a ClientRequestToken value. We recommend a UUID-type value."},
		"no token, rotate":       {"secretsmanager.RotateSecret", `{"SecretId":"s"}`, "InvalidParameterException", "You must provide a ClientRequestToken value. We recommend a UUID-type value."},
		"no value":               {"secretsmanager.PutSecretValue", `{"SecretId":"s"` + withToken, "InvalidRequestException", "You must provide either SecretString or SecretBinary."},
	} {
		t.Run(what, func(t *testing.T) {
			status, _, body := w.raw(c.target, c.body)
			message, _ := body["message"].(string)
			if m, ok := body["Message"].(string); ok {
				message = m
			}
			if status != 400 || body["__type"] != c.code || c.message != "" && message != c.message {
				t.Errorf("got %d %v", status, body)
			}
			if strings.Contains(message, "hush") {
				t.Errorf("the error repeats a value: %q", message)
			}
		})
	}
	if w.value("s") != "hush" {
		t.Error("something was done")
	}
}

func TestFaults(t *testing.T) {
	var kind secretsmanager.FaultKind
	w := newWorld(t, func(o *secretsmanager.Options) {
		o.Fault = func(op string, n int) secretsmanager.Fault {
			if op == "PutSecretValue" && n%2 == 1 {
				return secretsmanager.Fault{Kind: kind, Delay: time.Millisecond}
			}
			return secretsmanager.Fault{}
		}
	})
	w.create("s", "v")
	put := func(client *api.Client, n int) error {
		_, err := client.PutSecretValue(t.Context(), &api.PutSecretValueInput{SecretId: aws.String("s"), ClientRequestToken: aws.String(token(n)), SecretString: aws.String(token(n))})
		return err
	}
	retrying := w.client("us-east-1", func(o *api.Options) {
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	})
	for n, c := range []struct {
		kind     secretsmanager.FaultKind
		code     string
		executed bool
	}{
		{secretsmanager.Throttle, "ThrottlingException", false},
		{secretsmanager.ServerError, "InternalServiceError", false},
		{secretsmanager.Drop, "", false},
		{secretsmanager.LoseReply, "", true},
	} {
		kind = c.kind
		err := put(w.Client, n)
		if c.code != "" {
			refused(t, err, c.code, "")
		} else if err == nil {
			t.Errorf("fault %d did not happen", c.kind)
		}
		if executed := w.value("s") == token(n); executed != c.executed {
			t.Errorf("fault %d: executed is %v", c.kind, executed)
		}
		must(0, put(w.Client, n))(t)    // the second call has no fault
		must(0, put(retrying, 10+n))(t) // and the SDK gets over one by itself
		if w.value("s") != token(10+n) {
			t.Errorf("fault %d: the SDK's retry wrote %q", c.kind, w.value("s"))
		}
	}
}

func TestObservedCallsHoldNoValue(t *testing.T) {
	w := newWorld(t)
	w.create("s", "hush-hush")
	w.value("s")
	all := must(json.Marshal(w.calls))(t)
	if len(w.calls) != 2 || strings.Contains(string(all), "hush") {
		t.Errorf("observed %s", all)
	}
}

func FuzzRequest(f *testing.F) {
	w := newWorld(f)
	w.create("s", "hush-hush")
	ops := []string{
		"CreateSecret", "DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecret", "UpdateSecretVersionStage", "ListSecrets",
		"ListSecretVersionIds", "DeleteSecret", "RestoreSecret", "GetRandomPassword", "RotateSecret", "CancelRotateSecret", "TagResource", "UntagResource",
		"BatchGetSecretValue", "PutResourcePolicy", "GetResourcePolicy", "DeleteResourcePolicy", "ValidateResourcePolicy",
		"ReplicateSecretToRegions", "RemoveRegionsFromReplication", "StopReplicationToReplica",
	}
	for i := range ops {
		f.Add(uint8(i), []byte(`{"SecretId":"s","SecretString":"x","ClientRequestToken":"00000000-0000-4000-8000-000000000001"}`))
	}
	f.Add(uint8(11), []byte(`{"SecretId":"s","RotationRules":{"ScheduleExpression":"cron(0 8,16 ? 1-12 MON#2 *)","Duration":"3h"},"ClientRequestToken":"00000000-0000-4000-8000-000000000001"}`))
	f.Add(uint8(6), []byte(`{"NextToken":"cmVrZXk6","SortOrder":"desc","MaxResults":1}`))
	f.Add(uint8(13), []byte(`{"SecretId":"arn:aws:secretsmanager:us-east-1:123456789012:secret:s","Tags":[{"Key":"a","Value":"b"}]}`))
	f.Add(uint8(15), []byte(`{"Filters":[{"Key":"all","Values":["!a b"]}],"MaxResults":2}`))
	f.Add(uint8(16), []byte(`{"SecretId":"s","BlockPublicPolicy":true,"ResourcePolicy":"{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"},\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":{\"ForAnyValue:StringLike\":{\"aws:PrincipalArn\":[1,true,\"x\"]}}}}"}`))
	f.Add(uint8(20), []byte(`{"SecretId":"s","AddReplicaRegions":[{"Region":"eu-west-1","KmsKeyId":"alias/x"}]}`))
	f.Fuzz(func(t *testing.T, op uint8, body []byte) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(string(body)))
		r.Header.Set("X-Amz-Target", "secretsmanager."+ops[int(op)%len(ops)])
		rec := httptest.NewRecorder()
		w.srv.ServeHTTP(rec, r)
		if rec.Code >= 500 {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
		if rec.Code != 200 && (rec.Header().Get("x-amzn-ErrorType") == "" || !json.Valid(rec.Body.Bytes())) {
			t.Errorf("an error without its shape: %s", rec.Body)
		}
	})
}
