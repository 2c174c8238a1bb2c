package audit

import (
	"regexp"
	"strconv"
	"sync"
	"time"
)

// Metadata is what ListSecrets and DescribeSecret tell of a secret's rotation:
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_SecretListEntry.html
type Metadata struct {
	Secret          Secret
	RotationEnabled bool
	LastRotated     time.Time // zero: never
	NextRotation    time.Time // zero: unknown
	Deleted         time.Time // zero: not marked for deletion
	PrimaryRegion   string    // of a secret that is replicated; empty for others
	// AfterDays or Schedule is the policy: AutomaticallyAfterDays, or an expression such as
	// rate(10 days) or cron(0 8 1 * ? *). Of cron, only NextRotation tells when it was due.
	AfterDays int
	Schedule  string
}

// Due is when a rotation should have happened that has not: the time that has passed by more
// than the grace period, of NextRotation and of what the policy allows after the last
// rotation the earlier one. Zero: none is overdue, as for a secret without rotation, one
// marked for deletion, or a replica, which its primary rotates.
func (m *Metadata) Due(now time.Time, grace time.Duration) time.Time {
	if !m.RotationEnabled || !m.Deleted.IsZero() || m.Replica() {
		return time.Time{}
	}
	due := m.NextRotation
	if every := m.interval(); every > 0 && !m.LastRotated.IsZero() {
		if by := m.LastRotated.Add(every); due.IsZero() || by.Before(due) {
			due = by
		}
	}
	if due.IsZero() || now.Sub(due) <= grace {
		return time.Time{}
	}
	return due
}

// Replica says whether the secret is a copy of another Region's.
func (m *Metadata) Replica() bool { return m.PrimaryRegion != "" && m.PrimaryRegion != m.Secret.Region }

// Overdue says whether a rotation should have happened before now, and did not: see Due, with
// the threshold OverdueGrace.
//
// The finding's Key has the time when the rotation was due: looking again is no new finding.
func (d *Detector) Overdue(m Metadata, now time.Time) (Finding, bool) {
	due := m.Due(now, time.Duration(d.thresholds.OverdueGrace))
	if due.IsZero() {
		return Finding{}, false
	}
	due = due.UTC().Truncate(time.Second)
	e := Event{
		Kind: Scan, Source: SecretsManager, Name: "ScheduledScan", Time: now.UTC(),
		Account: m.Secret.Account, Region: m.Secret.Region, Secret: m.Secret,
	}
	e.ID = m.Secret.Key() + "@" + due.Format(time.RFC3339)
	f := newFinding(rotationOverdue, &e, hit{})
	f.Due = &due
	return f, true
}

// rate is the only expression that tells an interval. Compiled when it is needed: a
// function's start is waited for.
var rate = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^rate\(([0-9]{1,5}) (hour|day)s?\)$`) })

// interval is the longest time between rotations, with the window that a policy in days
// leaves: Secrets Manager rotates at any time of the day on which a rotation is due.
func (m *Metadata) interval() time.Duration {
	const day = 24 * time.Hour
	if m.AfterDays > 0 {
		return time.Duration(m.AfterDays+1) * day
	}
	match := rate().FindStringSubmatch(m.Schedule)
	if match == nil {
		return 0
	}
	n, _ := strconv.Atoi(match[1]) // five digits always fit
	if match[2] == "hour" {
		return time.Duration(n) * time.Hour
	}
	return time.Duration(n+1) * day
}
