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

// alternative is one of the methods that a MariaDB account authenticates by.
type alternative struct {
	plugin   string
	verifier string // "" if it has none
	text     string // as CREATE USER has it
}

// mariadbAlternatives reads the methods of an account, in their order.
func mariadbAlternatives(definition string) ([]alternative, error) {
	rest := afterName(definition)
	if quoted, ok := strings.CutPrefix(rest, "IDENTIFIED BY PASSWORD "); ok {
		verifier, _, ok := cutQuoted(quoted)
		if !ok {
			return nil, errDefinition()
		}
		return []alternative{{plugin: nativePlugin, verifier: verifier}}, nil
	}
	rest, ok := strings.CutPrefix(rest, "IDENTIFIED VIA ")
	if !ok {
		return nil, errDefinition()
	}
	var all []alternative
	for more := true; more; {
		var a alternative
		a.plugin, rest, _ = strings.Cut(rest, " ")
		if a.plugin == "" {
			return nil, errDefinition()
		}
		a.text = a.plugin
		if using, found := strings.CutPrefix(rest, "USING "); found {
			if a.verifier, rest, ok = cutQuoted(using); !ok {
				return nil, errDefinition()
			}
			a.text += " USING '" + a.verifier + "'"
			rest = strings.TrimPrefix(rest, " ")
		}
		all = append(all, a)
		rest, more = strings.CutPrefix(rest, "OR ")
	}
	return all, nil
}

// accountName is `name`@`host` as a definition has it: quoted, ready for a
// statement.
func accountName(definition string) string {
	start := strings.TrimPrefix(definition, "CREATE USER ")
	_, rest, _ := cutQuoted(start)
	_, rest, ok := cutQuoted(strings.TrimPrefix(rest, "@"))
	if !ok {
		return ""
	}
	return start[:len(start)-len(rest)]
}

// quoteAccount is the name of an account for a statement.
func quoteAccount(user, host string) string {
	double := strings.NewReplacer("`", "``")
	return "`" + double.Replace(user) + "`@`" + double.Replace(host) + "`"
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

// The plugins whose passwords are rotated here.
const (
	cachingSHA2Plugin = "caching_sha2_password"
	nativePlugin      = "mysql_native_password"
	sha256Plugin      = "sha256_password"
	ed25519Plugin     = "ed25519"
)

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
