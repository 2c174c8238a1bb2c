package outbound_test

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/shared/apikey/outbound"
)

func TestWhatIsKnownOrLooksLikeAKeyIsHidden(t *testing.T) {
	t.Parallel()
	r := &outbound.Redactor{}
	r.Hide("s3cret value+/", "abc", "-----BEGIN PRIVATE KEY-----\nbWFueSBsaW5lcyBvZiBhIGtleQ==\n-----END PRIVATE KEY-----\n")
	for in, want := range map[string]string{
		"no s3cret value+/ here":                                                   "no [redacted] here",
		"in a URL: " + url.QueryEscape("s3cret value+/"):                           "in a URL: [redacted]",
		"encoded: " + base64.StdEncoding.EncodeToString([]byte("s3cret value+/")):  "encoded: [redacted]",
		"a line: bWFueSBsaW5lcyBvZiBhIGtleQ==":                                     "a line: [redacted]",
		"The key sk-abcdefgh is wrong":                                             "The key [redacted] is wrong",
		"Invalid token: glpat-ABCDEFGHIJ":                                          "Invalid token: [redacted]",
		"got 0123456789abcdef0123456789abcdef":                                     "got [redacted]",
		"AKIAIOSFODNN7EXAMPLE is unknown":                                          "[redacted] is unknown",
		"AbCdEfGhIjKlMnOpQr":                                                       "[redacted]",
		"API key name has already been taken; abc":                                 "API key name has already been taken; abc",
		"The organization's internationalizationConfiguration is not available":    "The organization's internationalizationConfiguration is not available",
		"line one\nline\ttwo\x00\x1b[31m":                                          "line one line two [31m",
		"You exceeded 2 of 2 secrets (E0000001) for 00112233: see docs.vendor.com": "You exceeded 2 of 2 secrets (E0000001) for 00112233: see docs.vendor.com",
	} {
		if got := r.Clean(in); got != want {
			t.Errorf("%q\n got %q\nwant %q", in, got, want)
		}
	}
	if got := r.Clean(strings.Repeat("word ", 1000)); len(got) > 310 {
		t.Errorf("%d bytes are told", len(got))
	}
}

func FuzzRedactor(f *testing.F) {
	f.Add("tell ", "a-secret-of-mine", " me")
	f.Add("", "ßecret \x00\xff", "{}")
	f.Fuzz(func(t *testing.T, before, secret, after string) {
		if len(secret) < 4 || strings.Contains("[redacted]…", secret) {
			t.Skip()
		}
		r := &outbound.Redactor{}
		r.Hide(secret)
		if got := r.Strip(before + secret + after); strings.Contains(got, secret) {
			t.Errorf("%q is in %q", secret, got)
		}
	})
}
