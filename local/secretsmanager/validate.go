package secretsmanager

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// The constraints of the API's model, as the service checks them before it looks anything up:
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Operations.html

// maxValue is the size of the largest secret value, in bytes.
const maxValue = 65536

// validName says whether a name is of the form [A-Za-z0-9/_+=.@!-]+.
func validName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("/_+=.@!-", c) < 0 {
			return false
		}
	}
	return name != ""
}

// length checks a string; what is in it is not quoted back.
func length(member string, s *string, least, most int) error {
	if s == nil {
		return nil
	}
	switch n := utf8.RuneCountInString(*s); {
	case n < least:
		return violation("", member, fmt.Sprintf("Member must have length greater than or equal to %d", least))
	case n > most:
		return violation("", member, fmt.Sprintf("Member must have length less than or equal to %d", most))
	}
	return nil
}

func number(member string, n *int64, least, most int64) error {
	switch {
	case n == nil:
		return nil
	case *n < least:
		return violation(fmt.Sprintf("'%d'", *n), member, fmt.Sprintf("Member must have value greater than or equal to %d", least))
	case *n > most:
		return violation(fmt.Sprintf("'%d'", *n), member, fmt.Sprintf("Member must have value less than or equal to %d", most))
	}
	return nil
}

func missing(member string) error {
	return violation("null", member, "Member must not be null")
}

// atLeastOne checks a required list.
func atLeastOne[T any](member string, list []T) error {
	switch {
	case list == nil:
		return missing(member)
	case len(list) == 0:
		return violation("'[]'", member, "Member must have length greater than or equal to 1")
	}
	return nil
}

// first returns the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// secretID checks a required SecretId and returns it.
func secretID(id *string) (string, error) {
	if id == nil {
		return "", missing("SecretId")
	}
	if err := length("SecretId", id, 1, 2048); err != nil {
		return "", err
	}
	if !strings.HasPrefix(*id, "arn:") && !validName(*id) {
		return "", errName()
	}
	return *id, nil
}

func errName() error {
	return apiErr("ValidationException", "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
}

// requestToken checks the token that names the version to make. The service itself makes
// none up: the SDKs and the CLI do, and a raw request without one is refused (recorded:
// https://github.com/localstack/localstack, test_no_client_request_token).
func requestToken(token *string, refuse func(string, ...any) error) (string, error) {
	if token == nil {
		return "", refuse("You must provide a ClientRequestToken value. We recommend a UUID-type value.")
	}
	return *token, length("ClientRequestToken", token, 32, 64)
}

// secretValue reads the two mutually exclusive members; nil if neither is given.
func secretValue(text *string, binary []byte) (*value, error) {
	if text != nil && binary != nil {
		return nil, invalidParameter("You can't specify both a binary secret value and a string secret value in the same secret.")
	}
	member, size := "SecretString", 0
	switch {
	case text != nil:
		size = len(*text)
	case binary != nil:
		member, size = "SecretBinary", len(binary)
	default:
		return nil, nil
	}
	switch {
	case size < 1:
		return nil, violation("", member, "Member must have length greater than or equal to 1")
	case size > maxValue:
		return nil, violation("", member, fmt.Sprintf("Member must have length less than or equal to %d", maxValue))
	}
	return &value{Text: text, Binary: binary}, nil
}

// stageNames checks a list of labels to attach to one version.
func stageNames(stages []string) error {
	if len(stages) > maxStages {
		return violation("", "VersionStages", fmt.Sprintf("Member must have length less than or equal to %d", maxStages))
	}
	for i := range stages {
		if err := length("VersionStages", &stages[i], 1, 256); err != nil {
			return err
		}
	}
	return nil
}

// Limits of tags: https://docs.aws.amazon.com/secretsmanager/latest/userguide/managing-secrets_tagging.html
const maxTags = 50

type tag struct {
	Key   string
	Value string
}

// tagged returns tags with more added, replacing those of the same key.
func tagged(tags, more []tag) ([]tag, error) {
	seen := map[string]bool{}
	for _, t := range more {
		if err := first(length("Tags.Key", &t.Key, 1, 128), length("Tags.Value", &t.Value, 0, 256), ownKey(t.Key)); err != nil {
			return nil, err
		}
		if seen[t.Key] {
			return nil, invalidParameter("Duplicate tag keys are not allowed: %s", t.Key)
		}
		seen[t.Key] = true
		tags = append(untagged(tags, []string{t.Key}), t)
	}
	if len(tags) > maxTags {
		return nil, invalidParameter("A secret can have no more than %d tags.", maxTags)
	}
	return tags, nil
}

func untagged(tags []tag, keys []string) []tag {
	var kept []tag
	for _, t := range tags {
		if !slices.Contains(keys, t.Key) {
			kept = append(kept, t)
		}
	}
	return kept
}

// ownKey refuses the keys that belong to AWS.
func ownKey(key string) error {
	if strings.HasPrefix(strings.ToLower(key), "aws:") {
		return invalidParameter("Tag keys that begin with aws: are reserved for AWS: %s", key)
	}
	return nil
}
