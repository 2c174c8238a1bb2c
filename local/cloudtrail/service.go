package cloudtrail

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rekey-aws/rekey/local/eventbus"
	"github.com/rekey-aws/rekey/local/secretsmanager"
)

// Rotation records the service's own event for a turn of a rotation, if it has one. It is
// secretsmanager.Options.OnRotation.
//
// A rotation that CancelRotateSecret ends has no event of its own: AWS's RotationAbandoned
// says that AWSPENDING was removed (see Labels), which a cancellation does not do. Nor has
// one that the stand-in's Close cuts short: it goes on when the stand-in is started again.
func (r *Recorder) Rotation(e secretsmanager.RotationEvent) {
	var name, message string
	switch e.Kind {
	case secretsmanager.RotationStarted, secretsmanager.RotationSucceeded:
		name = string(e.Kind)
	case secretsmanager.RotationFailed:
		name = string(e.Kind)
		message = failure(e)
	default:
		return
	}
	if e.Test {
		name = "Test" + name
	}
	rec := r.service(name, e.ARN, e.Region, r.now(e.Time).UTC())
	rec.ErrorMessage, rec.RequestID = message, rotationID(e.ARN, e.Token)
	r.put(rec)
}

// service is the record of what the service does by itself. Every field is as in published
// records of RotationSucceeded and RotationFailed, of 2021; that those of deletions and
// replication are alike is our assumption.
func (r *Recorder) service(name, arn, region string, now time.Time) Record {
	account := cmp.Or(accountOf(arn), r.opt.Account)
	rec := newRecord(now, account, region, name)
	rec.UserIdentity = Identity{AccountID: account, InvokedBy: eventSource}
	rec.SourceIPAddress, rec.UserAgent, rec.EventType = eventSource, eventSource, serviceEvent
	rec.AdditionalEventData = map[string]any{"SecretId": arn}
	return rec
}

// failure is the text of RotationFailed, as AWS has it. It names the function and the step,
// and nothing of what the function said: as in records of 2021 that have been published.
func failure(e secretsmanager.RotationEvent) string {
	var at *secretsmanager.RotationError
	if !errors.As(e.Err, &at) || at.Step == "" {
		return ""
	}
	return fmt.Sprintf("Error when executing lambda %s during %s step", e.Function, at.Step)
}

func rotationID(arn, token string) string { return "Rotation-" + arn + "-" + token }

// Secret records an event about the deletion or the replication of a secret. It is
// secretsmanager.Options.OnSecret.
func (r *Recorder) Secret(e secretsmanager.SecretEvent) {
	rec := r.service(string(e.Kind), e.ARN, e.Region, r.now(e.Time).UTC())
	rec.ErrorMessage, rec.RequestID = cut(e.Message, maxErrorMessage), newUUID()
	r.put(rec)
}

// Labels sends the event of a label that moved, and records RotationAbandoned where a write
// took AWSPENDING away from a rotation: "when you manually create a new version of a secret
// … Secrets Manager removes the AWSPENDING label"
// (https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-cloudtrail_entries.html).
// It is secretsmanager.Options.OnLabels.
//
// "Secret Label Updated" is for "all labels except AWSPENDING and AWSPREVIOUS" that move "to
// a new version"
// (https://docs.aws.amazon.com/secretsmanager/latest/userguide/event-detail-secret-label-updated-secretsmanager.html);
// a secret's first version is taken for no move.
func (r *Recorder) Labels(e secretsmanager.LabelEvent) {
	var current, pending secretsmanager.LabelMove
	for _, m := range e.Moves {
		switch m.Label {
		case "AWSPREVIOUS":
			continue
		case "AWSPENDING":
			pending = m
			continue
		case "AWSCURRENT":
			current = m
		}
		if m.To != "" && !e.Created {
			r.label(e, m)
		}
	}
	if pending.From != "" && pending.To == "" && current.To != "" && current.To != pending.From {
		rec := r.service("RotationAbandoned", e.ARN, e.Region, r.now(e.Time).UTC())
		rec.RequestID = rotationID(e.ARN, pending.From)
		r.put(rec)
	}
}

func (r *Recorder) label(e secretsmanager.LabelEvent, m secretsmanager.LabelMove) {
	detail, err := json.Marshal(struct {
		Name         string `json:"name"`
		LabelUpdated string `json:"labelUpdated"`
		VersionID    string `json:"versionId"`
	}{e.Name, m.Label, m.To})
	if err == nil {
		err = r.opt.Put(context.Background(), eventbus.Event{
			Version: "0", ID: newUUID(), DetailType: labelUpdated, Source: busSource, Account: accountOf(e.ARN),
			Time: r.now(e.Time), Region: e.Region, Resources: []string{e.ARN}, Detail: detail,
		})
	}
	r.failed(labelUpdated, err)
}
