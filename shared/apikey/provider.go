package apikey

import (
	"context"
	"slices"
	"time"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Class says what becomes of the old key when there is a new one; it orders the
// steps of a rotation.
type Class string

// The classes.
const (
	// Dual: several keys live at once. The old one is ended by the retire phase.
	Dual Class = "dual"
	// Grace: a new key sets the old one an end, which the vendor keeps to.
	Grace Class = "grace"
	// Replace: a new key ends the old one at once.
	Replace Class = "replace"
	// Refresh: a key is issued for a refresh token, which it uses up.
	Refresh Class = "refresh"
	// Assisted: the vendor has no way to issue a key. A person does, and puts it
	// into the pending version.
	Assisted Class = "assisted"
)

// Classes are all there are.
var Classes = []Class{Dual, Grace, Replace, Refresh, Assisted}

// Material is what a credential consists of: values by the keys of the secret's
// document, such as {"apiKey": …, "apiKeyId": …}. It prints redacted.
type Material map[string]rotation.Value

// Text is one value in the clear, "" if there is none.
func (m Material) Text(name string) string { return m[name].Reveal() }

// Key is a credential at the vendor.
type Key struct {
	ID       string    // by which it is revoked; "" if the vendor has none
	Name     string    // what it was issued as; "" if the vendor has no names
	Created  time.Time // zero: the vendor does not tell
	LastUsed time.Time // zero: never, or the vendor does not tell; see Traits.LastUsed
	Expires  time.Time // zero: never, or the vendor does not tell
	Inactive bool      // it is listed and no longer accepted
	// Material is what the secret's document holds of it. A list has none.
	Material Material
}

// Account is on whose behalf a provider speaks to a vendor: what one secret, and
// the secret of its administrator, say.
type Account struct {
	// Settings are the keys of the document that are no secret, and defaults.
	Settings map[string]string
	// Admin is the credential that manages keys: of the administrator's secret, or
	// of the secret itself where a key manages itself.
	Admin Material
	// Current is the secret's own current credential. It may be empty at the very
	// first rotation.
	Current Key
}

// Order asks for a key.
type Order struct {
	// Name is what to call the key at the vendor. It tells which rotation of which
	// secret it belongs to.
	Name string
	// Idempotency is the same for every try of one rotation, and for no other: what
	// an Idempotency-Key is for. 32 hexadecimal digits; it tells nothing.
	Idempotency string
}

// Traits are what a provider's vendor can do.
type Traits struct {
	Class Class
	// Fields are the keys of the secret's document that make up a credential. Those
	// of Public are no secrets.
	Fields []string
	Public []string
	// ID is the field with the key's id at the vendor; "" if it has none.
	ID string
	// Limit is how many keys may live at once; 0: unlimited, or unknown.
	Limit int
	// Named: keys bear the name of the order, and a list tells it.
	Named bool
	// NameMax is the longest name that the vendor takes; 0: long enough.
	NameMax int
	// Idempotent: the same order twice is one key, material included.
	Idempotent bool
	// Lists: the vendor tells which keys there are.
	Lists bool
	// Revokes: the vendor ends a key on demand.
	Revokes bool
	// LastUsed: a list tells when a key was last used.
	LastUsed bool
	// Ends: issued keys end by themselves soon, so that one that is lost does no
	// harm and none needs to be retired.
	Ends bool
	// Chosen: we choose the material. Issue calls nobody, and [Installer] makes the
	// material valid at the vendor.
	Chosen bool
	// Once: issuing with the same current credential a second time does harm (the
	// vendor takes it for theft and revokes the new one too), so it must not be
	// tried again unless it is certain that the first try did not happen.
	Once bool
}

// Provider speaks to one kind of vendor. It keeps no order of its own: each
// method is one deed, and the [Engine] decides which, when and whether again.
//
// Methods are safe for several goroutines, stay within the context's deadline,
// and return errors that wrap exactly one sentinel of package rotation and hold
// no secret. An error that wraps [ErrNotSent] too is of a request that the vendor
// has certainly not carried out.
type Provider interface {
	Traits() Traits
	// Issue makes a key. Not idempotent, unless the traits say so. ErrLimit is
	// wrapped if the vendor has as many keys as it allows.
	Issue(ctx context.Context, a Account, o Order) (Key, error)
	// Check uses a key as its consumers would, and tries again within the time that
	// the vendor needs to make a key known. ErrRefused: the vendor does not take it.
	Check(ctx context.Context, a Account, k Key) error
	// List tells the keys of the account, those of others included; without
	// material. Not called unless the traits say that the vendor lists.
	List(ctx context.Context, a Account) ([]Key, error)
	// Revoke ends a key for good, by its ID. Revoking one that is gone succeeds.
	// Not called unless the traits say that the vendor revokes.
	Revoke(ctx context.Context, a Account, k Key) error
}

// Checker is a [Provider] whose Check waits until a new key is known everywhere, and
// that can also ask about one that must be known already.
type Checker interface {
	// CheckNow is Check without any wait.
	CheckNow(ctx context.Context, a Account, k Key) error
}

// Asking is a [Provider] whose Check asks nobody for some accounts.
type Asking interface {
	// Asks reports whether Check asks whoever takes the key.
	Asks(a Account) bool
}

// Installer is a [Provider] whose material we choose, and which must be told it.
type Installer interface {
	// Install makes the material valid at the vendor. Idempotent.
	Install(ctx context.Context, a Account, k Key) error
}

// KeyRetirer is a [Provider] for which the end of the old key is another deed than
// revoking one.
type KeyRetirer interface {
	// RetireKey ends old, and keeps the account's current key. Idempotent.
	RetireKey(ctx context.Context, a Account, old Key) error
}

// Prober is a [Provider] that can tell whether the credential that Issue uses up
// is still unused.
type Prober interface {
	// Probes reports whether Unused can tell at all.
	Probes() bool
	// Unused reports whether Issue has not been carried out with the account's
	// current credential.
	Unused(ctx context.Context, a Account) (bool, error)
}

// Reader is a [Provider] that knows which settings a secret may have, and what
// is expected of them.
type Reader interface {
	// ReadSettings takes the settings out of the secret's document, and of the
	// administrator's where there is one. Errors are ErrConfig, and name the key.
	ReadSettings(secret, admin rotation.Document, administered bool) (map[string]string, error)
	// AdminFields are the keys that the administrator's secret must and may have,
	// and whether a secret without administrator manages itself.
	AdminFields() (required, optional []string, itself bool)
}

// Has reports whether a field is part of a credential.
func (t Traits) Has(field string) bool {
	return field != "" && (field == t.ID || slices.Contains(t.Fields, field) || slices.Contains(t.Public, field))
}
