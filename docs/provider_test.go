package docs_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/declarative"
	"github.com/rekey-aws/rekey/shared/apikey/generated"
	"github.com/rekey-aws/rekey/shared/apikey/iamkey"
	"github.com/rekey-aws/rekey/shared/apikey/providers"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// The page's provider is the file that its commands run, in twenty lines or so.
func TestTheNewProviderIsTheExample(t *testing.T) {
	example, err := os.ReadFile("examples/acme.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks(t, "yaml") {
		if b.page == "docs/adding-a-provider.md" && b.text == string(example) {
			if n := strings.Count(b.text, "\n"); n > 22 {
				t.Errorf("it has %d lines", n)
			}
			return
		}
	}
	t.Error("docs/adding-a-provider.md does not show docs/examples/acme.yaml")
}

// The secrets of vendors that pages show are ones that the function takes.
func TestSecretsOfVendorsAreAccepted(t *testing.T) {
	builtin := generated.Providers(generated.Config{})
	users, err := iamkey.New(func(name string) (string, bool) {
		v, ok := map[string]string{"AWS_REGION": "eu-central-1"}[name]
		return v, ok
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	builtin[iamkey.Name] = users
	d := apikey.Builtin{Providers: builtin, Others: declarative.NewDirectory(declarative.Config{}, providers.Files, os.DirFS("examples"))}
	seen := 0
	for _, b := range blocks(t, "json") {
		var secret struct{ Provider string }
		if !strings.Contains(b.text, `"provider"`) || json.Unmarshal([]byte(b.text), &secret) != nil {
			continue
		}
		p, err := d.Provider(secret.Provider)
		if err != nil {
			t.Errorf("%s: %v", b.page, err)
			continue
		}
		admin := map[string]string{}
		required, _, _ := p.(apikey.Reader).AdminFields()
		for _, name := range required {
			admin[name] = "x"
		}
		text, err := json.Marshal(admin)
		if err != nil {
			t.Fatal(err)
		}
		value := rotation.Value{}
		if len(admin) > 0 {
			value = rotation.TextValue(string(text))
		}
		if _, err := apikey.ReadAccount(d, rotation.TextValue(b.text), value); err != nil {
			t.Errorf("%s: %v", b.page, err)
		}
		seen++
	}
	if seen < 2 {
		t.Errorf("%d secrets of vendors", seen)
	}
}
