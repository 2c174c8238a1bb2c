package mysql

import (
	"errors"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/shared/rotation"
)

func TestPlugins(t *testing.T) {
	for _, c := range []struct{ definition, plugin string }{
		// as MySQL 9.7 answers
		{"CREATE USER `app`@`%` IDENTIFIED WITH 'caching_sha2_password' AS '$A$005$' REQUIRE NONE PASSWORD EXPIRE DEFAULT", "caching_sha2_password"},
		{"CREATE USER `app`@`%` IDENTIFIED WITH 'caching_sha2_password' AS <secret> REQUIRE NONE", "caching_sha2_password"},
		{"CREATE USER `a``@``b IDENTIFIED WITH 'x'`@`10.0.0.0/255.0.0.0` IDENTIFIED WITH 'sha256_password' REQUIRE NONE", "sha256_password"},
		// as MySQL 5.7 does
		{"CREATE USER 'app'@'%' IDENTIFIED WITH 'mysql_native_password' AS '*00' REQUIRE NONE", "mysql_native_password"},
		{"CREATE USER `app`@`%` REQUIRE NONE", ""},
		{"CREATE USER `app", ""},
		{"", ""},
	} {
		plugin, err := mysqlPlugin(c.definition)
		if plugin != c.plugin || (err == nil) != (c.plugin != "") {
			t.Errorf("MySQL: %s: got %q, %v", c.definition, plugin, err)
		}
	}
	for _, c := range []struct {
		definition, plugin string
		kind               error
	}{
		// as MariaDB 10.11 answers
		{"CREATE USER `app`@`%` IDENTIFIED BY PASSWORD '*EAD7'", "mysql_native_password", nil},
		{"CREATE USER `ed`@`%` IDENTIFIED VIA ed25519 USING 'UNCu/+4' REQUIRE SSL", "ed25519", nil},
		{"CREATE USER `m`@`%` IDENTIFIED VIA unix_socket OR mysql_native_password USING '*EA'", "mysql_native_password", nil},
		{"CREATE USER `m`@`%` IDENTIFIED VIA ed25519 USING 'a OR b' OR mysql_native_password USING '*EA'", "", rotation.ErrConfig},
		{"CREATE USER `m`@`%` IDENTIFIED VIA mysql_native_password USING '*EA' OR mysql_native_password USING '*EB' WITH MAX_USER_CONNECTIONS 5", "mysql_native_password mysql_native_password", nil},
		{"CREATE USER `s`@`localhost` IDENTIFIED VIA unix_socket", "", rotation.ErrConfig},
		{"CREATE USER `n`@`%`", "", rotation.ErrVendor},
		{"CREATE USER `n`@`%` IDENTIFIED VIA ed25519 USING 'cut", "", rotation.ErrVendor},
	} {
		account, err := parseMariaDB(c.definition)
		if err == nil {
			err = account.check()
		}
		if !errors.Is(err, c.kind) {
			t.Errorf("MariaDB: %s: got %v", c.definition, err)
		}
		if got := strings.Join(account.passwords(), " "); c.kind == nil && got != c.plugin {
			t.Errorf("MariaDB: %s: got %q", c.definition, got)
		}
	}
}

func FuzzDefinition(f *testing.F) {
	f.Add("CREATE USER `a``b`@`%` IDENTIFIED VIA ed25519 USING 'x' OR unix_socket")
	f.Add("CREATE USER 'a'@'%' IDENTIFIED WITH 'p' AS 'v\\'w'")
	f.Fuzz(func(t *testing.T, definition string) {
		if p, err := mysqlPlugin(definition); err == nil && !strings.Contains(definition, p) {
			t.Errorf("made up %q", p)
		}
		account, err := parseMariaDB(definition)
		if err != nil {
			return
		}
		if account.check() == nil && account.passwords()[0] == "" {
			t.Error("no plugin and no error")
		}
		if name := accountName(definition); name == "" || !strings.Contains(definition, name) {
			t.Errorf("made up %q", name)
		}
	})
}

func TestVerifies(t *testing.T) {
	const password = "Rekey-Vector-1"
	for plugin, verifier := range map[string]string{
		nativePlugin:      nativeVerifier(password),
		ed25519Plugin:     ed25519Verifier(password),
		cachingSHA2Plugin: cachingSHA2Verifier(password, newSalt(), 10000),
	} {
		if !verifies(plugin, verifier, password) {
			t.Errorf("%s: its own verifier is not known", plugin)
		}
		if verifies(plugin, verifier, "another") || verifies(plugin, "", password) || verifies("pam", verifier, password) {
			t.Errorf("%s: another's is", plugin)
		}
	}
}

func TestQuoteAccount(t *testing.T) {
	const user, host = "a`b'c\\", "10.%"
	quoted := quoteAccount(user, host)
	if got := accountName("CREATE USER " + quoted + " IDENTIFIED BY PASSWORD '*EA'"); got != quoted {
		t.Errorf("%s reads as %s", quoted, got)
	}
}
