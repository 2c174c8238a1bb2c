// Package fleet is what commands know of many secrets at once: read page by page from one
// Region or several, chosen by name and tag, each with its state. No value is ever read.
package fleet

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/account"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Tags that say something of a secret's rotation. The deployment sets the first.
const (
	tagFunction = "rekey:function"
	tagStrategy = "rekey:strategy"
)

// Secret is one, without its value.
type Secret struct {
	Name, ARN, Region string
	Primary           string // of a secret that is replicated, its primary's Region
	Tags              map[string]string

	// Owner is the service that made it and rotates it, such as rds; empty: none.
	Owner string
	// FunctionARN is that of the function that rotates it; empty: none does.
	FunctionARN string
	// Strategy is what is known without the value: what its tag says, the owner, the function.
	// Empty: nothing is.
	Strategy string

	Enabled bool // rotation is
	Last    time.Time
	Next    time.Time // the last moment of the next window
	Changed time.Time
	Deleted time.Time // when it will be gone

	Labels map[string][]string // by version
	// Pending is the version that a rotation has not made current yet; empty: there is none.
	Pending string

	Health Health
	// Since is when that began: of Overdue when it was due, of Rotating and Stuck when the
	// secret last changed. Else zero.
	Since time.Time
}

// Limits are when a secret's state is no longer healthy.
type Limits struct {
	Stuck time.Duration // no rotation takes longer
	Grace time.Duration // how late one may be
}

// DefaultLimits has a time for each step as the deployment gives it (60 s), three times over.
// The grace is that of the detection rotation-overdue.
var DefaultLimits = Limits{Stuck: 15 * time.Minute, Grace: time.Duration(audit.DefaultThresholds.OverdueGrace)}

// Of is what an entry of ListSecrets tells. For the answer of DescribeSecret, see Described.
func Of(e *types.SecretListEntry, region string, now time.Time, limits Limits) *Secret {
	m := account.Metadata(e, region)
	s := &Secret{
		Name: aws.ToString(e.Name), ARN: aws.ToString(e.ARN), Region: region,
		Owner: aws.ToString(e.OwningService), FunctionARN: aws.ToString(e.RotationLambdaARN),
		Primary: m.PrimaryRegion, Enabled: m.RotationEnabled, Last: m.LastRotated, Next: m.NextRotation, Changed: aws.ToTime(e.LastChangedDate), Deleted: m.Deleted,
		Labels: e.SecretVersionsToStages, Pending: pending(e.SecretVersionsToStages),
	}
	if len(e.Tags) > 0 {
		s.Tags = make(map[string]string, len(e.Tags))
		for _, t := range e.Tags {
			s.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
		}
	}
	s.Strategy = s.strategy()
	s.judge(m, now, limits)
	return s
}

// pending is the version that has AWSPENDING and is not current. After a rotation the label
// may stay on the version that became current: that is none.
func pending(labels map[string][]string) string {
	for version, stages := range labels {
		if slices.Contains(stages, rotation.Pending) && !slices.Contains(stages, rotation.Current) {
			return version
		}
	}
	return ""
}

func (s *Secret) strategy() string {
	switch {
	case s.Tags[tagStrategy] != "":
		return s.Tags[tagStrategy]
	case s.Owner != "":
		return "managed by " + s.Owner
	}
	return cmp.Or(s.Tags[tagFunction], s.Function())
}

// Function is the name of the function that rotates it.
func (s *Secret) Function() string { return FunctionName(s.FunctionARN) }

// FunctionName is the name in a function's ARN, without a version or an alias; empty if it is
// no ARN:
//
//	arn:aws:lambda:us-east-1:123456789012:function:NAME:ALIAS
func FunctionName(arn string) string {
	part := strings.Split(arn, ":")
	if len(part) < 7 {
		return ""
	}
	return part[6]
}

// LabelNames are the labels of all versions, AWS's own first and by their short names:
// current, pending, previous, then others.
func (s *Secret) LabelNames() []string {
	var own, others []string
	for _, stages := range s.Labels {
		for _, label := range stages {
			if short, aws := strings.CutPrefix(label, "AWS"); aws {
				own = append(own, strings.ToLower(short))
			} else {
				others = append(others, label)
			}
		}
	}
	slices.Sort(own)
	slices.Sort(others)
	return append(slices.Compact(own), others...)
}
