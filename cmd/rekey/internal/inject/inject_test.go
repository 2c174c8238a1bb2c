package inject

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"net/url"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/goccy/go-yaml"
)

// canary is in no message.
const canary = "CANARY-in-a-secret"

// told says whether an error has a part of it, as it is or in base64.
func told(err error) bool {
	for i := range len(canary) - 8 {
		if strings.Contains(err.Error(), canary[i:i+8]) {
			return true
		}
	}
	return strings.Contains(err.Error(), base64.StdEncoding.EncodeToString([]byte(canary[:9])))
}

// vault has secrets by their names, and counts how often each is read.
type vault struct {
	secrets map[string]string
	read    map[string]int
}

func newVault(secrets map[string]string) *vault { return &vault{secrets, map[string]int{}} }

func (v *vault) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	value, ok := v.secrets[*in.SecretId]
	if !ok || in.VersionId != nil || in.VersionStage != nil {
		return nil, &types.ResourceNotFoundException{}
	}
	v.read[*in.SecretId]++
	return &secretsmanager.GetSecretValueOutput{SecretString: &value}, nil
}

func filled(t *testing.T, v *vault, text string) (string, error) {
	t.Helper()
	d, err := newDocument("t", text)
	if err != nil {
		return "", err
	}
	result, err := d.execute(t.Context(), v)
	return string(result), err
}

func testVault() *vault {
	return newVault(map[string]string{"db": `{"user": "app", "password": "` + canary + `", "port": 5432}`, "text": canary})
}

func TestFilledIn(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`no secret`:           "no secret",
		`{{secret "text"}}`:   canary,
		`{{ secret "text" }}`: canary,
		`{{secret "db" "port"}}:{{secret "db" "user"}}`:                           "5432:app",
		"{{secret `db` `user` | json}}":                                           `"app"`,
		`{{json (secret "db" "user")}}`:                                           `"app"`,
		`{{$u := secret "db" "user"}}{{$u}}{{$u}}`:                                "appapp",
		`{{with secret "db" "user"}}{{.}}{{end}}`:                                 "app",
		`{{if eq (secret "db" "user") "app"}}yes{{end}}`:                          "yes",
		`{{define "x"}}<{{secret "db" "user"}}>{{end}}{{template "x"}}`:           "<app>",
		`{{define "x"}}<{{.}}>{{end}}{{template "x" secret "db" "user"}}`:         "<app>",
		`{{range $i := 2}}{{secret "db" "user"}}{{end}}`:                          "appapp",
		`{{printf "%s@%s" (secret "db" "user") (secret "db" "port") | urlquery}}`: "app%405432",
	} {
		if got, err := filled(t, testVault(), text); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", text, got, err, want)
		}
	}
}

// However often a template names a secret, it is one version of it.
func TestReadOnce(t *testing.T) {
	t.Parallel()
	v := testVault()
	if _, err := filled(t, v, `{{secret "db" "user"}}{{secret "db" "port"}}{{range $i := 3}}{{secret "db"}}{{end}}{{if false}}{{secret "text"}}{{end}}`); err != nil {
		t.Fatal(err)
	}
	if v.read["db"] != 1 || v.read["text"] != 1 {
		t.Errorf("read %v", v.read)
	}
}

// What is wrong is told with its place, before anything is fetched where that can be known,
// and never with a value.
func TestRefused(t *testing.T) {
	t.Parallel()
	writtenOut := "written out"
	for text, want := range map[string]struct {
		says   string
		before bool // anything is fetched
	}{
		`{{secret}}`:                                                {writtenOut, true},
		`{{secret ""}}`:                                             {writtenOut, true},
		`{{secret "db" "a" "b"}}`:                                   {writtenOut, true},
		`{{secret (secret "text")}}`:                                {writtenOut, true},
		`{{secret "text" | secret}}`:                                {writtenOut, true},
		`{{"db" | secret}}`:                                         {writtenOut, true},
		`{{$n := "db"}}{{secret $n}}`:                               {writtenOut, true},
		`{{printf "%s" secret}}`:                                    {writtenOut, true},
		`{{if true}}{{else}}{{secret .}}{{end}}`:                    {writtenOut, true},
		`{{define "x"}}{{secret .}}{{end}}`:                         {writtenOut, true},
		`{{range secret .}}{{end}}`:                                 {writtenOut, true},
		`{{(secret 1).Foo}}`:                                        {writtenOut, true},
		"one\ntwo {{secret}}":                                       {"t:2:", true},
		`{{secret "db"`:                                             {"cannot be read", true},
		`{{env "HOME"}}`:                                            {`"env" not defined`, true},
		`{{readFile "/etc/passwd"}}`:                                {"not defined", true},
		`{{.Foo}}`:                                                  {"Foo", false},
		`{{secret "db" "passwort"}}`:                                {`t:1:2: db has no field "passwort": it has "password", "port" and "user"`, false},
		`{{secret "db" "a"}}{{secret "db" "b"}}`:                    {`no field "b"`, false},
		`{{secret "text" "a"}}`:                                     {"text has no fields", false},
		"\n{{secret \"none\"}}":                                     {"t:2:2: reading none: ", false},
		`{{range secret "text"}}{{end}}`:                            {"cannot be filled in", false},
		`{{range secret "db" "password"}}{{end}}`:                   {"cannot be filled in", false},
		`{{(secret "text").Foo}}`:                                   {"cannot be filled in", false},
		`{{secret "text" | call}}`:                                  {"cannot be filled in", false},
		`{{index (secret "text") "a"}}`:                             {"cannot be filled in", false},
		`{{slice (secret "text") 100}}`:                             {"cannot be filled in", false},
		`{{template "none" secret "text"}}`:                         {`"none"`, false},
		`{{range secret "text" | base64}}{{end}}`:                   {"cannot be filled in", false},
		`{{range slice (secret "text") 2 14}}{{end}}`:               {"cannot be filled in", false},
		`{{json (secret "text") 2}}`:                                {"wrong number of args for json", false},
		`{{json (secret "db" "user") "app"}}`:                       {"wrong number of args for json", false},
		`{{slice (secret "text") 10}}{{slice (secret "text") 100}}`: {"t:1:30: ", false},
	} {
		v := testVault()
		_, err := filled(t, v, text)
		if err == nil || !strings.Contains(err.Error(), want.says) {
			t.Errorf("%s: got %v, want %q", text, err, want.says)
			continue
		}
		if told(err) {
			t.Errorf("%s: a value is in the error: %v", text, err)
		}
		if want.before && len(v.read) > 0 {
			t.Errorf("%s: it fetched %v", text, v.read)
		}
	}
}

