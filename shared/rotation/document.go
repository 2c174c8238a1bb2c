package rotation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Document is a secret whose value is one JSON object, as all database secrets
// and most others are. Changing a field keeps every other byte as it was:
// unknown keys, their order, numbers and white space are the user's. Like a
// [Value], it prints as [redacted].
type Document struct {
	value  Value
	fields map[string]field
}

// field is where the value of one key stands in the text.
type field struct {
	raw   json.RawMessage
	start int
	end   int
}

// ParseDocument reads v as one JSON object without repeated keys. Errors are
// ErrConfig and never quote the content.
func ParseDocument(v Value) (Document, error) {
	if v.Binary() {
		return Document{}, badDocument("it is stored as SecretBinary", "Store it as SecretString: a JSON object.")
	}
	text := v.Reveal()
	if !utf8.ValidString(text) {
		return Document{}, badDocument("it is not valid UTF-8", "Store a JSON object, encoded as UTF-8.")
	}
	dec := json.NewDecoder(strings.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return Document{}, badDocument("it is not a JSON object", `Store a JSON object such as {"engine": …, "host": …, "username": …, "password": …}.`)
	}
	doc := Document{value: v, fields: map[string]field{}}
	for dec.More() {
		name, f, err := doc.next(dec)
		if err != nil {
			return Document{}, err
		}
		if _, twice := doc.fields[name]; twice {
			return Document{}, badDocument(fmt.Sprintf("the key %q appears twice", clip(name, 64)), "Keep one of the two.")
		}
		doc.fields[name] = f
	}
	if _, err := dec.Token(); err != nil {
		return Document{}, malformed(dec)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Document{}, badDocument(fmt.Sprintf("something follows the JSON object at byte %d", dec.InputOffset()), "Store exactly one JSON object.")
	}
	return doc, nil
}

// next reads one key and its value.
func (d Document) next(dec *json.Decoder) (string, field, error) {
	key, err := dec.Token()
	if err != nil {
		return "", field{}, malformed(dec)
	}
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return "", field{}, malformed(dec)
	}
	end := int(dec.InputOffset())
	return key.(string), field{raw: raw, start: end - len(raw), end: end}, nil
}

// Format redacts the document under every verb of package fmt.
func (d Document) Format(f fmt.State, _ rune) { redact(f) }

// Raw returns the JSON text of a key's value, and whether the key is there.
func (d Document) Raw(key string) (json.RawMessage, bool) {
	f, ok := d.fields[key]
	return f.raw, ok
}

// Has reports whether a key is there with a value that is not null.
func (d Document) Has(key string) bool {
	raw, there := d.Raw(key)
	return there && string(raw) != "null"
}

// With returns the value of the document with the string under an existing key
// replaced. ErrConfig if there is no such key.
func (d Document) With(key, value string) (Value, error) {
	f, ok := d.fields[key]
	if !ok {
		return Value{}, badDocument(fmt.Sprintf("it has no key %q", key), fmt.Sprintf("Add %q to the secret.", key))
	}
	text := d.value.Reveal()
	return TextValue(text[:f.start] + quote(value) + text[f.end:]), nil
}

// Set returns the document with a string under a key, which is replaced if it is
// there and comes last if it is not.
func (d Document) Set(key, value string) (Document, error) {
	v, err := d.With(key, value)
	if _, there := d.fields[key]; !there {
		text := d.value.Reveal()
		end := strings.LastIndexByte(text, '}')
		body := strings.TrimRight(text[:end], " \t\r\n")
		separator := ","
		if len(d.fields) == 0 {
			separator = ""
		}
		v, err = TextValue(body+separator+quote(key)+":"+quote(value)+text[len(body):]), nil
	}
	if err != nil {
		return Document{}, err
	}
	return ParseDocument(v)
}

// Value is the whole document as it is stored.
func (d Document) Value() Value { return d.value }

// quote is a JSON string. Strings always have one.
func quote(s string) string {
	var quoted bytes.Buffer
	enc := json.NewEncoder(&quoted)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s)
	return strings.TrimSuffix(quoted.String(), "\n")
}

// malformed names the place and not the content: the decoder's own message
// quotes the character that it stumbled on.
func malformed(dec *json.Decoder) error {
	return badDocument(fmt.Sprintf("the JSON is malformed near byte %d", dec.InputOffset()), "Store a valid JSON object; check it with a JSON parser.")
}

func badDocument(reason, remedy string) error {
	return WithHint(fmt.Errorf("reading the secret's value: %s: %w", reason, ErrConfig), remedy)
}
