package mask

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
	"unicode/utf16"
)

// formsOf are a value, its lines, and how programs write them: all that is long enough.
//
// GitHub's runner masks much the same forms:
// https://github.com/actions/runner/blob/main/src/Runner.Common/HostContext.cs
func formsOf(value string) []string {
	parts := []string{value}
	if strings.ContainsAny(value, "\r\n") {
		lines := strings.FieldsFunc(value, func(r rune) bool { return r == '\r' || r == '\n' })
		for _, line := range lines {
			parts = append(parts, line, strings.TrimSpace(line))
		}
		parts = append(parts, strings.TrimRight(value, "\r\n"), strings.Join(lines, "\n"), strings.Join(lines, "\r\n"))
	}
	var forms []string
	for _, part := range parts {
		if len(part) < Least {
			continue
		}
		forms = append(forms, part)
		forms = append(forms, quoted(part)...)
		forms = append(forms, inURLs(part)...)
		forms = append(forms, inBase64(part)...)
		bits := hex.EncodeToString([]byte(part))
		forms = append(forms, bits, strings.ToUpper(bits))
	}
	forms = slices.DeleteFunc(forms, func(f string) bool { return len(f) < Least })
	slices.Sort(forms)
	return slices.Compact(forms)
}

// quoted are the forms in JSON, in shells and in XML, without quotes around them.
func quoted(s string) []string {
	var plain bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always has a JSON
	inJSON := strings.TrimSuffix(plain.String(), "\n")
	inJSON = inJSON[1 : len(inJSON)-1]
	forHTML, _ := json.Marshal(s)
	return []string{
		inJSON, string(forHTML[1 : len(forHTML)-1]),
		strings.ReplaceAll(inJSON, "/", `\/`), // PHP
		asciiOnly(inJSON),                     // Python
		strings.ReplaceAll(s, `'`, `'\''`), strings.ReplaceAll(s, `'`, `'"'"'`), strings.ReplaceAll(s, `'`, `''`),
		strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(s),
		html.EscapeString(s), strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s),
		strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;").Replace(s),
	}
}

// asciiOnly escapes what is not ASCII as JSON may.
func asciiOnly(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// inURLs are the forms in a query, in a path, and where user and password stand; with hex
// digits of both cases, as libraries differ.
func inURLs(s string) []string {
	query, path := url.QueryEscape(s), url.PathEscape(s)
	forms := []string{
		query, path, strings.ReplaceAll(query, "+", "%20"),
		strings.ReplaceAll(strings.ReplaceAll(query, "+", "%20"), "%2F", "/"),                                      // Python's quote
		strings.NewReplacer("+", "%20", "%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*").Replace(query), // JavaScript's encodeURIComponent
		strings.TrimPrefix(url.UserPassword("", s).String(), ":"),
	}
	for _, form := range forms[:len(forms):len(forms)] {
		forms = append(forms, lowerHex(form))
	}
	return forms
}

// lowerHex writes %2F as %2f.
func lowerHex(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:], bytes.ToLower(b[i+1:i+3]))
		}
	}
	return string(b)
}

// shortestBase64 is how much of a value in the middle of something else in base64 is looked
// for at least: less would be found by chance.
const shortestBase64 = 8

// inBase64 are the forms of a value alone, and of one within something else (such as user and
// password of HTTP's basic authentication): there the characters at its ends depend on what is
// around it and are left out. Long ones also in lines, as programs break them.
func inBase64(s string) []string {
	var forms []string
	for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		alone := alphabet.EncodeToString([]byte(s))
		forms = append(forms, alone, alphabet.WithPadding(base64.StdPadding).EncodeToString([]byte(s)))
		for _, width := range []int{76, 64} { // https://www.rfc-editor.org/rfc/rfc2045#section-6.8 and rfc1421#section-4.3.2.4
			if len(alone) > width {
				for line := range slices.Chunk([]byte(alone), width) {
					if len(line) >= shortestBase64 {
						forms = append(forms, string(line))
					}
				}
			}
		}
		for shift := range 3 {
			// Three bytes make four characters. What shares its three with others is left out.
			before, after := (3-shift)%3, 0
			if len(s) > before {
				after = (len(s) - before) % 3
			}
			if inner := s[min(before, len(s)):]; len(inner)-after > 0 {
				if form := alphabet.EncodeToString([]byte(inner[:len(inner)-after])); len(form) >= shortestBase64 {
					forms = append(forms, form)
				}
			}
		}
	}
	return forms
}
