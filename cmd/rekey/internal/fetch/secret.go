package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/account"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Source is as much of Secrets Manager as is needed to read.
type Source interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// Version says which version of a secret is meant: AWSCURRENT if it is empty; the one that has
// both, if both are given.
type Version struct {
	Stage string `help:"Label of the version, such as AWSPREVIOUS; AWSCURRENT if not given." placeholder:"LABEL"`
	ID    string `name:"version-id" help:"Id of the version." placeholder:"ID"`
}

// Secret is a version's value. Like [rotation.Value], it prints as [redacted].
type Secret struct {
	Name string // as it was asked for: a name or an ARN
	rotation.Value
}

// Read reads a secret, in one call. Its errors name the secret and say what to do.
func Read(ctx context.Context, source Source, name string, v Version) (Secret, error) {
	in := &secretsmanager.GetSecretValueInput{SecretId: &name}
	if v.Stage != "" {
		in.VersionStage = &v.Stage
	}
	if v.ID != "" {
		in.VersionId = &v.ID
	}
	out, err := source.GetSecretValue(ctx, in)
	var absent *types.ResourceNotFoundException
	if v != (Version{}) && errors.As(err, &absent) {
		return Secret{}, fmt.Errorf("reading %s: %w", name, noVersion(absent.ErrorMessage(), name))
	}
	if err != nil {
		return Secret{}, fmt.Errorf("reading %s: %w", name, account.Explain(ctx, "GetSecretValue", err))
	}
	if out.SecretString != nil {
		return Secret{name, rotation.TextValue(*out.SecretString)}, nil
	}
	return Secret{name, rotation.BinaryValue(out.SecretBinary)}, nil
}

func noVersion(said, name string) error {
	return fmt.Errorf("%s %w. Check the name, and see the versions that it has: aws secretsmanager describe-secret --secret-id %s",
		strings.TrimSuffix(said, ".")+":", rotation.ErrNotFound, name)
}

// Field is a field of a secret that is a JSON object: a string without its quotes, everything
// else as the JSON text that it is. Errors name the fields that there are, and no value.
func (s Secret) Field(name string) (string, error) {
	document, err := rotation.ParseDocument(s.Value)
	if err != nil {
		return "", fmt.Errorf("%s has no fields: %w. Ask for the whole value", s.Name, err)
	}
	raw, there := document.Raw(name)
	if !there {
		return "", fmt.Errorf("%s has no field %q: %s", s.Name, name, s.fields())
	}
	var text string
	if json.Unmarshal(raw, &text) == nil && string(raw) != "null" {
		return text, nil
	}
	return string(raw), nil
}

// fields tells a person which there are. The value is a JSON object.
func (s Secret) fields() string {
	var object map[string]json.RawMessage
	_ = json.Unmarshal([]byte(s.Reveal()), &object)
	if len(object) == 0 {
		return "it has none"
	}
	names := slices.Sorted(maps.Keys(object))
	for i, name := range names {
		names[i] = fmt.Sprintf("%.64q", name)
	}
	if more := len(names) - 20; more > 0 {
		names = append(names[:20], fmt.Sprintf("%d more", more))
	}
	return "it has " + terminal.List(names)
}
