package rotation

import (
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Step names one of the four invocations of a rotation, or the one that comes
// after the grace period.
type Step string

// The steps in the order in which Secrets Manager invokes them. RetireSecret is
// not Secrets Manager's: EventBridge Scheduler invokes it, see [Planner].
const (
	CreateSecret Step = "createSecret"
	SetSecret    Step = "setSecret"
	TestSecret   Step = "testSecret"
	FinishSecret Step = "finishSecret"
	RetireSecret Step = "retireSecret"
)

// Staging labels that the contract moves.
const (
	Current  = "AWSCURRENT"
	Pending  = "AWSPENDING"
	Previous = "AWSPREVIOUS"
)

// Event is what Secrets Manager sends to a rotation function, what a [Planner]
// sends for a [Retirement], and what an operator sends for a [Diagnosis].
//
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
type Event struct {
	Step          Step          `json:"Step"`
	SecretID      string        `json:"SecretId"`
	Token         string        `json:"ClientRequestToken"`
	RotationToken RotationToken `json:"RotationToken,omitempty"`

	// Of a retirement, where Token is the version that became current:

	Old       string    `json:"Retires,omitempty"`  // the version that was current before
	NotBefore time.Time `json:"NotBefore,omitzero"` // when the grace period ends
	Try       int       `json:"Try,omitempty"`      // from 1; more if it was put off
}

// Rotation identifies one rotation of one secret: all four steps share it. Its
// Token is also the id of the version that is to become current.
type Rotation struct {
	SecretID      string
	Token         string
	RotationToken RotationToken
}

// maxIDLength is Secrets Manager's limit of a SecretId.
const maxIDLength = 2048

func (e Event) rotation() Rotation {
	return Rotation{SecretID: e.SecretID, Token: e.Token, RotationToken: e.RotationToken}
}

// validate refuses what Secrets Manager would never send, before any call.
func (e Event) validate() error {
	switch e.Step {
	case CreateSecret, SetSecret, TestSecret, FinishSecret, RetireSecret:
	default:
		return WithHint(fmt.Errorf("reading the event: Step is %q: %w", clip(string(e.Step), 64), ErrConfig),
			"Step must be createSecret, setSecret, testSecret or finishSecret. Let Secrets Manager invoke the function (RotateSecret).")
	}
	if err := e.validateSecretID(); err != nil {
		return err
	}
	if len(e.Token) < 32 || len(e.Token) > 64 {
		return WithHint(fmt.Errorf("reading the event: ClientRequestToken has %d characters: %w", len(e.Token), ErrConfig),
			"ClientRequestToken must have 32 to 64 characters.")
	}
	if e.Step == RetireSecret {
		return e.validateRetirement()
	}
	return nil
}

func (e Event) validateSecretID() error {
	if e.SecretID == "" || len(e.SecretID) > maxIDLength {
		return WithHint(fmt.Errorf("reading the event: SecretId has %d characters: %w", len(e.SecretID), ErrConfig),
			"SecretId must be the secret's ARN or name, 1 to 2048 characters.")
	}
	return nil
}

// clip keeps a hostile event or secret from filling the log.
func clip(s string, most int) string {
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "")
}

// RotationToken proves to Secrets Manager that a Put belongs to a rotation that
// runs through an assumed role or across accounts. It is a credential: it
// prints as [redacted] everywhere, and only Reveal hands it out.
type RotationToken string

// Reveal returns the token itself, to be sent to Secrets Manager and nowhere else.
func (t RotationToken) Reveal() string { return string(t) }

// Format redacts the token under every verb of package fmt.
func (t RotationToken) Format(f fmt.State, _ rune) { redact(f) }

// LogValue redacts the token in package slog.
func (t RotationToken) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON redacts the token.
func (t RotationToken) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
