package apikey

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// NameLength is how long the names of keys are.
const NameLength = 38

// order is what to call a key: rekey-<secret>-<rotation>-<lease and try>, with
// hashes of the secret's ARN and of the token. So a key that was made and never
// stored is found by its name, and known to be this secret's and this rotation's.
//
// The lease is when the try that ordered the key is certainly over: until then
// that try may store the key, and nobody else may end it. Where the vendor knows
// idempotency keys every try orders the same, without a lease.
func (e *Engine) order(ctx context.Context, r rotation.Rotation, t Traits) Order {
	o := Order{
		Name:        "rekey-" + digest("secret", r.SecretID)[:10] + "-" + digest("rotation", r.SecretID, r.Token)[:10],
		Idempotency: digest("idempotency", r.SecretID, r.Token)[:32],
	}
	if !t.Idempotent {
		o.Name += "-" + strconv.FormatInt(e.lease(ctx).Unix(), 36) + strings.ToLower(rand.Text()[:4])
	}
	return o
}

// How long after the context's deadline a try may still be at work: the machine
// keeps time back for its log line, and clocks differ.
const afterDeadline = 15 * time.Second

// longest is the longest time that Lambda lets a function run.
//
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html
const longest = 15 * time.Minute

// lease is when this try is certainly over.
func (e *Engine) lease(ctx context.Context) time.Time {
	deadline, ok := ctx.Deadline()
	if !ok {
		return e.now().Add(longest)
	}
	return e.now().Add(time.Until(deadline) + afterDeadline)
}

// digest is a hash over parts, in hexadecimal digits.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// Compiled when it is needed: a function's start is waited for.
var ourName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^rekey-([0-9a-f]{10})-([0-9a-f]{10})(?:-([0-9a-z]{6})[0-9a-z]{4})?$`)
})

// signature is what a key's name tells.
type signature struct {
	secret, rotation string
	lease            time.Time // zero: none
}

func readName(name string) (signature, bool) {
	m := ourName().FindStringSubmatch(name)
	if m == nil {
		return signature{}, false
	}
	s := signature{secret: m[1], rotation: m[2]}
	if seconds, err := strconv.ParseInt(m[3], 36, 64); err == nil {
		s.lease = time.Unix(seconds, 0)
	}
	return s, true
}
