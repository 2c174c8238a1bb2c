package redshift

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/lib/pq"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/pgwire"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// translate gives an error of lib/pq its kind. Nothing of the original is
// wrapped; of the server's report only the code and the message are told, since
// its other fields can hold a statement.
func translate(ctx context.Context, err error) error {
	if errors.Is(err, pgwire.ErrNoTLS) {
		return rotation.WithHint(fmt.Errorf("the server does not offer TLS: %w", rotation.ErrTLS),
			`Redshift always does: check "host". Plaintext needs "ssl": false in the secret and the host in the function's ALLOW_PLAINTEXT_HOSTS.`)
	}
	var server *pq.Error
	if errors.As(err, &server) {
		return meaning(server.Message, string(server.Code))
	}
	// What Redshift asks of a user whose password is stored as SHA-256, and only
	// Amazon's own drivers can answer.
	if strings.Contains(err.Error(), "unknown authentication response") {
		return rotation.WithHint(fmt.Errorf("the user's password is stored as SHA-256, with which this client cannot log in: %w", rotation.ErrConfig),
			`Store it as MD5 (ALTER USER … PASSWORD, in clear text or as 'md5…'); or give the secret "access": "data-api".`)
	}
	if known, ok := dbuser.Classify(ctx, err); ok {
		return known
	}
	return fmt.Errorf("the driver failed in an unknown way (%T): %w", err, rotation.ErrVendor)
}

// Failure gives what Redshift said of a statement that failed its kind. The Data
// API tells the message, and no code.
func Failure(message string) error {
	for _, noise := range []string{"ERROR: ", "FATAL: "} {
		message = strings.TrimPrefix(message, noise)
	}
	return meaning(strings.TrimSpace(message), "")
}

const (
	serialization = "40001"
	internal      = "XX000"
	duplicate     = "42710"
	unique        = "23505" // of a catalogue: two made the same thing at once
)

// said are words of Redshift's messages, and the SQLSTATE that belongs to them.
// Redshift has the codes of PostgreSQL 8.0, which has none of its own for a wrong
// password; the Data API has none at all.
//
// https://www.postgresql.org/docs/8.0/errcodes-appendix.html
var said = []struct{ words, code string }{
	{"password authentication failed", "28P01"},
	{"serializable isolation violation", serialization},
	{"could not serialize access", serialization},
	{"tuple concurrently updated", serialization},
	{"deadlock detected", serialization},
	{"permission denied", "42501"},
	{"must be superuser", "42501"},
	{"must be owner", "42501"},
	{"too many connections", "53300"},
	{"connection limit", "53300"},
}

// verifiers are as good as passwords: an error that quotes one is told without.
// Compiled when it is needed: a function's start is waited for.
var verifiers = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`md5[0-9a-f]{6,32}|sha256\|[0-9a-f|]*`) })

func meaning(message, code string) error {
	message = verifiers().ReplaceAllString(message, "…")
	lower := strings.ToLower(message)
	told := message
	if code != "" {
		told = fmt.Sprintf("%s (SQLSTATE %s)", message, code)
	}
	for _, s := range said {
		if strings.Contains(lower, s.words) {
			code = s.code
			break
		}
	}
	exists := strings.Contains(lower, "does not exist")
	switch {
	case code == "28P01":
		return rotation.WithHint(fmt.Errorf("%s: %w", told, rotation.ErrRefused),
			"The password is another, disabled (PASSWORD DISABLE), or the user's VALID UNTIL is past.")
	case code == "28000":
		return rotation.WithHint(fmt.Errorf("%s: %w", told, rotation.ErrDenied), "The user may not log in this way.")
	case code == "42501":
		return rotation.WithHint(fmt.Errorf("%s: %w", told, rotation.ErrDenied),
			"A user may change its own password, unless it is disabled. Others' needs a superuser, or a role with ALTER USER.")
	case code == "3D000", exists && strings.Contains(lower, "database "):
		return rotation.WithHint(fmt.Errorf("%s: %w", told, rotation.ErrConfig), `Correct "dbname" in the secret.`)
	case code == "25006", strings.Contains(lower, "read-only transaction"), strings.Contains(lower, "transaction is read-only"):
		return rotation.WithHint(fmt.Errorf("%s: %w", told, rotation.ErrConfig), `What stands in "testStatements" may only read.`)
	case code == "53300":
		return rotation.WithHint(fmt.Errorf("%s: %w", told, rotation.ErrUnreachable), "There is no free connection for this user or database: raise the limit or free one.")
	case code == serialization, code == internal && strings.Contains(lower, "1023"):
		return &passing{fmt.Errorf("%s: %w", told, rotation.ErrVendor)}
	case code == duplicate, code == unique, strings.Contains(lower, "already exists"):
		return &present{fmt.Errorf("%s: %w", told, rotation.ErrVendor)}
	case strings.HasPrefix(code, "57"), strings.HasPrefix(code, "08"), strings.HasPrefix(code, "53"):
		return fmt.Errorf("%s: %w", told, rotation.ErrUnreachable)
	}
	return fmt.Errorf("%s: %w", told, rotation.ErrVendor)
}

// passing is a failure that another try may not meet: two changed the same thing
// at once.
type passing struct{ error }

func (e *passing) Unwrap() error { return e.error }

// present is the failure to create what is there.
type present struct{ error }

func (e *present) Unwrap() error { return e.error }
