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
		{"CREATE USER `s`@`localhost` IDENTIFIED VIA unix_socket", "", rotation.ErrConfig},
		{"CREATE USER `n`@`%`", "", rotation.ErrVendor},
		{"CREATE USER `n`@`%` IDENTIFIED VIA ed25519 USING 'cut", "", rotation.ErrVendor},
	} {
		plugin, err := mariadbPlugin(c.definition)
		if plugin != c.plugin || !errors.Is(err, c.kind) {
			t.Errorf("MariaDB: %s: got %q, %v", c.definition, plugin, err)
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
		if p, err := mariadbPlugin(definition); err == nil && p == "" {
			t.Error("no plugin and no error")
		}
	})
}
