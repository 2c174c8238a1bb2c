package mysql

import (
	"context"
	"fmt"
	"strings"

	"github.com/rekey-aws/rekey/shared/dbuser"
)

// mysqlDual is the version that dual passwords came with.
//
// https://dev.mysql.com/doc/refman/8.4/en/password-management.html#dual-passwords
const mysqlDual = 80014

// Inspect implements [dbuser.Session].
func (s *session) Inspect(ctx context.Context) (in dbuser.Inspection, err error) {
	settings, err := s.settings(ctx)
	if err != nil {
		return in, translate(ctx, err)
	}
	mariadb := strings.Contains(settings["version"], "MariaDB")
	in.Server = "MySQL " + settings["version"]
	if mariadb {
		version, _, _ := strings.Cut(settings["version"], "-MariaDB")
		in.Server = "MariaDB " + version
	}
	if settings["read_only"] == "ON" || settings["innodb_read_only"] == "ON" {
		in.ReadOnly = errReadOnly()
	}
	// Rows are read as grants are: see administer. Nothing follows on the session
	// that another mode would harm.
	if err := s.exec(ctx, "SET SESSION sql_mode = '', SESSION sql_quote_show_create = 1"); err != nil {
		return in, translate(ctx, err)
	}
	definition, err := s.definition(ctx, "CURRENT_USER()")
	if err != nil {
		return in, translate(ctx, err)
	}
	grants, err := (&administration{session: s}).grantsOf(ctx, "")
	if err != nil {
		return in, translate(ctx, err)
	}
	if mariadb {
		in.Own, in.One = inspectMariaDB(definition, grants)
		return in, nil
	}
	in.Own, in.One = inspectMySQL(definition, versionNumber(settings["version"]), grants)
	in.LocksAfter = setting(definition, "FAILED_LOGIN_ATTEMPTS")
	return in, nil
}

// inspectMySQL is what forbids an account to change its own password, or to keep
// the old one. The server's own password policy is not looked at.
func inspectMySQL(definition string, version int, grants grantSet) (own error, one *dbuser.OnePasswordError) {
	plugin, err := mysqlPlugin(definition)
	if err != nil {
		return err, nil
	}
	switch plugin {
	case cachingSHA2Plugin, nativePlugin, sha256Plugin:
	default:
		return errPlugin(plugin), nil
	}
	name := accountName(definition)
	requires := strings.Fields(after(definition, "PASSWORD REQUIRE CURRENT") + " PASSWORD")[0]
	switch {
	case version < mysqlDual:
		return nil, onePasswordBecause(notKnown, name)
	case !grants.global("APPLICATION_PASSWORD_ADMIN") && !grants.global("CREATE USER"):
		return nil, onePasswordBecause(notGranted, name)
	case setting(definition, "PASSWORD HISTORY") > 0 || setting(definition, "PASSWORD REUSE INTERVAL") > 0:
		return nil, onePasswordBecause(againstHistory, name)
	case strings.Contains(unquoted(definition), "PASSWORD REQUIRE CURRENT") && requires != "DEFAULT" && requires != "OPTIONAL" && !grants.global("CREATE USER"):
		return nil, onePasswordBecause(currentRequired, name)
	}
	return nil, nil
}

// inspectMariaDB is the same of an account of MariaDB.
func inspectMariaDB(definition string, grants grantSet) (own error, one *dbuser.OnePasswordError) {
	account, err := parseMariaDB(definition)
	if err == nil {
		err = account.check()
	}
	if err != nil {
		return err, nil
	}
	switch plugin := account.passwords()[0]; {
	case plugin != nativePlugin:
		return nil, onePasswordMariaDB(account.name, plugin)
	case grants.global("CREATE USER"):
		return nil, nil
	case len(account.passwords()) > 1:
		return account.mayNotReplace(), nil
	}
	return nil, onePasswordMariaDB(account.name, nativePlugin)
}

// global tells whether a privilege is granted on *.*.
func (a grantSet) global(privilegeName string) bool {
	for g := range a {
		if what := strings.TrimSuffix(g.what, withGrantOption); g.kind == privilege && g.on == (object{}) && (what == privilegeName || what == everything) {
			return true
		}
	}
	return false
}

// unquoted is what a definition says outside of quotes: no name, verifier or
// comment can pass for a setting.
func unquoted(definition string) string {
	var b strings.Builder
	for rest := definition; rest != ""; {
		at := strings.IndexAny(rest, "'`")
		if at < 0 {
			b.WriteString(rest)
			break
		}
		b.WriteString(rest[:at])
		_, tail, ok := cutQuoted(rest[at:])
		if !ok {
			break
		}
		rest = tail
	}
	return b.String()
}

// after is what follows words of a definition.
func after(definition, words string) string {
	_, rest, _ := strings.Cut(unquoted(definition), words)
	return rest
}

// setting is the number behind the words of a setting; 0 if it has none.
func setting(definition, words string) (n int) {
	_, _ = fmt.Sscan(after(definition, words), &n) // DEFAULT is no number
	return n
}
