package audit

import (
	"bytes"
	"fmt"
)

// fill completes an event after all of its members were read, and says if it is none.
func (n *Normalizer) fill(e *Event) error {
	f := &n.form
	switch {
	case f.digest:
		return errDigest
	case string(f.detailType) == detailTypes[LabelUpdated]:
		return n.fillLabel(e)
	}
	e.Kind = Call
	if string(f.eventType) == "AwsServiceEvent" {
		e.Kind = ServiceEvent
		n.rotationFailure(&e.Request, f.message)
	}
	e.Time = f.eventTime
	n.keep(&e.Actor.Name, first(f.issuer, f.user), isToken, 128)
	n.keep(&e.Account, first(f.recipient, f.account), isAccount, 12)
	late := &n.late
	n.keep(&late.secretID, n.secretID(), isToken, 2048)
	n.keep(&late.principalID, f.principalID, isToken, 256)
	n.keep(&late.name, f.name, isToken, 2048)
	n.keep(&late.region, f.region, isRegion, 32)
	n.settle()

	if e.Name == "" || e.Source == "" || e.ID == "" || e.Time.IsZero() {
		return fmt.Errorf("%w: it has no eventName, eventSource, eventID or eventTime of the form of CloudTrail's", ErrMalformed)
	}
	if e.Account == "" {
		e.Account = e.Actor.Account
	}
	if e.Region == "" {
		e.Region = late.region
	}
	e.Actor.whoActed(late.principalID)
	switch e.Source {
	case SecretsManager:
		if late.secretID == "" && e.Name == "CreateSecret" {
			late.secretID = late.name
		}
		e.Secret = NamedSecret(late.secretID, e.Account, e.Region)
		if e.Kind == ServiceEvent {
			e.Request.VersionID = rotationVersion(e.RequestID, e.Secret)
		}
		e.Request.CatchAll = f.filters > 0 && f.filters == f.calls
		e.Request.PublicPolicy = f.policy != nil && e.Name == "PutResourcePolicy" && isPublic(f.policy)
	case CloudTrail:
		e.Request.Trail = late.name
	case EventBridge:
		e.Request.Rule = late.name
	}
	return nil
}

// secretID is the surest naming of the secret: an ARN before a name.
func (n *Normalizer) secretID() []byte {
	for _, id := range n.form.secret {
		if bytes.HasPrefix(id, []byte("arn:")) && bytes.Contains(id, secretsARN) {
			return id
		}
	}
	return first(n.form.secret[inRequest], n.form.secret[inAdditional], n.form.secret[inServiceDetails])
}

// fillLabel is for the event that CloudTrail does not record.
func (n *Normalizer) fillLabel(e *Event) error {
	f := &n.form
	late := &n.late
	e.ID, e.Region, e.Account = "", "", "" // only the envelope tells
	n.kept = n.kept[:0]
	n.keep(&e.ID, f.id, isToken, 128)
	n.keep(&e.Account, f.account, isAccount, 12)
	n.keep(&e.Region, f.region, isRegion, 32)
	n.keep(&e.Request.VersionStage, f.labelUpdated, isToken, 256)
	n.version(&e.Request.VersionID, f.labelVersion)
	n.keep(&late.secretID, f.secret[inResources], isToken, 2048)
	n.keep(&late.name, f.labelName, isToken, 512)
	n.settle()
	e.Kind, e.Source, e.Name, e.Time = LabelUpdated, SecretsManager, "SecretLabelUpdated", f.eventTime
	if e.ID == "" || e.Time.IsZero() {
		return fmt.Errorf("%w: it has no id or time", ErrMalformed)
	}
	if e.Secret = NamedSecret(late.secretID, e.Account, e.Region); e.Secret.Name == "" {
		e.Secret = NamedSecret(late.name, e.Account, e.Region)
	}
	return nil
}

func first(texts ...[]byte) []byte {
	for _, t := range texts {
		if len(t) > 0 {
			return t
		}
	}
	return nil
}
