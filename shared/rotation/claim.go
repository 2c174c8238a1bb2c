package rotation

import (
	"context"
	"errors"
	"fmt"
)

// ClaimLabel is the staging label of claims: it keeps the last one from being
// pruned, and tells people what the version is.
const ClaimLabel = "REKEY_CLAIM"

// Claimer is a [Store] that can also keep a note beside the values: a version of
// the secret that no consumer reads. Of several who write different notes under
// one id exactly one succeeds, so that an act that must not happen twice has one
// who may do it.
type Claimer interface {
	// Claim stores a note under a version id of the caller's own (32 to 64
	// characters), labelled [ClaimLabel]. Storing the same note again succeeds.
	// ErrConflict: the id holds another note.
	Claim(ctx context.Context, r Rotation, id string, note Value) error
}

// Claim stores a note under a version id, see [Claimer]. It costs a call.
func (r Request) Claim(ctx context.Context, id string, note Value) error {
	c, ok := r.store.(Claimer)
	if !ok {
		return fmt.Errorf("claiming %s: the store keeps no notes: %w", id, ErrInternal)
	}
	return c.Claim(ctx, r.Rotation, id, note)
}

// Version fetches the value of one version, whatever its labels: a claim, or what
// another rotation has stored. ErrNotFound if there is none. It costs a call.
func (r Request) Version(ctx context.Context, id string) (Value, error) {
	stored, err := r.store.Get(ctx, r.SecretID, Version{ID: id})
	return stored.Value, err
}

// Stored fetches, in Create, what an earlier try of this rotation has stored
// already; ok reports whether there is anything. A value that was stored a moment
// ago may not be seen yet: then storing another is ErrConflict. It costs a call.
func (r Request) Stored(ctx context.Context) (v Value, ok bool, err error) {
	// Not by the id: a store waits for a version that was asked for by its id.
	stored, err := r.store.Get(ctx, r.SecretID, Version{Stage: Pending})
	if errors.Is(err, ErrNotFound) {
		return Value{}, false, nil
	}
	return stored.Value, err == nil && stored.VersionID == r.Token, err
}
