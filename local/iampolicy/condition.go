package iampolicy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// condition is one operator on one key:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
type condition struct {
	operator string // without what the next fields say
	matches  func(pattern, value string) bool
	negated  bool   // Not…
	ifExists bool   // …IfExists
	set      string // ForAnyValue, ForAllValues
	key      string // in lower case
	values   []string
}

// operators are those that compare, without Not. Null is none of them: it asks for presence.
var operators = map[string]func(pattern, value string) bool{
	"StringEquals":           func(p, v string) bool { return p == v },
	"StringEqualsIgnoreCase": strings.EqualFold,
	"StringLike":             like,
	"ArnEquals":              arnLike,
	"ArnLike":                arnLike, // the two "behave identically"
	"Bool":                   strings.EqualFold,
	"IpAddress":              inNetwork,
	"Null":                   nil,
}

// negations are the operators that hold when the other one does not.
var negations = map[string]string{
	"StringNotEquals": "StringEquals", "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase", "StringNotLike": "StringLike",
	"ArnNotEquals": "ArnEquals", "ArnNotLike": "ArnLike", "NotIpAddress": "IpAddress",
}

func readConditions(written map[string]map[string]many[scalar], known func(string) bool) ([]condition, error) {
	var list []condition
	for name, byKey := range written {
		op, err := readOperator(name)
		if err != nil {
			return nil, err
		}
		for key, values := range byKey {
			if !known(key) {
				return nil, &UnsupportedError{fmt.Sprintf("the condition key %q in resource policies", key)}
			}
			c := op
			c.key = strings.ToLower(key)
			for _, v := range values {
				if strings.Contains(string(v), "${") {
					return nil, &UnsupportedError{fmt.Sprintf("the policy variable in %q", string(v))}
				}
				c.values = append(c.values, string(v))
			}
			list = append(list, c)
		}
	}
	return list, nil
}

func readOperator(name string) (condition, error) {
	c := condition{operator: name}
	if set, rest, found := strings.Cut(name, ":"); found {
		if set != "ForAnyValue" && set != "ForAllValues" {
			return c, fmt.Errorf("the condition operator %q does not exist", name)
		}
		c.set, c.operator = set, rest
	}
	c.operator, c.ifExists = strings.CutSuffix(c.operator, "IfExists")
	if positive, found := negations[c.operator]; found {
		c.operator, c.negated = positive, true
	}
	matches, found := operators[c.operator]
	if !found {
		return c, &UnsupportedError{fmt.Sprintf("the condition operator %q in resource policies", name)}
	}
	c.matches = matches
	return c, nil
}

// met says whether the condition holds. An absent key meets what is negated, and what asks
// only if it exists; of sets, ForAllValues.
func (c *condition) met(keys map[string][]string) bool {
	given := keys[c.key]
	if c.operator == "Null" {
		return slices.ContainsFunc(c.values, func(v string) bool { return strings.EqualFold(v, "true") == (len(given) == 0) })
	}
	if len(given) == 0 {
		return c.ifExists || c.set == "ForAllValues" || c.set == "" && c.negated
	}
	if c.set == "ForAllValues" {
		return !slices.ContainsFunc(given, func(v string) bool { return !c.holds(v) })
	}
	return slices.ContainsFunc(given, c.holds)
}

func (c *condition) holds(value string) bool {
	return slices.ContainsFunc(c.values, func(pattern string) bool { return c.matches(pattern, value) }) != c.negated
}

// confining are the keys that tell callers or networks apart: those that AWS counts for S3
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status)
// as far as they exist here.
var confining = []string{
	"aws:principalarn", "aws:principalaccount", "aws:principalorgid", "aws:sourcevpce", "aws:sourceip",
	"aws:sourceaccount", "aws:sourcearn",
}

// confines says whether the condition holds a statement to fixed callers or networks.
func (c *condition) confines() bool {
	if c.negated || c.ifExists || c.set == "ForAllValues" || c.operator == "Null" || c.operator == "Bool" || !slices.Contains(confining, c.key) {
		return false
	}
	return len(c.values) > 0 && !slices.ContainsFunc(c.values, func(v string) bool { return broad(c.key, v) })
}

// broad says whether a value of a confining key leaves the callers open.
func broad(key, v string) bool {
	switch key {
	case "aws:sourceip":
		network, err := netip.ParsePrefix(v)
		return err == nil && network.Bits() < 8
	case "aws:principalarn", "aws:sourcearn":
		return strings.ContainsAny(accountOf(v), "*?") || accountOf(v) == ""
	}
	return strings.ContainsAny(v, "*?")
}

// arnLike compares the six parts of ARNs each for itself, so that * does not reach over a colon.
func arnLike(pattern, value string) bool {
	p, v := strings.SplitN(pattern, ":", 6), strings.SplitN(value, ":", 6)
	if len(p) != 6 || len(v) != 6 {
		return pattern == "*"
	}
	for i := range p {
		if !like(p[i], v[i]) {
			return false
		}
	}
	return true
}

func inNetwork(pattern, value string) bool {
	address, err := netip.ParseAddr(value)
	if err != nil {
		return false
	}
	if network, err := netip.ParsePrefix(pattern); err == nil {
		return network.Contains(address.Unmap())
	}
	single, err := netip.ParseAddr(pattern)
	return err == nil && single == address.Unmap()
}
