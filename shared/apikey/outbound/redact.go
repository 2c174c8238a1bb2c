package outbound

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// hidden stands where something secret was.
const hidden = "[redacted]"

// maxText is how much of a vendor's words is told, in bytes.
const maxText = 300

// Redactor takes what is secret out of what a vendor says. The zero value knows
// no secret, and finds what looks like one all the same.
type Redactor struct {
	known []string
}

// Hide adds secrets to look for, in the forms in which they travel: as they are,
// in URLs, in JSON, in Base64.
func (r *Redactor) Hide(secrets ...string) {
	for _, s := range secrets {
		if len(s) < 4 {
			continue // would take words apart; and is no secret
		}
		inJSON, _ := json.Marshal(s)
		forms := []string{
			s, url.QueryEscape(s), url.PathEscape(s), strings.Trim(string(inJSON), `"`),
			base64.StdEncoding.EncodeToString([]byte(s)), base64.URLEncoding.EncodeToString([]byte(s)),
			base64.RawStdEncoding.EncodeToString([]byte(s)), base64.RawURLEncoding.EncodeToString([]byte(s)),
		}
		// Of secrets with several lines, such as private keys, each line.
		for line := range strings.Lines(s) {
			if line = strings.TrimSpace(line); len(line) >= 16 {
				forms = append(forms, line)
			}
		}
		r.known = append(r.known, forms...)
	}
	// The longest first, so that none leaves the rest of another.
	slices.SortFunc(r.known, func(a, b string) int { return len(b) - len(a) })
	r.known = slices.Compact(r.known)
}

// keyLike are words that may be keys: known prefixes, and long words that mix
// letters and digits. Compiled when they are needed: a function's start is waited for.
var (
	prefixed = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\b(sk|pk|rk|ak|xox[a-z]|xapp|gh[a-z]|github_pat|glpat|glptt|npm|shpat|dop_v1|AKIA|ASIA|AIza|ya29|eyJ|SG|NRAK|NRII|ddapp|Bearer|Basic|SSWS)[-_. ][A-Za-z0-9._~+/=-]{6,}|\b(AKIA|ASIA|AIza|eyJ)[A-Za-z0-9._~+/=-]{8,}`)
	})
	long = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[A-Za-z0-9_~+/=-]{16,}`) })
)

// Clean is text without secrets, on one line, of at most 300 bytes.
func (r *Redactor) Clean(text string) string {
	text = r.Strip(text)
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, ""), func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) }), " ")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}

// Strip is text without secrets, otherwise as it is.
func (r *Redactor) Strip(text string) string {
	for _, s := range r.known {
		text = strings.ReplaceAll(text, s, hidden)
	}
	text = prefixed().ReplaceAllString(text, hidden)
	return long().ReplaceAllStringFunc(text, func(word string) string {
		if looksLikeKey(word) {
			return hidden
		}
		return word
	})
}

// looksLikeKey tells words of 16 characters or more whose digits and letters, or
// capitals and small letters, alternate more than words of a language do.
func looksLikeKey(word string) bool {
	const digit, small, capital = 1, 2, 3
	digits, mixed, cases, last := 0, 0, 0, 0
	for _, c := range word {
		kind := 0
		switch {
		case c >= '0' && c <= '9':
			digits++
			kind = digit
		case c >= 'a' && c <= 'z':
			kind = small
		case c >= 'A' && c <= 'Z':
			kind = capital
		}
		switch {
		case kind == 0 || last == 0 || kind == last:
		case kind == digit || last == digit:
			mixed++
		default:
			cases++
		}
		last = kind
	}
	return mixed >= 2 || cases >= 6 || digits >= 16
}