// Whatever the template, errors hold no value.
func FuzzTemplate(f *testing.F) {
	f.Add(`{{secret "db" "password" | json}}`)
	f.Add(`{{range secret "text"}}{{.}}{{end}}`)
	f.Add(`{{with $x := secret "db"}}{{index $x 0}}{{slice $x 1 2}}{{len $x}}{{$x.Foo}}{{end}}`)
	f.Add(`{{template "x" secret "text"}}{{define "x"}}{{. | call}}{{.A.B}}{{end}}`)
	f.Add(`{{if and (secret "text") (not 1) | or}}{{else if eq (secret "text") 1}}{{end}}{{lt (secret "text") 1}}`)
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "range") && strings.ContainsAny(text, "123456789") {
			t.Skip("may count for hours")
		}
		d, err := newDocument("t", text)
		if err == nil {
			_, err = d.execute(t.Context(), testVault())
		}
		if err != nil && told(err) {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// unquoted are the ways back of quoting.
var unquoted = map[string]func(string) (string, error){
	"json": func(s string) (v string, err error) { err = json.Unmarshal([]byte(s), &v); return v, err },
	"yaml": func(s string) (string, error) {
		var v map[string]string
		err := yaml.Unmarshal([]byte("value: "+s+"\n"), &v)
		return v["value"], err
	},
	"url": func(s string) (string, error) {
		u, err := url.Parse("postgres://user:" + s + "@host/" + s + "?q=" + s + "#" + s)
		if err != nil {
			return "", err
		}
		password, _ := u.User.Password()
		for _, other := range []string{u.Query().Get("q"), u.Fragment, strings.TrimPrefix(u.Path, "/")} {
			if other != password {
				return other, nil
			}
		}
		return password, nil
	},
	"xml": func(s string) (string, error) {
		var v struct {
			Text      string `xml:",chardata"`
			Attribute string `xml:"a,attr"`
		}
		err := xml.Unmarshal([]byte(`<v a="`+s+`">`+s+`</v>`), &v)
		if v.Text != v.Attribute {
			return v.Attribute, err
		}
		return v.Text, err
	},
	"base64": func(s string) (string, error) {
		v, err := base64.StdEncoding.DecodeString(s)
		return string(v), err
	},
}

var awkward = []string{
	"", "plain", `quotes " ' and \ backslash`, "two\nlines\r\n\tand a tab", "ümläut 🔑  \u2028 \x7f \u0085 \ufeff", "a: b # c", "- x", "yes", "{{secret}}",
	"$(rm -rf /) `id` $HOME !!", "%41 & = + ? / : @ # <b> ]]>", "'", `\'`, "\x01\x1b[31m", "0x1F", " leading and trailing ",
}

func FuzzQuoting(f *testing.F) {
	for _, s := range awkward {
		f.Add(s)
	}
	f.Add("\xff\x00")
	f.Fuzz(func(t *testing.T, value string) {
		for name, unquote := range unquoted {
			quoted, err := filledWith(t, value, `{{secret "v" | `+name+`}}`)
			if err != nil {
				if name == "base64" || name == "url" || name != "xml" && utf8.ValidString(value) {
					t.Errorf("%s refuses %q: %v", name, value, err)
				}
				if len(value) > 8 && strings.Contains(err.Error(), value) {
					t.Errorf("%s: the error has the value: %v", name, err)
				}
				continue
			}
			if strings.ContainsAny(quoted, "\n\r") {
				t.Errorf("%s of %q has several lines", name, value)
			}
			if back, err := unquote(quoted); err != nil || back != value {
				t.Errorf("%s of %q is %s, which is read as %q, %v", name, value, quoted, back, err)
			}
		}
	})
}

func filledWith(t *testing.T, value, text string) (string, error) {
	t.Helper()
	return filled(t, newVault(map[string]string{"v": value}), text)
}

// A shell reads back what was quoted for it.
func TestQuoteShell(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("has no POSIX shell")
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range awkward {
		quoted, err := filledWith(t, value, `{{secret "v" | shell}}`)
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), sh, "-c", "printf %s "+quoted).Output()
		if err != nil || string(out) != value {
			t.Errorf("%q is quoted %s and read %q, %v", value, quoted, out, err)
		}
	}
	if _, err := filledWith(t, "a\x00b", `{{secret "v" | shell}}`); err == nil || !strings.Contains(err.Error(), "NUL") {
		t.Errorf("NUL: %v", err)
	}
}
