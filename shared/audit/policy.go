package audit

import (
	"encoding/json"
	"slices"
	"strings"
)

// isPublic says whether a resource policy lets callers in whom it does not name: a statement
// allows everybody, and no condition holds it to fixed callers or networks. It is cautious: a
// policy that it cannot read is public.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status
// says what AWS counts as such a condition.
func isPublic(policy []byte) bool {
	var p struct {
		Statement oneOrMany[statement]
	}
	if json.Unmarshal(policy, &p) != nil {
		return true
	}
	return slices.ContainsFunc(p.Statement, statement.isPublic)
}

type statement struct {
	Effect       string
	Principal    principals
	NotPrincipal json.RawMessage
	Condition    map[string]map[string]oneOrMany[any]
}

func (s statement) isPublic() bool {
	if s.Effect != "Allow" || !s.Principal.everybody && s.NotPrincipal == nil {
		return false
	}
	for operator, keys := range s.Condition {
		for key, values := range keys {
			if confines(operator, key, values) {
				return false
			}
		}
	}
	return true
}

// confining are the condition keys that tell callers or networks apart.
var confining = []string{
	"aws:principalarn", "aws:principalaccount", "aws:principalorgid", "aws:principalorgpaths", "aws:sourcevpce", "aws:sourcevpc",
	"aws:sourceip", "aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:userid", "kms:calleraccount",
}

// confines says whether a condition holds a statement to what it names. One that also holds
// when its key is absent does not.
func confines(operator, key string, values []any) bool {
	switch operator {
	case "StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike", "IpAddress",
		"ForAnyValue:StringEquals", "ForAnyValue:StringLike":
	default:
		return false
	}
	if !slices.Contains(confining, strings.ToLower(key)) || len(values) == 0 {
		return false
	}
	return !slices.ContainsFunc(values, func(v any) bool {
		text, ok := v.(string)
		return !ok || isBroad(text)
	})
}

// isBroad is a value that takes in everybody, or whole accounts' worth of unknown ones.
func isBroad(value string) bool {
	if strings.HasPrefix(value, "arn:") {
		part := strings.SplitN(value, ":", 6)
		return len(part) < 6 || strings.ContainsAny(part[4], "*?")
	}
	return strings.Trim(value, "*?") == "" || strings.HasSuffix(value, "/0") || value == "0.0.0.0/1" || value == "128.0.0.0/1"
}

// principals is whom a statement is about.
type principals struct{ everybody bool }

func (p *principals) UnmarshalJSON(data []byte) error {
	var all string
	if json.Unmarshal(data, &all) == nil {
		p.everybody = all == "*"
		return nil
	}
	var byKind map[string]oneOrMany[string]
	if err := json.Unmarshal(data, &byKind); err != nil {
		return err
	}
	p.everybody = slices.Contains(byKind["AWS"], "*")
	return nil
}

// oneOrMany is a list, or one of it alone.
type oneOrMany[T any] []T

func (l *oneOrMany[T]) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '[' {
		return json.Unmarshal(data, (*[]T)(l))
	}
	var one T
	if err := json.Unmarshal(data, &one); err != nil {
		return err
	}
	*l = []T{one}
	return nil
}
