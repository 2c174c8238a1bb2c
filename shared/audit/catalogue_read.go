package audit

import (
	"context"
	"time"
)

// readDetections are about who reads values. Their events are read-only management events.
var readDetections = []*Detection{
	{
		ID: "pending-read", Title: "Value under rotation read by a stranger", Severity: High,
		Needs: []Need{reads("GetSecretValue")},
		When:  "Someone other than a rotation role reads the version labelled AWSPENDING.",
		Why:   "Only the rotation has use for it: it is the next password, before anyone knows it.",
		Do:    "Find out who it was. If it was nobody of yours, end the caller's credentials, then rotate again.", Controls: limiting,
		Techniques: []string{cloudSecrets},
		match: succeeded(func(d *Detector, e *Event) bool {
			return e.Request.VersionStage == "AWSPENDING" && !d.isRotation(&e.Actor)
		}),
	},
	{
		ID: "previous-read", Title: "Previous value read by a stranger", Severity: Medium,
		Needs: []Need{reads("GetSecretValue")},
		When:  "Someone other than a rotation role or a known reader reads the version labelled AWSPREVIOUS.",
		Why:   "With alternating users and dual passwords the previous value still logs in, and nobody expects its use.",
		Do:    "Find out who it was and what for; rotate twice to end the value.", Controls: limiting,
		Techniques: []string{cloudSecrets},
		match: succeeded(func(d *Detector, e *Event) bool {
			if e.Request.VersionStage != "AWSPREVIOUS" || d.isRotation(&e.Actor) {
				return false
			}
			known, _ := d.knows(&e.Actor, &e.Secret)
			return !known
		}),
	},
	{
		ID: "decoy-read", Title: "Decoy secret read", Severity: Critical,
		Needs: []Need{reads("GetSecretValue")},
		When:  "Anyone but a rotation role reads a secret that is there to be found, or tries to.",
		Why:   "Nobody has a reason to: whoever reads it is looking for credentials.",
		Do:    "Take it for an intrusion. End the caller's credentials, and see what else the caller read.", Controls: watching,
		Techniques: []string{cloudSecrets},
		match: func(_ context.Context, d *Detector, e *Event) (hit, bool) {
			return hit{}, d.decoy(&e.Secret) && !d.rotationRoles.matchPrincipal(&e.Actor)
		},
	},
	{
		ID: "first-seen-reader", Title: "Secrets read by someone new", Severity: Low,
		Needs: []Need{reads("GetSecretValue")},
		When:  "Someone who is not a known reader reads a secret, and has read none in the account in the days before. In the first days of an account's recording, readers are only learned.",
		Why:   "Stolen credentials show first as a principal that never read secrets before.",
		Do:    "If the reader is expected, add it to the known readers; else find out who it is.", Controls: watching,
		Techniques: []string{cloudSecrets, cloudAccounts},
		match:      firstSeen,
	},
	{
		ID: "mass-read", Title: "Many secrets read by one caller", Severity: High,
		Counts: "secrets",
		Needs:  []Need{reads("GetSecretValue")},
		When:   "One principal reads many different secrets within the window; those of a batch are counted once each. Rotation roles, and known readers whose work it is, are left out.",
		Why:    "An intruder takes all that can be had; an application reads its own few.",
		Do:     "Find out who it is. If nobody of yours, end the caller's credentials, and rotate what was read.", Controls: watching,
		Techniques: []string{cloudSecrets},
		match: func(ctx context.Context, d *Detector, e *Event) (hit, bool) {
			if e.Failed() || e.Secret.Name == "" || d.isRotation(&e.Actor) {
				return hit{}, false
			}
			if _, many := d.knows(&e.Actor, &e.Secret); many {
				return hit{}, false
			}
			return d.counted(ctx, e, "mass-read", e.Secret.Key(), d.thresholds.MassRead)
		},
	},
	{
		ID: "denied-reads", Title: "Reads of secrets refused again and again", Severity: Medium,
		Counts: "refusals",
		Needs:  []Need{reads("GetSecretValue", "BatchGetSecretValue")},
		When:   "One principal is refused the reading of secrets many times within the window; a batch counts once.",
		Why:    "Someone tries what can be had; or an application lost a permission that it needs.",
		Do:     "See what was asked for and by whom; grant what is missing, or end the caller's credentials.", Controls: watching,
		Techniques: []string{cloudSecrets},
		match: func(ctx context.Context, d *Detector, e *Event) (hit, bool) {
			if !e.Denied() || d.isRotation(&e.Actor) {
				return hit{}, false
			}
			return d.counted(ctx, e, "denied-reads", e.callID(), d.thresholds.DeniedReads)
		},
	},
	{
		ID: "batch-read", Title: "Secrets read in batches", Severity: Medium,
		Counts: "batches",
		Needs:  []Need{reads("BatchGetSecretValue")},
		When:   "One principal makes many batch reads within the window. Known readers whose work it is are left out.",
		Why:    "A batch takes up to twenty secrets at once; few applications use it.",
		Do:     "If it is a synchroniser's work, make it a known reader of many; else find out who it is.", Controls: watching,
		Techniques: []string{cloudSecrets},
		match: func(ctx context.Context, d *Detector, e *Event) (hit, bool) {
			if e.Failed() || d.isRotation(&e.Actor) || d.readsMany(&e.Actor) {
				return hit{}, false
			}
			return d.counted(ctx, e, "batch-read", e.callID(), d.thresholds.BatchReads)
		},
	},
	{
		ID: "batch-catch-all", Title: "Batch read of every secret", Severity: High,
		Needs: []Need{reads("BatchGetSecretValue")},
		When:  "Someone makes a batch read whose filters only exclude, such as the tag key !x, so that every secret passes.",
		Why:   "It is how tools empty an account without knowing a name; applications name what they need.",
		Do:    "Find out who it is. If nobody of yours, end the caller's credentials, and rotate every secret that the caller may read.", Controls: watching,
		Techniques: []string{cloudSecrets},
		match:      succeeded(func(_ *Detector, e *Event) bool { return e.Request.CatchAll }),
	},
	{
		ID: "batch-across-regions", Title: "Batch reads in many Regions", Severity: High,
		Counts: "Regions",
		Needs:  []Need{reads("BatchGetSecretValue")},
		When:   "One principal makes batch reads in several Regions within minutes.",
		Why:    "Applications live in one Region; whoever goes through all of them is looking for what there is.",
		Do:     "Find out who it is. If nobody of yours, end the caller's credentials, and rotate what was read.", Controls: watching,
		Techniques: []string{cloudSecrets},
		match: func(ctx context.Context, d *Detector, e *Event) (hit, bool) {
			if e.Failed() || e.Region == "" {
				return hit{}, false
			}
			return d.counted(ctx, e, "batch-across-regions", e.Region, d.thresholds.BatchRegions)
		},
	},
	{
		ID: "foreign-endpoint", Title: "Secrets used through an unknown VPC endpoint", Severity: High,
		Needs: []Need{
			reads("GetSecretValue", "BatchGetSecretValue"),
			calls(SecretsManager, "PutSecretValue", "DeleteSecret", "PutResourcePolicy", "UpdateSecretVersionStage"),
		},
		When:     "A value is read, stored or deleted, a label moved or a policy put, through a VPC endpoint of another account, or one that is not among those that are approved.",
		Why:      "Stolen credentials are used from the thief's own network.",
		Do:       "Find out whose endpoint it is. Demand yours with the condition key aws:SourceVpce.",
		Controls: limiting, Techniques: []string{cloudAccounts},
		match: succeeded(func(d *Detector, e *Event) bool { return d.foreign(e) }),
	},
}

