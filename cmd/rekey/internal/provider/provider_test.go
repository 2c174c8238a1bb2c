package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/local/vendorapi"
	"github.com/rekey-aws/rekey/shared/apikey/apikeytest"
	"github.com/rekey-aws/rekey/shared/apikey/outbound"
)

const examples = "../../../../docs/examples/"

// try runs a command and returns what it printed.
func try(t *testing.T, c TestCommand) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := c.Run(t.Context(), &out, terminal.Plain(&out))
	return out.String(), err
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRecordings(t *testing.T) {
	t.Parallel()
	out, err := try(t, TestCommand{File: examples + "acme.yaml", Recording: examples + "acme.recording.yaml", Verbose: true})
	if err != nil || strings.Count(out, "ok   ") != 9 || !strings.Contains(out, "Authorization: Bearer [redacted]") || strings.Contains(out, "made-up-") {
		t.Errorf("%v\n%s", err, out)
	}
	for name, c := range map[string]struct{ file, recording, says string }{
		"path":      {"path: /me", "", "the file asks for GET https://api.acme.example/v1/who"},
		"body":      {"scopes: [metrics]", "", "another value at body.scopes"},
		"header":    {"", "Bearer made-up-key-2", "another header Authorization"},
		"too short": {"", "status: 404", "FAIL revoke it once more"},
		"not there": {"", "{id: k-2, name: rekey-provider-test}", "the list does not have it"},
		"misnamed":  {"", "rekey-provider-test}", "under another name"},
		"too much":  {"revoke:\n  - {method: DELETE, path: \"/keys/${.id}\"}\n", "", "nobody asked for"},
	} {
		t.Run(name, func(t *testing.T) {
			file, recording := read(t, examples+"acme.yaml"), read(t, examples+"acme.recording.yaml")
			to := map[string]string{"path": "path: /who", "body": "scopes: [logs]", "header": "Bearer other", "too short": "status: 500", "not there": "{id: k-3}", "misnamed": "x}"}[name]
			if c.file != "" {
				file = strings.Replace(file, c.file, to, 1)
			}
			if c.recording != "" {
				recording = strings.Replace(recording, c.recording, to, 1)
			}
			out, err := try(t, TestCommand{File: write(t, "acme.yaml", file), Recording: write(t, "r.yaml", recording)})
			if err == nil || !strings.Contains(out+err.Error(), c.says) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// direct is a vendor without a network.
type direct struct{ account *vendorapi.Account }

func (d direct) Do(_ context.Context, r *http.Request) (outbound.Answer, error) {
	answer, err := d.account.RoundTrip(r)
	if err != nil {
		return outbound.Answer{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return outbound.Answer{Status: answer.StatusCode, Header: answer.Header, Body: body}, err
}

// On a vendor: what was issued is gone afterwards, nothing secret is told, and the
// recording can be played.
func TestOnAVendor(t *testing.T) {
	t.Parallel()
	c := apikeytest.Cases[slices.IndexFunc(apikeytest.Cases, func(c apikeytest.Case) bool { return c.Provider == "datadog" })]
	// The vendor's clock runs fast: its keys take a while to work.
	began := time.Now()
	account := vendorapi.Vendors()["datadog"].Open(func() time.Time { return began.Add(100 * time.Since(began)) })
	first := account.Mint("made by hand")
	secret, admin := c.Document(account, first).Reveal(), c.AdminDocument(account).Reveal()
	tape := filepath.Join(t.TempDir(), "recording.yaml")
	var told string
	for _, asJSON := range []bool{true, false} {
		out, err := try(t, TestCommand{
			File: "datadog", Secret: write(t, "secret.json", secret), Admin: write(t, "admin.json", admin),
			Issue: true, Record: tape, Verbose: true, JSON: asJSON, vendor: direct{account},
		})
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if asJSON {
			for line := range strings.Lines(out) {
				if !json.Valid([]byte(line)) {
					t.Errorf("no JSON: %s", line)
				}
			}
		}
		told += out
	}
	if live := account.Live(); len(live) != 1 || live[0].ID != first.ID || len(account.Keys()) != 3 {
		t.Errorf("live: %v", live)
	}
	told += read(t, tape)
	var members map[string]string
	if err := json.Unmarshal([]byte(admin), &members); err != nil {
		t.Fatal(err)
	}
	for _, k := range account.Keys() {
		members[k.ID] = k.Secret
	}
	for name, v := range members {
		if name != "site" && strings.Contains(told, v) {
			t.Errorf("%s was told", name)
		}
	}
	out, err := try(t, TestCommand{File: "datadog", Recording: tape})
	if err != nil || !strings.Contains(out, "issue a key") {
		t.Errorf("replayed: %v\n%s", err, out)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	secret := write(t, "s.json", `{"provider": "gitlab", "token": "x"}`)
	for says, c := range map[string]TestCommand{
		"no provider \"nobody\"":     {File: "nobody"},
		"no such file":               {File: "./nowhere.yaml"},
		"need --secret":              {File: "datadog", Issue: true},
		"one of --secret and":        {File: "datadog", Secret: "-", Admin: "-"},
		"the file is about":          {File: "datadog", Secret: secret},
		"broken.yaml:1: provider":    {File: write(t, "broken.yaml", "provider: 1\n")},
		"needs secret and exchanges": {File: "datadog", Recording: write(t, "r.yaml", "secret: {a: b}\n")},
		"unknown field":              {File: "datadog", Recording: write(t, "r.yaml", "secrets: {a: b}\n")},
	} {
		out, err := try(t, c)
		if err == nil || !strings.Contains(out+err.Error(), says) {
			t.Errorf("%s: %v\n%s", says, err, out)
		}
	}
}

// A key that ends the old one is not issued for a try.
func TestKeysThatWouldEndTheOldOne(t *testing.T) {
	t.Parallel()
	c := apikeytest.Cases[slices.IndexFunc(apikeytest.Cases, func(c apikeytest.Case) bool { return c.Provider == "gitlab" })]
	account := vendorapi.Vendors()["gitlab"].Open(time.Now)
	first := account.Mint("made by hand")
	out, err := try(t, TestCommand{File: "gitlab", Secret: write(t, "s.json", c.Document(account, first).Reveal()), Issue: true, vendor: direct{account}})
	if err == nil || !strings.Contains(err.Error(), "would end the key") || !account.Works(first.Secret) {
		t.Errorf("%v\n%s", err, out)
	}
}

// Without a vendor the file is explained.
func TestOutline(t *testing.T) {
	t.Parallel()
	out, err := try(t, TestCommand{File: "fastly"})
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"list ", "before ", "issue ", "check ", "revoke "} {
		if !strings.Contains(out, "\n  "+what) {
			t.Errorf("it does not tell %q:\n%s", what, out)
		}
	}
}

func TestListAndShow(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := (&ListCommand{JSON: true}).Run(&out, terminal.Plain(&out)); err != nil || !json.Valid(out.Bytes()) || !strings.Contains(out.String(), `"provider": "okta"`) || !strings.Contains(out.String(), `"provider": "aws-iam"`) {
		t.Errorf("%v\n%s", err, &out)
	}
	out.Reset()
	if err := (&ListCommand{}).Run(&out, terminal.Plain(&out)); err != nil || !strings.Contains(out.String(), "gitlab                     replace ") {
		t.Errorf("%v\n%s", err, &out)
	}
	out.Reset()
	if err := (&ShowCommand{Name: "okta"}).Run(&out); err != nil || !strings.Contains(out.String(), "provider: okta") {
		t.Errorf("%v\n%s", err, &out)
	}
	if err := (&ShowCommand{Name: "aws-iam"}).Run(&out); err == nil || !strings.Contains(err.Error(), "is a program") {
		t.Errorf("aws-iam: %v", err)
	}
	if err := (&ShowCommand{Name: "../okta"}).Run(&out); err == nil {
		t.Error("a path was taken for a name")
	}
}

// unreliable loses what comes back of some requests.
type unreliable struct {
	direct
	loses func(*http.Request) bool
}

func (u unreliable) Do(ctx context.Context, r *http.Request) (outbound.Answer, error) {
	answer, err := u.direct.Do(ctx, r)
	if u.loses(r) {
		return outbound.Answer{Status: http.StatusBadRequest}, nil
	}
	return answer, err
}

// A key that was issued does not outlive a try that fails.
func TestATryThatFailsCleansUp(t *testing.T) {
	t.Parallel()
	c := apikeytest.Cases[slices.IndexFunc(apikeytest.Cases, func(c apikeytest.Case) bool { return c.Provider == "datadog" })]
	began := time.Now()
	account := vendorapi.Vendors()["datadog"].Open(func() time.Time { return began.Add(100 * time.Since(began)) })
	first := account.Mint("made by hand")
	checks := 0
	out, err := try(t, TestCommand{
		File: "datadog", Secret: write(t, "secret.json", c.Document(account, first).Reveal()), Admin: write(t, "admin.json", c.AdminDocument(account).Reveal()), Issue: true,
		vendor: unreliable{direct{account}, func(r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/validate") {
				checks++
			}
			return checks > 1 && strings.HasSuffix(r.URL.Path, "/validate")
		}},
	})
	if err == nil || len(account.Live()) != 1 || len(account.Keys()) != 2 || !strings.Contains(out, "revoke the key that was issued: done") {
		t.Errorf("%v, %d keys live\n%s", err, len(account.Live()), out)
	}
}
