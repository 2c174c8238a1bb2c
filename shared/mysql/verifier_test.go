package mysql

import (
	"strings"
	"testing"
)

// The vectors were confirmed by logging in to MySQL 9.7 and MariaDB 10.11 and 11.8.
func TestVerifiers(t *testing.T) {
	const password, salt = "Rekey-Vector-1", "ABCDEFGHIJKLMNOPQRST"
	for _, c := range []struct{ name, got, want string }{
		{"native", nativeVerifier(password), "*AEA4F2DAE8AAE9F8C80E02E286ABC1692FAB5BBC"},
		{"ed25519", ed25519Verifier(password), "qLbrLG7MPqy2cu/dJuDdUEPMUZRFWzQEmsCyot8clQk"},
		{"caching_sha2, 5,000 rounds", cachingSHA2Verifier(password, salt, 5000), "$A$005$ABCDEFGHIJKLMNOPQRSTqvlty60fmVSLavnqwFehVfjnnxftiU1MaB/zFDWazn5"},
		{"caching_sha2, 10,000 rounds", cachingSHA2Verifier(password, salt, 10000), "$A$00A$ABCDEFGHIJKLMNOPQRSTk9.Ty4Fs6ldr6fxiHeD65cc7H.HkSgA7ibKWsWAiTj3"},
		{"caching_sha2, long", cachingSHA2Verifier(strings.Repeat("LongPw#9", 12), salt, 5000), "$A$005$ABCDEFGHIJKLMNOPQRSTHnZYmwzPjU6UMxyrwwR7b92f.zt05pLvWHnvXMoOaS3"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, c.got, c.want)
		}
	}
}

func TestSaltsDiffer(t *testing.T) {
	a, b := newSalt(), newSalt()
	if a == b || len(a) != cachingSHA2SaltLength || strings.ContainsAny(a, "$\x00") {
		t.Errorf("salts %q and %q", a, b)
	}
}
