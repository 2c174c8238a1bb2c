package inject

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"net/url"
	"strconv"
	"strings"
	"text/template"
	"unicode/utf8"
)

// quoting are the functions that make a value stand for itself in another language. Their
// errors do not hold it.
var quoting = template.FuncMap{
	"json": quoteJSON, "yaml": quoteYAML, "shell": quoteShell, "url": quoteURL, "xml": quoteXML,
	"base64": func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
}

// quotingError says why a value cannot be quoted, without it.
type quotingError string

func (e quotingError) Error() string { return string(e) }

const errNoText quotingError = "the value is not text in UTF-8: use base64"

// quoteJSON is a string of JSON, which is one of TOML and JavaScript too.
//
// https://www.rfc-editor.org/rfc/rfc8259#section-7
// https://toml.io/en/v1.0.0#string, which takes DEL as \u007F only
func quoteJSON(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", errNoText
	}
	var quoted bytes.Buffer
	enc := json.NewEncoder(&quoted)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return "", errNoText
	}
	return strings.ReplaceAll(strings.TrimSuffix(quoted.String(), "\n"), "\x7f", `\u007F`), nil
}

// quoteYAML is a double-quoted scalar of YAML, whose escapes are those of Go where only ASCII
// is left: https://yaml.org/spec/1.2.2/#57-escaped-characters
func quoteYAML(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", errNoText
	}
	return strconv.QuoteToASCII(s), nil
}

// quoteShell is one word of a POSIX shell:
// https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_02_02
func quoteShell(s string) (string, error) {
	if strings.Contains(s, "\x00") {
		return "", quotingError("the value has a NUL, which no shell can hold: use base64")
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'", nil
}

// quoteURL is right in every part of a URL: all is escaped but letters, digits and -._~ of
// https://www.rfc-editor.org/rfc/rfc3986#section-2.3
func quoteURL(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// quoteXML is right in XML's text and in its attributes.
func quoteXML(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", errNoText
	}
	for _, c := range s {
		// https://www.w3.org/TR/xml/#charsets
		if c < 0x20 && c != '\t' && c != '\n' && c != '\r' || c == 0xFFFE || c == 0xFFFF {
			return "", quotingError("the value has a character that XML cannot hold: use base64")
		}
	}
	var quoted strings.Builder
	err := xml.EscapeText(&quoted, []byte(s))
	return quoted.String(), err
}
