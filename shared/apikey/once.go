package apikey

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// claim is the note of who may use up a credential: see [rotation.Claimer]. It
// holds no secret.
type claim struct {
	Claims   string    `json:"rekey_claim"` // for people who find it
	Token    string    `json:"token"`       // the rotation
	Until    time.Time `json:"until"`       // when that try is certainly over
	Nonce    string    `json:"try"`
	NotTried bool      `json:"not_tried,omitempty"` // of a release: the credential is still unused
}

// issueOnce has a key issued for a credential that must not be used twice. Who
// may do it is decided by a claim; who finds it taken finds out what became of it:
//
//   - The rotation that claimed it has stored a key: that is the one.
//   - It certainly did not happen (released, or the vendor says that the credential
//     is unused): the next claim.
//   - It may be under way: later.
//   - Nobody knows: a person, because a second try could end everything.
func (e *Engine) issueOnce(ctx context.Context, r rotation.Request, t target) (Key, error) {
	// Claims are about the credential, not the rotation: another rotation must not
	// use it up either, and a credential that a person put there is a new one.
	subject := digest(append([]string{"claim", r.SecretID}, t.secrets()...)...)[:32]
	const generations = 50
	for n := range generations {
		id := "rekey-claim-" + subject + "-" + strconv.Itoa(n)
		note := claim{Claims: "who may use the current credential of this secret to get the next", Token: r.Token, Until: e.lease(ctx), Nonce: rand.Text()}
		err := r.Claim(ctx, id, note.value())
		switch {
		case err == nil:
			return e.issueClaimed(ctx, r, t, id)
		case !errors.Is(err, rotation.ErrConflict):
			return Key{}, err
		}
		k, next, err := e.claimed(ctx, r, t, id)
		if !next {
			return k, err
		}
	}
	return Key{}, fmt.Errorf("claiming the current credential: %d tries did not happen: %w", generations, rotation.ErrVendor)
}

// issueClaimed uses the credential up, and releases the claim if it certainly did
// not happen.
func (e *Engine) issueClaimed(ctx context.Context, r rotation.Request, t target, id string) (Key, error) {
	k, err := t.provider.Issue(ctx, t.account, Order{})
	switch {
	case err == nil:
		return k, nil
	case !errors.Is(err, ErrNotSent):
		return Key{}, rotation.WithHint(err, "The answer was lost. Run the rotation again: it finds out whether the credential was used, where the vendor tells.")
	}
	if rerr := r.Claim(ctx, release(id), claim{Claims: "released", Token: r.Token, NotTried: true}.value()); rerr != nil {
		r.Note(slog.String("claim_held", id))
	}
	if errors.Is(err, rotation.ErrRefused) {
		err = rotation.WithHint(err, byHand)
	}
	return Key{}, err
}

const byHand = "Get a new credential from the vendor by hand, and put it into AWSCURRENT; then rotate."

func release(id string) string { return id + "-released" }

// claimed finds out what became of a claim that another try has; next: it is over
// and did nothing.
func (e *Engine) claimed(ctx context.Context, r rotation.Request, t target, id string) (k Key, next bool, err error) {
	v, err := r.Version(ctx, id)
	if err != nil {
		return Key{}, false, fmt.Errorf("reading a claim: %w", err)
	}
	var c claim
	if json.Unmarshal([]byte(v.Reveal()), &c) != nil {
		return Key{}, false, fmt.Errorf("reading the claim %s: it is none: %w", id, rotation.ErrConfig)
	}
	stored, err := r.Version(ctx, c.Token)
	if err == nil {
		k, err = e.taken(t, stored)
		r.Note(slog.String("taken_from", c.Token))
		return k, false, err
	}
	if !errors.Is(err, rotation.ErrNotFound) {
		return Key{}, false, err
	}
	if _, err := r.Version(ctx, release(id)); !errors.Is(err, rotation.ErrNotFound) {
		return Key{}, err == nil, err
	}
	if e.now().Before(c.Until) {
		return Key{}, false, rotation.WithHint(fmt.Errorf("claiming the current credential: another try may be using it: %w", rotation.ErrBusy),
			fmt.Sprintf("Run the rotation again after %s.", c.Until.UTC().Truncate(time.Second).Format(time.RFC3339)))
	}
	if p, ok := t.provider.(Prober); ok && p.Probes() {
		unused, err := p.Unused(ctx, t.account)
		if err != nil || unused {
			return Key{}, err == nil, err
		}
	}
	return Key{}, false, rotation.WithHint(
		fmt.Errorf("issuing a key: an earlier try used the current credential, or may have, and its answer was lost: %w", rotation.ErrRefused),
		byHand+" It is not tried again, because vendors take a second use for theft and end everything.")
}

// taken is the key that another rotation stored for the same credential: a person
// had put that rotation aside.
func (e *Engine) taken(t target, stored rotation.Value) (Key, error) {
	other, err := e.identify(stored, "the version that was put aside")
	if err != nil {
		return Key{}, err
	}
	if err := t.sameTarget(other); err != nil {
		return Key{}, err
	}
	return other.account.Current, other.complete(other.account.Current)
}

func (c claim) value() rotation.Value {
	text, _ := json.Marshal(c) // text and a time
	return rotation.TextValue(string(text))
}

// secrets are the values of the current credential.
func (t target) secrets() []string {
	var values []string
	for _, name := range t.traits.Fields {
		if !slices.Contains(t.traits.Public, name) {
			values = append(values, t.account.Current.Material.Text(name))
		}
	}
	return values
}
