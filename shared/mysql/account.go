package mysql

import (
	"fmt"
	"strings"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// mysqlPlugin reads the plugin of an account's first factor from what SHOW
// CREATE USER says.
func mysqlPlugin(definition string) (string, error) {
	rest, ok := strings.CutPrefix(afterName(definition), "IDENTIFIED WITH ")
	plugin, _, quoted := cutQuoted(rest)
	if !ok || !quoted || plugin == "" {
		return "", errDefinition()
	}
	return plugin, nil
}

// mariadbPlugin reads the plugin whose password SET PASSWORD changes: the only
// one that holds a password. With two, the other's old password would live on.
func mariadbPlugin(definition string) (string, error) {
	rest := afterName(definition)
	if strings.HasPrefix(rest, "IDENTIFIED BY PASSWORD ") {
		return "mysql_native_password", nil
	}
	rest, ok := strings.CutPrefix(rest, "IDENTIFIED VIA ")
	if !ok {
		return "", errDefinition()
	}
	var all, passwords []string
	for more := true; more; {
		var plugin string
		plugin, rest, _ = strings.Cut(rest, " ")
		if plugin == "" {
			return "", errDefinition()
		}
		all = append(all, plugin)
		if plugin != "unix_socket" {
			passwords = append(passwords, plugin)
		}
		if verifier, using := strings.CutPrefix(rest, "USING "); using {
			if _, rest, ok = cutQuoted(verifier); !ok {
				return "", errDefinition()
			}
			rest = strings.TrimPrefix(rest, " ")
		}
		rest, more = strings.CutPrefix(rest, "OR ")
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

// afterName is the definition without "CREATE USER `name`@`host` ", or "" if it
// has another form. Name and host are quoted, so nothing in them can pass for
// what follows.
func afterName(definition string) string {
	rest, _ := strings.CutPrefix(definition, "CREATE USER ")
	_, rest, _ = cutQuoted(rest)
	_, rest, ok := cutQuoted(strings.TrimPrefix(rest, "@"))
	if !ok {
		return ""
	}
	return strings.TrimPrefix(rest, " ")
}

// cutQuoted splits s behind the quoted text that it begins with: '…' or `…`,
// the quote doubled inside, and in '…' also escaped with a backslash.
func cutQuoted(s string) (text, rest string, ok bool) {
	if s == "" || s[0] != '\'' && s[0] != '`' {
		return "", s, false
	}
	q := s[0]
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && q == '\'':
			i++
		case s[i] == q && i+1 < len(s) && s[i+1] == q:
			i++
		case s[i] == q:
			return s[1:i], s[i+1:], true
		}
	}
	return "", s, false
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
