package demo

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
)

// noPasswordIn searches a text for both passwords. So that an empty text proves nothing, it
// must hold a word that is known to be written there, as often as given.
func (e *evidence) noPasswordIn(name, place, text, word string, times int) check {
	c := check{Name: noPassword + "in_" + name, Claim: "no password in the " + place}
	switch {
	case strings.Count(text, word) < times:
		c.Found = "it does not tell of the rotation, so it proves nothing"
	case holds(text, e.newPassword):
		c.Found = "the new password is in it"
	case holds(text, e.oldPassword):
		c.Found = "the old password is in it"
	default:
		c.OK, c.Found = true, terminal.Count(strings.Count(text, "\n"), "line")
	}
	return c
}

// noPassword begins the names of the checks that search for passwords.
const noPassword = "no_password_"

// unreadable searches what went over the wire. A connection without TLS would begin with the
// user's name as it is.
func (e *evidence) unreadable() check {
	c := check{Name: noPassword + "on_wire", Claim: "no password on the wire"}
	switch {
	case len(e.wire) < 1000:
		c.Found = "hardly anything went over it, so it proves nothing"
	case holds(e.wire, e.newPassword), holds(e.wire, e.oldPassword):
		c.Found = "a password is readable"
	case strings.Contains(e.wire, e.user):
		c.Found = "the user's name is, so TLS was not used"
	default:
		c.OK, c.Found = true, fmt.Sprintf("encrypted, %d bytes", len(e.wire))
	}
	return c
}

// holds reports whether a text has a secret in it, in any form that a log may give it. An
// empty one is nowhere.
func holds(text, secret string) bool {
	if secret == "" {
		return false
	}
	for _, form := range forms(secret) {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

func forms(secret string) []string {
	quoted, _ := json.Marshal(secret) // a string always marshals
	var plain strings.Builder
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(secret)
	inHex := hex.EncodeToString([]byte(secret))
	return append(inBase64(secret),
		secret,
		string(quoted[1:len(quoted)-1]),
		strings.TrimSuffix(strings.TrimPrefix(plain.String(), `"`), "\"\n"),
		strings.ReplaceAll(secret, "'", "''"),
		strings.ReplaceAll(secret, `\`, `\\`),
		url.QueryEscape(secret), url.PathEscape(secret),
		inHex, strings.ToUpper(inHex),
	)
}

// inBase64 is how a secret looks inside a longer text that was encoded: in one of three ways,
// after where it begins. The characters at its ends depend on what is around it and are left
// out; of a secret that is too short nothing telling remains.
func inBase64(secret string) []string {
	if len(secret) < 8 {
		return nil
	}
	var all []string
	for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			encoded := alphabet.EncodeToString(append(make([]byte, shift), secret...))
			all = append(all, encoded[4*min(shift, 1):len(encoded)-2])
		}
	}
	return all
}
