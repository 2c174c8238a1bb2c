package mysql

import (
	"strings"
	"testing"
)

func TestSettingsOfADefinition(t *testing.T) {
	const start = "CREATE USER `app`@`%` IDENTIFIED WITH 'caching_sha2_password' AS '$A$005$PASSWORD HISTORY 9' REQUIRE SUBJECT 'FAILED_LOGIN_ATTEMPTS 7' "
	for _, c := range []struct {
		definition, words string
		want              int
	}{
		{start + "PASSWORD HISTORY DEFAULT PASSWORD REUSE INTERVAL DEFAULT", "PASSWORD HISTORY", 0},
		{start + "PASSWORD HISTORY 5 PASSWORD REUSE INTERVAL 2 DAY", "PASSWORD HISTORY", 5},
		{start + "PASSWORD HISTORY 5 PASSWORD REUSE INTERVAL 2 DAY", "PASSWORD REUSE INTERVAL", 2},
		{start + "PASSWORD REQUIRE CURRENT DEFAULT FAILED_LOGIN_ATTEMPTS 3 PASSWORD_LOCK_TIME UNBOUNDED", "FAILED_LOGIN_ATTEMPTS", 3},
		{start + "ACCOUNT UNLOCK", "FAILED_LOGIN_ATTEMPTS", 0},
		{start + "COMMENT 'it''s \\' FAILED_LOGIN_ATTEMPTS 4'", "FAILED_LOGIN_ATTEMPTS", 0},
		{"CREATE USER `FAILED_LOGIN_ATTEMPTS 8`@`%`", "FAILED_LOGIN_ATTEMPTS", 0},
		{"", "FAILED_LOGIN_ATTEMPTS", 0},
	} {
		if got := setting(c.definition, c.words); got != c.want {
			t.Errorf("%s of %s: %d, want %d", c.words, c.definition, got, c.want)
		}
	}
}

// Whatever stands in quotes is not taken for a setting.
func FuzzUnquoted(f *testing.F) {
	for _, inside := range []string{"", "FAILED_LOGIN_ATTEMPTS 5", `\`, "'", "`", `it''s`, "\x00", "é"} {
		f.Add(inside)
	}
	f.Fuzz(func(t *testing.T, inside string) {
		definition := "CREATE USER " + quoteAccount(inside, "%") + " IDENTIFIED WITH 'x' AS " + quote(inside) + " PASSWORD HISTORY 3"
		if got := unquoted(definition); got != "CREATE USER @ IDENTIFIED WITH  AS  PASSWORD HISTORY 3" {
			t.Errorf("%q: %q", inside, got)
		}
		_ = unquoted(inside) // it ends
		if strings.ContainsAny(unquoted(definition), "'`") {
			t.Error("a quote is left")
		}
	})
}
