package client

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Secret is one version of a secret. It is immutable and safe for several goroutines; what
// it holds prints as [redacted].
type Secret struct {
	ARN     string
	Version string // its id: another version, another value
	Value   rotation.Value
	Fetched time.Time

	fields func() (map[string]rotation.Value, error)
}

// NewSecret makes a secret, for a [Source].
func NewSecret(arn, version string, value rotation.Value, fetched time.Time) *Secret {
	return &Secret{ARN: arn, Version: version, Value: value, Fetched: fetched, fields: sync.OnceValues(func() (map[string]rotation.Value, error) {
		return fieldsOf(value)
	})}
}

// Text is the value in the clear.
func (s *Secret) Text() string { return s.Value.Reveal() }

// Field is the value of one key of a secret that is a JSON object: a text without its
// quotes, anything else as its JSON. ErrConfig if the secret is no JSON object, or has no
// such key. The object is read once.
func (s *Secret) Field(name string) (rotation.Value, error) {
	fields, err := s.fields()
	if err != nil {
		return rotation.Value{}, fmt.Errorf("reading the field %q of %s: %w", name, s.ARN, err)
	}
	v, found := fields[name]
	if !found {
		return rotation.Value{}, rotation.WithHint(
			fmt.Errorf("reading the field %q of %s: it has no such key: %w", name, s.ARN, rotation.ErrConfig),
			"Ask for a key that the secret has, or add it.")
	}
	return v, nil
}

func fieldsOf(v rotation.Value) (map[string]rotation.Value, error) {
	raw := map[string]json.RawMessage{}
	if json.Unmarshal([]byte(v.Reveal()), &raw) != nil { // its error quotes the value
		return nil, rotation.WithHint(fmt.Errorf("its value is not a JSON object: %w", rotation.ErrConfig),
			"Use the whole value, or store a JSON object.")
	}
	fields := make(map[string]rotation.Value, len(raw))
	for name, value := range raw {
		text := string(value)
		var unquoted string
		if json.Unmarshal(value, &unquoted) == nil {
			text = unquoted
		}
		if string(value) != "null" {
			fields[name] = rotation.TextValue(text)
		}
	}
	return fields, nil
}
