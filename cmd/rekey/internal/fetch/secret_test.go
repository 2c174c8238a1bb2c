package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// answer is what AWS answers, whatever it is asked; asked is the last question.
type answer struct {
	out   *secretsmanager.GetSecretValueOutput
	err   error
	asked *secretsmanager.GetSecretValueInput
}

func (a *answer) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	a.asked = in
	return a.out, a.err
}

func text(s string) *answer {
	return &answer{out: &secretsmanager.GetSecretValueOutput{SecretString: &s}}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for _, v := range []Version{{}, {Stage: "AWSPREVIOUS"}, {ID: "an-id"}, {Stage: "AWSCURRENT", ID: "an-id"}} {
		a := text("value")
		s, err := Read(t.Context(), a, "app", v)
		if err != nil || s.Reveal() != "value" || s.Name != "app" {
			t.Errorf("%+v: %v", v, err)
		}
		if *a.asked.SecretId != "app" || aws.ToString(a.asked.VersionStage) != v.Stage || aws.ToString(a.asked.VersionId) != v.ID {
			t.Errorf("%+v: asked for %+v", v, a.asked)
		}
		if (a.asked.VersionStage == nil) != (v.Stage == "") || (a.asked.VersionId == nil) != (v.ID == "") {
			t.Errorf("%+v: asked for an empty version", v)
		}
	}
}

// Errors name the secret, their kind and a remedy.
func TestFailures(t *testing.T) {
	t.Parallel()
	absent := &types.ResourceNotFoundException{Message: aws.String("Secrets Manager can't find it.")}
	for name, c := range map[string]struct {
		err     error
		version Version
		kind    error
		says    string
	}{
		"no secret":   {absent, Version{}, rotation.ErrNotFound, "--region"},
		"no version":  {absent, Version{Stage: "AWSPENDING"}, rotation.ErrNotFound, "describe-secret --secret-id app"},
		"not allowed": {&smithy.GenericAPIError{Code: "AccessDeniedException", Message: "no"}, Version{}, rotation.ErrDenied, "Allow"},
		"its key":     {&types.DecryptionFailure{}, Version{ID: "x"}, rotation.ErrDenied, "kms:Decrypt"},
	} {
		_, err := Read(t.Context(), &answer{err: c.err}, "app", c.version)
		if !errors.Is(err, c.kind) || !strings.HasPrefix(err.Error(), "reading app: ") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestPrintsNothing(t *testing.T) {
	t.Parallel()
	s, err := Read(t.Context(), text("a-secret-value"), "app", Version{})
	if err != nil {
		t.Fatal(err)
	}
	encoded, _ := json.Marshal(s)
	for _, printed := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v %s", s, s, s), string(encoded)} {
		if strings.Contains(printed, "a-secret-value") {
			t.Errorf("printed: %s", printed)
		}
	}
}

// A secret of many fields, or with strange ones, is still one line, and shows no value.
func TestFieldsThatThereAre(t *testing.T) {
	t.Parallel()
	fields := map[string]string{strings.Repeat("long", 50): "a-secret-value", "with\nnewline": "a-secret-value"}
	for i := range 30 {
		fields[fmt.Sprintf("field-%02d", i)] = "a-secret-value"
	}
	document, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{
		string(document):      "and 12 more",
		`{}`:                  "it has none",
		`{"a": 1}`:            `it has "a"`,
		`"a-secret-value"`:    "not a JSON object",
		`{"a-secret-value": `: "malformed",
		`{"a": 1, "a": 2}`:    `"a" appears twice`,
	} {
		s, err := Read(t.Context(), text(value), "app", Version{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Field("nowhere")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "a-secret-value") ||
			strings.Contains(err.Error(), "\n") || len(err.Error()) > 600 {
			t.Errorf("%.40s…: got %v, want %q", value, err, want)
		}
	}
}
