package mysql

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// What SHOW CREATE USER says after the account's name. The name is quoted, so
// that nothing in it can look like these: `…` with "`" doubled.
var (
	afterName      = regexp.MustCompile("^CREATE USER (?:`(?:[^`]|``)*`|'(?:[^']|'')*')@(?:`(?:[^`]|``)*`|'(?:[^']|'')*') ?")
	identifiedWith = regexp.MustCompile(`^IDENTIFIED WITH '([^']+)'`)
	identifiedVia  = regexp.MustCompile(`^IDENTIFIED VIA (.*)`)
	alternative    = regexp.MustCompile(`^([a-z0-9_]+)(?: (?:USING|AS) '((?:[^'\\]|\\.|'')*)')?(?: OR |$| )`)
)

// mysqlPlugin reads the plugin of an account's first factor.
func mysqlPlugin(definition string) (string, error) {
	rest := definition[len(afterName.FindString(definition)):]
	m := identifiedWith.FindStringSubmatch(rest)
	if m == nil {
		return "", errDefinition()
	}
	return m[1], nil
}

// mariadbPlugin reads the plugin whose password SET PASSWORD changes: the only
// one that holds a password. With two, the other's old password would live on.
func mariadbPlugin(definition string) (string, error) {
	rest := definition[len(afterName.FindString(definition)):]
	if strings.HasPrefix(rest, "IDENTIFIED BY PASSWORD ") {
		return "mysql_native_password", nil
	}
	m := identifiedVia.FindStringSubmatch(rest)
	if m == nil {
		return "", errDefinition()
	}
	var all, passwords []string
	for rest := m[1]; ; {
		a := alternative.FindStringSubmatch(rest)
		if a == nil {
			return "", errDefinition()
		}
		all = append(all, a[1])
		if a[1] != "unix_socket" {
			passwords = append(passwords, a[1])
		}
		if !strings.HasSuffix(a[0], " OR ") {
			break
		}
		rest = rest[len(a[0]):]
	}
	switch len(passwords) {
	case 1:
		return passwords[0], nil
	case 0:
		return "", errPlugin(strings.Join(all, " or "))
	}
	return "", rotation.WithHint(fmt.Errorf("reading the account: it has %d passwords (%s): %w", len(passwords), strings.Join(all, " or "), rotation.ErrConfig),
		"Keep one authentication method that has a password: ALTER USER … IDENTIFIED VIA ….")
}

func errPlugin(plugin string) error {
	return rotation.WithHint(fmt.Errorf("reading the account: it authenticates by %s, which has no password that could be rotated here: %w", plugin, rotation.ErrConfig),
		"Rotate accounts of caching_sha2_password, mysql_native_password, sha256_password (MySQL), mysql_native_password or ed25519 (MariaDB).")
}

// errDefinition does not quote the definition: it holds the verifier.
func errDefinition() error {
	return fmt.Errorf("reading the account: SHOW CREATE USER answered in an unknown form: %w", rotation.ErrVendor)
}

// quote makes a string literal. With a backslash in s, the session must not have
// NO_BACKSLASH_ESCAPES in its sql_mode.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(s) + "'"
}
