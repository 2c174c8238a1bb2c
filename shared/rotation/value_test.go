package rotation_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rekey-aws/rekey/shared/rotation"
)

func TestSecretsRedactThemselves(t *testing.T) {
	const plain = "s3cret-plaintext"
	document, err := rotation.ParseDocument(rotation.TextValue(`{"password":"` + plain + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	hidden := struct{ v rotation.Value }{rotation.TextValue(plain)}
	for _, secret := range []any{
		document, hidden, &hidden,
		rotation.TextValue(plain), rotation.BinaryValue([]byte(plain)), rotation.RotationToken(plain),
		rotation.Stored{Value: rotation.TextValue(plain)},
		rotation.Rotation{RotationToken: plain},
		rotation.Event{RotationToken: plain},
		&rotation.Stored{Value: rotation.TextValue(plain)},
	} {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
			fmt.Fprintf(&out, verb+"\n", secret)
		}
		fmt.Fprintln(&out, secret)
		j, err := json.Marshal(secret)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(j)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "secret", secret)
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "secret", secret)
		for _, leak := range []string{plain, fmt.Sprintf("%x", plain), fmt.Sprintf("%X", plain), fmt.Sprint([]byte(plain))} {
			if strings.Contains(out.String(), leak) {
				t.Errorf("%T leaks as %q:\n%s", secret, leak, out.String())
			}
		}
	}
}

func TestDocumentKeepsEveryOtherByte(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"spaced", "{ \"password\" :\t\"old\" , \"n\": 1.0e5,\"z\":{\"password\":\"inner\"} }\n", "{ \"password\" :\t\"n<\\\"w\" , \"n\": 1.0e5,\"z\":{\"password\":\"inner\"} }\n"},
		{"escaped key", `{"pass\u0077ord":"old"}`, `{"pass\u0077ord":"n<\"w"}`},
		{"big number", `{"id":123456789012345678901234567890,"password":"old"}`, `{"id":123456789012345678901234567890,"password":"n<\"w"}`},
		{"unicode", `{"ключ":"ü😀","password":"ö"}`, `{"ключ":"ü😀","password":"n<\"w"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := rotation.ParseDocument(rotation.TextValue(c.in))
			if err != nil {
				t.Fatal(err)
			}
			v, err := d.With("password", `n<"w`)
			if err != nil {
				t.Fatal(err)
			}
			if v.Reveal() != c.want {
				t.Errorf("got  %s\nwant %s", v.Reveal(), c.want)
			}
		})
	}
}

func TestDocumentSet(t *testing.T) {
	for in, want := range map[string]string{
		`{"id":"1"}`:             `{"id":"n<\"w"}`,
		`{}`:                     `{"id":"n<\"w"}`,
		"{ }\n":                  "{\"id\":\"n<\\\"w\" }\n",
		"{\n  \"a\": [1, {}]\n}": "{\n  \"a\": [1, {}],\"id\":\"n<\\\"w\"\n}",
		`{"a":"}"} `:             `{"a":"}","id":"n<\"w"} `,
	} {
		d, err := rotation.ParseDocument(rotation.TextValue(in))
		if err != nil {
			t.Fatal(err)
		}
		d, err = d.Set("id", `n<"w`)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Value().Reveal(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestMalformedDocuments(t *testing.T) {
	for name, v := range map[string]rotation.Value{
		"empty": rotation.TextValue(""), "a word": rotation.TextValue("plaintext"), "a string": rotation.TextValue(`"plaintext"`),
		"an array": rotation.TextValue(`["plaintext"]`), "cut": rotation.TextValue(`{"password":"plaintext`),
		"trailing": rotation.TextValue(`{"a":1} plaintext`), "two": rotation.TextValue(`{"a":1}{"a":"plaintext"}`),
		"twice": rotation.TextValue(`{"password":"a","pass\u0077ord":"plaintext"}`), "no colon": rotation.TextValue(`{"a" "plaintext"}`),
		"bare key": rotation.TextValue(`{plaintext:1}`), "bad utf-8": rotation.TextValue("{\"a\":\"\xff\"}"),
		"binary": rotation.BinaryValue([]byte(`{"a":1}`)), "trailing comma": rotation.TextValue(`{"a":1,}`),
	} {
		_, err := rotation.ParseDocument(v)
		if !errors.Is(err, rotation.ErrConfig) {
			t.Errorf("%s: %v, want a configuration error", name, err)
			continue
		}
		if strings.Contains(err.Error(), "plaintext") {
			t.Errorf("%s: the error quotes the secret: %v", name, err)
		}
		if rotation.Hint(err) == "" {
			t.Errorf("%s: no hint", name)
		}
	}
}

func FuzzDocument(f *testing.F) {
	f.Add(`{"password":"old","a":[1,{"b":null}]}`, "new")
	f.Add(`{ "x" : 1 , "password":{}}`, "\"\\\u2028<>&")
	f.Fuzz(func(t *testing.T, text, password string) {
		d, err := rotation.ParseDocument(rotation.TextValue(text))
		if err != nil || !utf8.ValidString(password) {
			return
		}
		v, err := d.With("password", password)
		if err != nil {
			return
		}
		var before, after map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &before); err != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", err)
		}
		if err := json.Unmarshal([]byte(v.Reveal()), &after); err != nil {
			t.Fatalf("wrote malformed JSON: %v", err)
		}
		for k, raw := range before {
			if k != "password" && !bytes.Equal(raw, after[k]) {
				t.Fatalf("key %q changed", k)
			}
		}
		var got string
		if err := json.Unmarshal(after["password"], &got); err != nil || got != password {
			t.Fatalf("password reads back as %q, %v", got, err)
		}
	})
}
