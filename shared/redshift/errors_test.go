package redshift

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Redshift's words and codes have a kind each, over the wire and through the Data
// API, which tells no codes.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		message, code string
		kind          error
	}{
		{`FATAL: password authentication failed for user "app"`, "28000", rotation.ErrRefused},
		{`FATAL: password authentication failed for user "app"`, "", rotation.ErrRefused},
		{"no pg_hba.conf entry", "28000", rotation.ErrDenied},
		{"ERROR: permission denied for relation orders", "", rotation.ErrDenied},
		{"ERROR: must be superuser to alter users", "42501", rotation.ErrDenied},
		{`FATAL: database "none" does not exist`, "", rotation.ErrConfig},
		{`FATAL: database "none" does not exist`, "3D000", rotation.ErrConfig},
		{"ERROR: cannot execute INSERT in a read-only transaction", "", rotation.ErrConfig},
		{"FATAL: too many connections for user", "", rotation.ErrUnreachable},
		{"ERROR: terminating connection due to administrator command", "57P01", rotation.ErrUnreachable},
		{"ERROR: 1023 DETAIL: Serializable isolation violation on table", "", rotation.ErrVendor},
		{"ERROR: tuple concurrently updated", "XX000", rotation.ErrVendor},
		{`ERROR: user "app_clone" already exists`, "", rotation.ErrVendor},
		{"ERROR: something else", "XX000", rotation.ErrVendor},
	} {
		err := meaning(c.message, c.code)
		if c.code == "" {
			err = Failure(c.message)
		}
		if !errors.Is(err, c.kind) || rotation.KindName(err) != rotation.KindName(c.kind) || c.code != "" && !strings.Contains(err.Error(), c.code) {
			t.Errorf("%s (%s): %v", c.message, c.code, err)
		}
		var again *passing
		if errors.As(err, &again) != (strings.Contains(c.message, "1023") || strings.Contains(c.message, "concurrently")) {
			t.Errorf("%s: tried again: %v", c.message, errors.As(err, &again))
		}
	}
}

// A verifier in an error is as bad as a password in it.
func TestErrorsHoldNoVerifier(t *testing.T) {
	for _, v := range []string{md5Verifier("Password-1", "app"), sha256Verifier("Password-1", newSalt())} {
		for _, cut := range []int{0, 20} {
			err := Failure(fmt.Sprintf(`syntax error at or near "'%s'"`, v[:len(v)-cut]))
			if strings.Contains(err.Error(), v[:12]) {
				t.Errorf("it holds one: %v", err)
			}
		}
	}
}
