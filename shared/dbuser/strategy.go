package dbuser

import (
	"context"
	"errors"
	"log/slog"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Strategy is what happens to a user's old password when it gets a new one.
type Strategy string

const (
	// Single ends it. Consumers that hold it are refused from setSecret until they
	// read the secret again after finishSecret.
	Single Strategy = "single"
	// Dual keeps it valid beside the new one, until the next rotation. No consumer
	// is refused.
	Dual Strategy = "dual"
	// Alternating gives the new password to the other of two users that take
	// turns, with an administrator's help. No consumer is refused.
	Alternating Strategy = "alternating"
)

// change sets the pending password by the strategy that the secret asks for, or
// else by the best that server and account allow. label tells whose password the
// session logged in with.
func change(ctx context.Context, r rotation.Request, session Session, pending Secret, asked Strategy, label string) error {
	dual, can := session.(DualSession)
	switch {
	case asked == Single:
		return single(ctx, r, session, pending, "the secret asks for it")
	case label != rotation.Current:
		// Consumers are refused already. What the server does not take, an
		// administrator may have ended: it is not revived.
		return single(ctx, r, session, pending, rotation.Current+" is refused")
	case !can:
		return single(ctx, r, session, pending, pending.Engine+" keeps one password per user")
	}
	err := dual.AddPassword(ctx, pending.Password)
	var one *OnePasswordError
	switch {
	case !errors.As(err, &one):
		r.Note(slog.String("strategy", string(Dual)))
		return err
	case asked == Dual:
		return rotation.WithHint(err, one.Remedy+` Or remove "strategy" from the secret.`)
	}
	r.Note(slog.String("strategy_remedy", one.Remedy))
	return single(ctx, r, session, pending, one.Reason)
}

func single(ctx context.Context, r rotation.Request, session Session, pending Secret, reason string) error {
	r.Note(slog.String("strategy", string(Single)), slog.String("strategy_reason", reason))
	return session.SetPassword(ctx, pending.Password)
}
