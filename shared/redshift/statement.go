package redshift

import (
	"fmt"
	"strings"

	"github.com/lib/pq"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// identifier quotes a name. Between double quotes a backslash is itself.
//
// https://docs.aws.amazon.com/redshift/latest/dg/r_names.html
func identifier(name string) string { return pq.QuoteIdentifier(name) }

// text is an expression for a text. A backslash in a literal is an escape or is
// not, by a setting, so there is none: CHR makes it.
//
// https://docs.aws.amazon.com/redshift/latest/dg/r_CHR.html
func text(s string) string {
	parts := strings.Split(s, `\`)
	for i, p := range parts {
		parts[i] = "'" + strings.ReplaceAll(p, "'", "''") + "'"
	}
	return strings.Join(parts, " || CHR(92) || ")
}

// literal is a text where the grammar takes no expression.
func literal(s string) (string, error) {
	if strings.Contains(s, `\`) {
		return "", rotation.WithHint(fmt.Errorf("a value has a backslash, which cannot be written here: %w", rotation.ErrConfig),
			"Set it by hand for both users of the pair.")
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'", nil
}
