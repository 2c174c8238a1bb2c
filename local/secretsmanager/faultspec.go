package secretsmanager

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseFaults reads rules as one writes them on a command line:
//
//	GetSecretValue:throttle=5%          one call in twenty is throttled
//	PutSecretValue:lose=#2              the reply to the second call is lost
//	*:latency=20ms..200ms,error=1%      every call waits, one in a hundred answers 500
//	PutSecretValue+UpdateSecret:rate=50 no more than 50 a second together
//	quotas                              the documented quotas: see [Quotas]
//
// Before the colon stand operations, joined by +, or * for all. After it, separated by commas:
// throttle, error, drop (no answer, not executed) and lose (executed, no answer), each with a
// percentage, or with # and the number of a call; rate, in calls a second; latency, in Go's
// durations.
func ParseFaults(specs ...string) ([]FaultRule, error) {
	var rules []FaultRule
	for _, spec := range specs {
		if spec == "quotas" {
			rules = append(rules, Quotas()...)
			continue
		}
		names, effects, found := strings.Cut(spec, ":")
		if !found {
			return nil, faultError(spec, "it has no colon: write OPERATION:KIND=VALUE, such as GetSecretValue:throttle=5%")
		}
		var ops []string
		if names != "*" {
			ops = strings.Split(names, "+")
		}
		for _, effect := range strings.Split(effects, ",") {
			rule, err := parseFault(effect)
			if err != nil {
				return nil, faultError(spec, err.Error())
			}
			rule.Operations = ops
			rules = append(rules, rule)
		}
	}
	return rules, checkFaults(rules)
}

func faultError(spec, why string) error {
	return fmt.Errorf("the fault %q cannot be read: %s", spec, why)
}

var faultKinds = map[string]FaultKind{"throttle": Throttle, "error": ServerError, "drop": Drop, "lose": LoseReply}

func parseFault(effect string) (FaultRule, error) {
	name, v, _ := strings.Cut(effect, "=")
	kind, isKind := faultKinds[name]
	switch {
	case isKind && strings.HasPrefix(v, "#"):
		n, err := strconv.Atoi(v[1:])
		if err != nil || n < 1 {
			return FaultRule{}, fmt.Errorf("%s=%s names no call: write # and a number from 1", name, v)
		}
		return FaultRule{Kind: kind, Nth: n}, nil
	case isKind:
		percent, err := strconv.ParseFloat(strings.TrimSuffix(v, "%"), 64)
		if err != nil || !strings.HasSuffix(v, "%") || !(percent > 0 && percent <= 100) {
			return FaultRule{}, fmt.Errorf("%s=%s is no share of calls: write a percentage up to 100%%, or # and the number of a call", name, v)
		}
		return FaultRule{Kind: kind, Share: percent / 100}, nil
	case name == "rate":
		rate, err := strconv.ParseFloat(v, 64)
		if err != nil || !(rate > 0 && rate < 1e9) {
			return FaultRule{}, fmt.Errorf("rate=%s is no number of calls a second", v)
		}
		return FaultRule{Rate: rate}, nil
	case name == "latency":
		return parseLatency(v)
	}
	return FaultRule{}, fmt.Errorf("%q is no kind of fault: use throttle, error, drop, lose, rate or latency", name)
}

func parseLatency(v string) (FaultRule, error) {
	least, most, isRange := strings.Cut(v, "..")
	rule := FaultRule{}
	var err error
	if rule.Latency, err = time.ParseDuration(least); err == nil && isRange {
		rule.MaxLatency, err = time.ParseDuration(most)
	}
	if err != nil || rule.Latency < 0 || isRange && rule.MaxLatency < rule.Latency {
		return rule, fmt.Errorf("latency=%s is no duration: write one such as 20ms, or two as 20ms..200ms", v)
	}
	return rule, nil
}

// checkFaults refuses rules for operations that do not exist, which would never apply.
func checkFaults(rules []FaultRule) error {
	for _, r := range rules {
		for _, name := range r.Operations {
			if operations[name] == nil {
				return fmt.Errorf("a fault is for the operation %q, which Secrets Manager has not: see its API reference", name)
			}
		}
		if r.Share < 0 || r.Share > 1 || r.Rate < 0 || r.Latency < 0 {
			return fmt.Errorf("a fault for %v has a share, a rate or a latency out of range: shares are from 0 to 1, the others not negative", r.Operations)
		}
	}
	return nil
}

// Quotas are the documented rates of the service, for an account in a Region:
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
func Quotas() []FaultRule {
	groups := []struct {
		rate       float64
		operations string
	}{
		{10000, "GetSecretValue"},
		{40000, "DescribeSecret"},
		{100, "ListSecrets"},
		{50, "ListSecretVersionIds"},
		{100, "BatchGetSecretValue"},
		{50, "CreateSecret"},
		{50, "DeleteSecret"},
		{50, "GetRandomPassword"},
		{50, "RestoreSecret"},
		{50, "RotateSecret CancelRotateSecret"},
		{50, "TagResource UntagResource"},
		{50, "GetResourcePolicy PutResourcePolicy DeleteResourcePolicy ValidateResourcePolicy"},
		{50, "PutSecretValue UpdateSecret UpdateSecretVersionStage ReplicateSecretToRegions RemoveRegionsFromReplication StopReplicationToReplica"},
	}
	var rules []FaultRule
	for _, g := range groups {
		rules = append(rules, FaultRule{Operations: slices.Collect(strings.SplitSeq(g.operations, " ")), Rate: g.rate})
	}
	return rules
}
