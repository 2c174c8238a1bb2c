package main

import (
	"encoding/hex"
	"strings"
)

// kind is what a token is.
type kind int

const (
	word   kind = iota // keyword or bare name
	name               // `quoted name`
	text               // 'string' or "string"
	binary             // 0x… or x'…'
	sign               // one punctuation character
)

// token is one part of a statement, with its place in it.
type token struct {
	kind       kind
	value      string // strings unescaped, numbers decoded, words as they came
	start, end int
}

// is tells whether the token is the keyword or sign.
func (t token) is(s string) bool {
	return (t.kind == word || t.kind == sign) && strings.EqualFold(t.value, s)
}

// scan takes a statement apart as MySQL does in its default sql_mode: backslash
// escapes, "…" is a string. Comments and space are left out. A quote that is never
// closed takes the rest.
func scan(query string) []token {
	var tokens []token
	for at := 0; at < len(query); {
		if next := skipSpace(query, at); next > at {
			at = next
			continue
		}
		t := next(query, at)
		tokens = append(tokens, t)
		at = t.end
	}
	return tokens
}

// skipSpace returns the place after a run of space or one comment.
func skipSpace(query string, at int) int {
	rest := query[at:]
	until := func(mark string) int {
		if i := strings.Index(rest, mark); i >= 0 {
			return at + i + len(mark)
		}
		return len(query)
	}
	switch {
	case strings.ContainsRune(" \t\r\n\f\v", rune(rest[0])):
		return at + 1
	case strings.HasPrefix(rest, "/*") && !strings.HasPrefix(rest, "/*!"):
		return until("*/")
	case rest[0] == '#', strings.HasPrefix(rest, "-- "), rest == "--":
		return until("\n")
	}
	return at
}

func next(query string, at int) token {
	switch c := query[at]; {
	case c == '\'' || c == '"':
		value, end := quoted(query, at, true)
		return token{text, value, at, end}
	case c == '`':
		value, end := quoted(query, at, false)
		return token{name, value, at, end}
	case (c == 'x' || c == 'X') && at+1 < len(query) && query[at+1] == '\'':
		digits, end := quoted(query, at+1, false)
		return token{binary, decode(digits), at, end}
	case isWordByte(c):
		end := at
		for end < len(query) && isWordByte(query[end]) {
			end++
		}
		if digits, ok := strings.CutPrefix(query[at:end], "0x"); ok {
			return token{binary, decode(digits), at, end}
		}
		return token{word, query[at:end], at, end}
	default:
		return token{sign, string(c), at, at + 1}
	}
}

func isWordByte(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// decode returns no bytes for what is no hexadecimal number: nothing matches that.
func decode(digits string) string {
	decoded, err := hex.DecodeString(digits)
	if err != nil {
		return ""
	}
	return string(decoded)
}

// quoted reads what is between two quotes. A doubled quote stands for one.
func quoted(query string, at int, backslash bool) (string, int) {
	quote := query[at]
	var value strings.Builder
	for i := at + 1; i < len(query); i++ {
		switch c := query[i]; {
		case c == '\\' && backslash && i+1 < len(query):
			i++
			value.WriteString(unescape(query[i]))
		case c == quote && i+1 < len(query) && query[i+1] == quote:
			i++
			value.WriteByte(quote)
		case c == quote:
			return value.String(), i + 1
		default:
			value.WriteByte(c)
		}
	}
	return value.String(), len(query)
}

// unescape is https://dev.mysql.com/doc/refman/8.0/en/string-literals.html, table 9.1.
func unescape(c byte) string {
	switch c {
	case '0':
		return "\x00"
	case 'b':
		return "\b"
	case 'n':
		return "\n"
	case 'r':
		return "\r"
	case 't':
		return "\t"
	case 'Z':
		return "\x1a"
	case '%', '_': // kept for LIKE
		return `\` + string(c)
	}
	return string(c)
}
