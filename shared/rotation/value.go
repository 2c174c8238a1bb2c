package rotation

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// MaxValueSize is the largest secret value, in bytes, that Secrets Manager stores.
//
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
const MaxValueSize = 65536

const redacted = "[redacted]"

// Value is the content of one version of a secret. It prints as [redacted]
// under every formatting verb, in JSON and in slog; [Value.Reveal] is the only
// way out. The zero Value is empty. A Value is immutable and safe to share.
type Value struct {
	// A pointer, because fmt follows none inside a struct: a Value in someone's
	// unexported field, which fmt prints without asking for Format, shows an
	// address.
	content *string
	binary  bool
}

// TextValue holds a SecretString.
func TextValue(s string) Value { return Value{content: &s} }

// BinaryValue holds a SecretBinary.
func BinaryValue(b []byte) Value {
	s := string(b)
	return Value{content: &s, binary: true}
}

// Reveal returns the content in the clear. Every call of it is a place where a
// secret can leak: keep them few.
func (v Value) Reveal() string {
	if v.content == nil {
		return ""
	}
	return *v.content
}

// Binary reports whether the secret was stored as SecretBinary.
func (v Value) Binary() bool { return v.binary }

// Len is the size in bytes.
func (v Value) Len() int { return len(v.Reveal()) }

// Equal compares two values in a time that does not depend on where they differ.
func (v Value) Equal(o Value) bool {
	return v.binary == o.binary && subtle.ConstantTimeCompare([]byte(v.Reveal()), []byte(o.Reveal())) == 1
}

// Format redacts the value under every verb of package fmt.
func (v Value) Format(f fmt.State, _ rune) { redact(f) }

// LogValue redacts the value in package slog.
func (v Value) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON redacts the value.
func (v Value) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText redacts the value in every other text encoding.
func (v Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }

func redact(f fmt.State) { _, _ = io.WriteString(f, redacted) }
