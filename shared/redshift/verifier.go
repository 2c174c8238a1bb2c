package redshift

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// A verifier is what the server stores of a password. Computed here, it lets the
// password stay on this side: no statement, and so no log, no system view and no
// history of the Data API, ever holds it.
//
// https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_USER.html

// md5Verifier is what every client of PostgreSQL can log in with.
func md5Verifier(password, user string) string {
	sum := md5.Sum([]byte(password + user))
	return "md5" + hex.EncodeToString(sum[:])
}

// sha256Verifier is 'sha256|digest|salt', for clients that are Amazon's own. The
// digest is of the password and the salt behind it.
func sha256Verifier(password, salt string) string {
	raw, _ := hex.DecodeString(salt) // newSalt's, or what a statement of ours had
	sum := sha256.Sum256(append([]byte(password), raw...))
	return "sha256|" + hex.EncodeToString(sum[:]) + "|" + salt
}

// SHA256From reads from the function's environment how new passwords are stored:
// REDSHIFT_PASSWORD_HASH, "md5" (when unset) or "sha256". lookup is os.LookupEnv.
// Errors are ErrConfig.
func SHA256From(lookup func(string) (string, bool)) (bool, error) {
	const name = "REDSHIFT_PASSWORD_HASH"
	switch v, _ := lookup(name); v {
	case "", "md5":
		return false, nil
	case "sha256":
		return true, nil
	default:
		return false, rotation.WithHint(fmt.Errorf("reading the function's settings: %s is %q: %w", name, clip(v), rotation.ErrConfig), name+` must be "md5" or "sha256".`)
	}
}

// newSalt has 256 bits, as the server wants it.
func newSalt() string {
	salt := make([]byte, 32)
	_, _ = rand.Read(salt) // never fails, see crypto/rand
	return hex.EncodeToString(salt)
}

// verifies tells whether a verifier that was made here is of a password.
func verifies(verifier, password, user string) bool {
	want := md5Verifier(password, user)
	if rest, ok := strings.CutPrefix(verifier, "sha256|"); ok {
		_, salt, _ := strings.Cut(rest, "|")
		want = sha256Verifier(password, salt)
	}
	return subtle.ConstantTimeCompare([]byte(verifier), []byte(want)) == 1
}
