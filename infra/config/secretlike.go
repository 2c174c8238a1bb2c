package config

import (
	"fmt"
	"regexp"
	"strconv"
	"unicode"
)

// What is a credential by its look: prefixes that vendors gave their keys so that scanners
// find them, private keys, tokens, addresses with a password or a capability in them.
var secretLike = regexp.MustCompile(`(?i)` +
	`\b(AKIA|ASIA)[A-Z0-9]{16}\b` +
	`|\b(gh[opsur]_|github_pat_|glpat-|xox[abeprs]-|sk_live_|rk_live_|sk-ant-|sk-proj-|SG\.|npm_|dop_v1_|shpat_|ya29\.)[A-Za-z0-9_-]{8,}` +
	`|-----BEGIN [A-Z ]*PRIVATE KEY` +
	`|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.` +
	`|hooks\.slack\.com/(services|workflows|triggers)/` +
	`|\.webhook\.office\.com/|\.logic\.azure\.com[:/]|\.powerplatform\.com[:/]` +
	`|^[^/\s:@]+:[^/\s@]+@|://[^/\s:@]+:[^/\s@]+@`)

// What a key is called that holds one.
var secretKey = regexp.MustCompile(`(?i)(password|passwd|passphrase|secret|token|private_?-?key|api_?-?key|access_?-?key|routing_?-?key|credentials?|webhook_?-?url)$`)

const notHere = "keep it in Secrets Manager, and name its ARN here where one is asked for. If this file was shared, change the credential"

// findSecrets refuses what looks like a secret. It is never shown.
func (t *tree) findSecrets(at path, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, member := range v {
			below := at.to(key)
			if _, isText := member.(string); isText && secretKey.MatchString(key) && !takesReference(at, key) {
				t.add(below, "no secret stands in this file", notHere)
				continue
			}
			t.findSecrets(below, member)
		}
	case []any:
		for i, member := range v {
			t.findSecrets(at.to(strconv.Itoa(i)), member)
		}
	case string:
		if looksSecret(at, v) {
			t.add(at, "this looks like a secret, and no secret stands in this file", notHere)
		}
	}
}

// takesReference: the key is one of ours, for the ARN of a secret.
func takesReference(at path, key string) bool {
	return key == "secret" && !freeText(at)
}

func looksSecret(at path, v string) bool {
	return secretLike.MatchString(v) || freeText(at) && random(v)
}

// freeText: the file says nothing of what the value looks like.
func freeText(at path) bool {
	for _, step := range at {
		if step == "settings" || step == "tags" || step == "description" {
			return true
		}
	}
	return false
}

// random: one word as a generator makes it, not as a person does.
func random(v string) bool {
	if len(v) < 24 {
		return false
	}
	upper, lower, digit := 0, 0, 0
	for _, c := range v {
		switch {
		case unicode.IsUpper(c):
			upper++
		case unicode.IsLower(c):
			lower++
		case unicode.IsDigit(c):
			digit++
		case c != '+' && c != '/' && c != '=' && c != '_' && c != '-':
			return false
		}
	}
	return upper > 3 && lower > 3 && digit > 1
}

// quoted shows a value in an error, if it may be shown.
func quoted(at path, v any) string {
	text, isText := v.(string)
	if !isText {
		return fmt.Sprint(v)
	}
	if secretLike.MatchString(text) || random(text) || freeText(at) || len(text) > 100 {
		return "this value"
	}
	return strconv.Quote(text)
}