// firstSeen remembers readers. The same read, delivered again, is found again: a finding that
// was lost on its way would be lost for good otherwise.
func firstSeen(ctx context.Context, d *Detector, e *Event) (hit, bool) {
	if e.Failed() || d.isRotation(&e.Actor) || e.Actor.Principal == "" {
		return hit{}, false
	}
	if known, _ := d.knows(&e.Actor, &e.Secret); known {
		return hit{}, false
	}
	window := time.Duration(d.thresholds.FirstSeenReader)
	who := e.Account + "/" + e.Actor.Principal
	first, err := d.state.See(ctx, "reader|"+who, e.Time, window)
	if err == nil && !first.Equal(e.Time) {
		return hit{}, false
	}
	var began time.Time
	if err == nil {
		began, err = d.state.See(ctx, "readers-since|"+e.Account, e.Time, time.Duration(year))
	}
	if err != nil {
		return hit{occasion: who + "@" + bucket(e.Time, window), unverified: unverifiedBecause(err)}, true
	}
	if e.Time.Sub(began) < window {
		return hit{}, false // learning
	}
	return hit{occasion: who + "@" + stamp(first)}, true
}

// callID is the same for a batch and for the reads that are recorded beside it.
func (e *Event) callID() string {
	if e.RequestID != "" {
		return e.RequestID
	}
	return e.id()
}

// decoy says whether nobody has a reason to read the secret.
func (d *Detector) decoy(s *Secret) bool {
	return s.Name != "" && (d.decoys.matchAny(s.Name, s.ARN) || d.isDecoy != nil && d.isDecoy(*s))
}

// foreign says whether the call came through a VPC endpoint that is not known.
func (d *Detector) foreign(e *Event) bool {
	switch {
	case e.VPCEndpoint == "" || d.endpoints.match(e.VPCEndpoint):
		return false
	case !d.endpoints.empty():
		return true
	}
	return e.VPCEndpointAccount != "" && e.VPCEndpointAccount != e.Account
}
