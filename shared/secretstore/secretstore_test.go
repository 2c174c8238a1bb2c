package secretstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/local/secretsmanager"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
	"github.com/rekey-aws/rekey/shared/secretstore"
)

// service is Secrets Manager with faults, and a secret that is being rotated.
type service struct {
	*sdk.Client
	store    *secretstore.Store
	id       string
	original string // the version that is current before the rotation
	r        rotation.Rotation

	mu    sync.Mutex
	calls []string
	fault func(operation string, n int) secretsmanager.Fault
}

func environment(values map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := values[name]; return v, ok }
}

// start begins a rotation whose function is held by the test itself: the
// version without a value is there, nothing is invoked further.
func start(t *testing.T) *service {
	t.Helper()
	s := &service{}
	server, err := secretsmanager.New(secretsmanager.Options{
		Invoker: idle{},
		Fault: func(operation string, n int) secretsmanager.Fault {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.calls = append(s.calls, operation)
			if s.fault == nil {
				return secretsmanager.Fault{}
			}
			return s.fault(operation, n)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(func() { web.Close(); _ = server.Close() })
	client, err := secretstore.Client(environment(map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": web.URL,
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example",
	}))
	if err != nil {
		t.Fatal(err)
	}
	created, err := client.CreateSecret(t.Context(), &sdk.CreateSecretInput{Name: aws.String("app/db"), SecretString: aws.String("old")})
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := client.RotateSecret(t.Context(), &sdk.RotateSecretInput{
		SecretId: created.ARN, RotationLambdaARN: aws.String("arn:aws:lambda:eu-central-1:123456789012:function:idle"),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Client, s.store, s.id, s.original = client, secretstore.New(client), *created.ARN, *created.VersionId
	s.r = rotation.Rotation{SecretID: s.id, Token: *rotated.VersionId, RotationToken: "a-rotation-token-of-36-characters-xx"}
	s.calls = nil
	return s
}

// idle is a rotation function that never ends before the server does.
type idle struct{}

func (idle) Has(string) bool { return true }
func (idle) Invoke(ctx context.Context, _ string, _ []byte) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// failing lets the first n calls of an operation fail.
func (s *service) failing(operation string, n int, kind secretsmanager.FaultKind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = nil
	left := n
	s.fault = func(op string, _ int) secretsmanager.Fault {
		if op == operation && left > 0 {
			left--
			return secretsmanager.Fault{Kind: kind}
		}
		return secretsmanager.Fault{}
	}
}

func (s *service) count(operation string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if c == operation {
			n++
		}
	}
	return n
}

// lock is an engine whose target always agrees.
type lock struct{}

func (lock) Create(context.Context, rotation.Request) (rotation.Value, error) {
	return rotation.TextValue("new"), nil
}
func (lock) Set(context.Context, rotation.Request) error  { return nil }
func (lock) Test(context.Context, rotation.Request) error { return nil }

func TestEightCallsAtTheWire(t *testing.T) {
	s := start(t)
	if err := rotationtest.Run(t.Context(), &rotation.Machine{Store: s.store, Engine: lock{}}, s.r); err != nil {
		t.Fatal(err)
	}
	want := "DescribeSecret GetSecretValue PutSecretValue GetSecretValue GetSecretValue GetSecretValue DescribeSecret UpdateSecretVersionStage"
	if got := strings.Join(s.calls, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	current, err := s.store.Get(t.Context(), s.id, rotation.Version{Stage: rotation.Current})
	if err != nil || current.VersionID != s.r.Token || current.Value.Reveal() != "new" {
		t.Errorf("AWSCURRENT is %+v, %v", current, err)
	}
	previous, err := s.store.Get(t.Context(), s.id, rotation.Version{Stage: rotation.Previous})
	if err != nil || previous.VersionID != s.original || previous.Value.Reveal() != "old" {
		t.Errorf("AWSPREVIOUS is %+v, %v", previous, err)
	}
}

// Each call of a rotation fails three times in each way, and then works.
func TestPassingFaultsPass(t *testing.T) {
	for _, operation := range []string{"DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"} {
		for name, kind := range map[string]secretsmanager.FaultKind{
			"throttled": secretsmanager.Throttle, "500": secretsmanager.ServerError, "dropped": secretsmanager.Drop, "reply lost": secretsmanager.LoseReply,
		} {
			t.Run(operation+" "+name, func(t *testing.T) {
				t.Parallel()
				s := start(t)
				s.failing(operation, 2, kind)
				if err := rotationtest.Run(t.Context(), &rotation.Machine{Store: s.store, Engine: lock{}}, s.r); err != nil {
					t.Fatal(err)
				}
				if n := s.count(operation); n < 3 {
					t.Errorf("%d calls of %s, want at least 3", n, operation)
				}
				current, err := s.store.Get(t.Context(), s.id, rotation.Version{Stage: rotation.Current})
				if err != nil || current.Value.Reveal() != "new" {
					t.Errorf("AWSCURRENT is %+v, %v", current, err)
				}
			})
		}
	}
}

// AWS keeps asking to slow down: that is what is reported, in time, and not
// that time ran out.
func TestThrottledUntilTheDeadline(t *testing.T) {
	s := start(t)
	s.failing("DescribeSecret", 1000, secretsmanager.Throttle)
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	_, err := s.store.Describe(ctx, s.id)
	if !errors.Is(err, rotation.ErrThrottled) {
		t.Errorf("got %v, want throttled", err)
	}
	if ctx.Err() != nil {
		t.Error("the error came after the deadline")
	}
	if n := s.count("DescribeSecret"); n < 2 {
		t.Errorf("%d attempts", n)
	}
}

func TestPutAgain(t *testing.T) {
	s := start(t)
	for range 2 {
		if err := s.store.Put(t.Context(), s.r, rotation.TextValue("new")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.store.Put(t.Context(), s.r, rotation.TextValue("other")); !errors.Is(err, rotation.ErrConflict) {
		t.Errorf("another value: %v, want a conflict", err)
	}
}

func TestPromoteAgain(t *testing.T) {
	s := start(t)
	if err := s.store.Put(t.Context(), s.r, rotation.TextValue("new")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.store.Promote(t.Context(), s.r, s.original); err != nil {
			t.Fatal(err)
		}
	}
	stranger := s.r
	stranger.Token = strings.Repeat("x", 32)
	if err := s.store.Promote(t.Context(), stranger, s.original); err == nil {
		t.Error("a version that is not there was promoted")
	}
}

func TestGet(t *testing.T) {
	s := start(t)
	started := time.Now()
	if _, err := s.store.Get(t.Context(), s.id, rotation.Version{ID: s.r.Token, Stage: rotation.Pending}); !errors.Is(err, rotation.ErrNotFound) {
		t.Errorf("the version without a value: %v, want not found", err)
	}
	if took := time.Since(started); took < time.Second {
		t.Errorf("it looked for %v, want more than a second: the value may be on its way", took)
	}
	if _, err := s.store.Get(t.Context(), s.id, rotation.Version{ID: s.original, Stage: rotation.Pending}); !errors.Is(err, rotation.ErrNotPending) {
		t.Errorf("a version with another label: %v, want not pending", err)
	}
	if _, err := s.store.Get(t.Context(), s.id, rotation.Version{Stage: rotation.Previous}); !errors.Is(err, rotation.ErrNotFound) {
		t.Errorf("no previous version: %v, want not found", err)
	}
	if _, err := s.store.Get(t.Context(), "no-such-secret", rotation.Version{Stage: rotation.Current}); !errors.Is(err, rotation.ErrNotFound) {
		t.Errorf("no such secret: %v, want not found", err)
	}
}

// A value that createSecret stored can lag behind when setSecret reads it.
func TestPendingValueLags(t *testing.T) {
	s := start(t)
	go func() {
		time.Sleep(250 * time.Millisecond)
		_ = s.store.Put(context.WithoutCancel(t.Context()), s.r, rotation.TextValue("new"))
	}()
	pending, err := s.store.Get(t.Context(), s.id, rotation.Version{ID: s.r.Token, Stage: rotation.Pending})
	if err != nil || pending.Value.Reveal() != "new" {
		t.Errorf("got %+v, %v", pending, err)
	}
}

// A person removed AWSPENDING from a rotation half done, twice.
func TestUnlabelled(t *testing.T) {
	s := start(t)
	var want []string
	for i, token := range []string{strings.Repeat("a", 32), strings.Repeat("b", 32)} {
		put, err := s.PutSecretValue(t.Context(), &sdk.PutSecretValueInput{
			SecretId: &s.id, ClientRequestToken: &token, SecretString: aws.String("v"), VersionStages: []string{fmt.Sprint("label", i)},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.UpdateSecretVersionStage(t.Context(), &sdk.UpdateSecretVersionStageInput{
			SecretId: &s.id, VersionStage: aws.String(fmt.Sprint("label", i)), RemoveFromVersionId: put.VersionId,
		}); err != nil {
			t.Fatal(err)
		}
		want = append([]string{token}, want...)
		time.Sleep(5 * time.Millisecond) // dates have milliseconds
	}
	got, err := s.store.Unlabelled(t.Context(), s.id)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	stored, err := s.store.Get(t.Context(), s.id, rotation.Version{ID: want[0]})
	if err != nil || stored.Value.Reveal() != "v" {
		t.Errorf("its value: %v", err)
	}
}

func TestBinaryAndDeleted(t *testing.T) {
	s := start(t)
	made, err := s.CreateSecret(t.Context(), &sdk.CreateSecretInput{Name: aws.String("bin"), SecretBinary: []byte{0, 1, 255}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.store.Get(t.Context(), *made.ARN, rotation.Version{Stage: rotation.Current})
	if err != nil || !got.Value.Binary() || got.Value.Reveal() != "\x00\x01\xff" {
		t.Errorf("got %v, %v", got.Value.Binary(), err)
	}
	if _, err := s.DeleteSecret(t.Context(), &sdk.DeleteSecretInput{SecretId: made.ARN}); err != nil {
		t.Fatal(err)
	}
	if md, err := s.store.Describe(t.Context(), *made.ARN); err != nil || md.Deleted.IsZero() {
		t.Errorf("a secret marked for deletion: %+v, %v", md, err)
	}
	if _, err := s.store.Get(t.Context(), *made.ARN, rotation.Version{Stage: rotation.Current}); !errors.Is(err, rotation.ErrConfig) {
		t.Errorf("its value: %v, want a configuration error", err)
	}
}

// The rotation token goes to PutSecretValue and to nothing else.
func TestRotationTokenIsPassedOn(t *testing.T) {
	bodies := map[string]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		bodies[operation] += string(body)
		_, _ = io.WriteString(w, `{}`)
	}))
	defer server.Close()
	client, err := secretstore.Client(environment(map[string]string{
		"AWS_REGION": "us-east-1", "SECRETS_MANAGER_ENDPOINT": server.URL, "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example",
	}))
	if err != nil {
		t.Fatal(err)
	}
	store := secretstore.New(client)
	r := rotation.Rotation{SecretID: "s", Token: strings.Repeat("t", 32), RotationToken: "the-rotation-token"}
	_, _ = store.Describe(t.Context(), r.SecretID)
	_, _ = store.Get(t.Context(), r.SecretID, rotation.Version{Stage: rotation.Current})
	if err := errors.Join(store.Put(t.Context(), r, rotation.TextValue("v")), store.Promote(t.Context(), r, "from")); err != nil {
		t.Fatal(err)
	}
	var put struct{ RotationToken string }
	if err := json.Unmarshal([]byte(bodies["PutSecretValue"]), &put); err != nil || put.RotationToken != "the-rotation-token" {
		t.Errorf("PutSecretValue got %s", bodies["PutSecretValue"])
	}
	delete(bodies, "PutSecretValue")
	for operation, body := range bodies {
		if strings.Contains(body, "the-rotation-token") {
			t.Errorf("%s got the rotation token", operation)
		}
	}
}
