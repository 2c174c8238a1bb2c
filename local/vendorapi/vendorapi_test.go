package vendorapi

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// clock is one that tests move.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time { return c.now }

// ask sends a request and returns status and body.
func ask(t *testing.T, a *Account, method, url, body string, headers ...string) (int, map[string]any) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := a.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if len(content) > 0 {
		if err := json.Unmarshal(content, &object); err != nil {
			t.Fatalf("%v in %s", err, content)
		}
	}
	return response.StatusCode, object
}

func TestWhatNoDocumentHasIsRefusedAndKept(t *testing.T) {
	t.Parallel()
	const create = "https://api.datadoghq.com/api/v2/api_keys"
	const body = `{"data":{"type":"api_keys","attributes":{"name":"n"}}}`
	tests := []struct{ name, method, url, body, header, want string }{
		{"path", http.MethodPost, "https://api.datadoghq.com/api/v2/apikeys", body, "", "no such call"},
		{"host", http.MethodPost, "https://api.example.com/api/v2/api_keys", body, "", "no such call"},
		{"method", http.MethodPut, create, body, "", "no such call"},
		{"field", http.MethodPost, create, `{"data":{"type":"api_keys","attributes":{"name":"n","color":"red"}}}`, "", "no document has the field data.attributes.color"},
		{"missing field", http.MethodPost, create, `{"data":{"type":"api_keys","attributes":{}}}`, "", "the field data.attributes.name is missing"},
		{"value", http.MethodPost, create, `{"data":{"type":"keys","attributes":{"name":"n"}}}`, "", "the field data.type is not one of api_keys"},
		{"parameter", http.MethodGet, create + "?limit=1", "", "", "no document has the parameter limit"},
		{"header", http.MethodPost, create, body, "Authorization", "no document has the header Authorization"},
		{"body", http.MethodDelete, create + "/1", `{"force":true}`, "", "no document has a body"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := datadog.Open(newClock().Now)
			headers := []string{"DD-API-KEY", a.Admin("apiKey"), "DD-APPLICATION-KEY", a.Admin("applicationKey"), "Content-Type", "application/json"}
			if tt.header != "" {
				headers = append(headers, tt.header, "x")
			}
			if status, _ := ask(t, a, tt.method, tt.url, tt.body, headers...); status != http.StatusBadRequest {
				t.Errorf("status %d", status)
			}
			if got := a.Undocumented(); len(got) != 1 || !strings.HasSuffix(got[0], tt.want) {
				t.Errorf("got %q, want one that ends in %q", got, tt.want)
			}
			if len(a.Keys()) != 0 {
				t.Error("a key was made")
			}
		})
	}
}

func TestWhoCannotProveItIsRefused(t *testing.T) {
	t.Parallel()
	a := sendGrid.Open(newClock().Now)
	status, _ := ask(t, a, http.MethodPost, "https://api.sendgrid.com/v3/api_keys", `{"name":"n"}`, "Content-Type", "application/json", "Authorization", "Bearer made-up")
	if status != http.StatusUnauthorized || len(a.Keys()) != 0 {
		t.Errorf("status %d, %d keys", status, len(a.Keys()))
	}
	if a.Undocumented() != nil {
		t.Errorf("a wrong credential is documented: %q", a.Undocumented())
	}
}

func TestANewKeyWorksAfterAWhileAndAnEndedOneForAWhile(t *testing.T) {
	t.Parallel()
	c := newClock()
	a := sendGrid.Open(c.Now)
	admin := []string{"Authorization", "Bearer " + a.Admin("api_key"), "Content-Type", "application/json"}
	_, made := ask(t, a, http.MethodPost, "https://api.sendgrid.com/v3/api_keys", `{"name":"n"}`, admin...)
	key, _ := made["api_key"].(string)
	check := func(want int) {
		t.Helper()
		if status, _ := ask(t, a, http.MethodGet, "https://api.sendgrid.com/v3/scopes", "", "Authorization", "Bearer "+key); status != want {
			t.Errorf("status %d, want %d", status, want)
		}
	}
	check(http.StatusUnauthorized)
	c.now = c.now.Add(sendGrid.Lag)
	check(http.StatusOK)
	id, _ := made["api_key_id"].(string)
	ask(t, a, http.MethodDelete, "https://api.sendgrid.com/v3/api_keys/"+id, "", admin[:2]...)
	check(http.StatusOK)
	c.now = c.now.Add(sendGrid.EndLag)
	check(http.StatusUnauthorized)
	if len(a.Live()) != 0 || a.MostLive() != 1 {
		t.Errorf("%d live, at most %d", len(a.Live()), a.MostLive())
	}
	if got := a.Keys()[0].LastUsed; !got.Equal(c.now.Add(-sendGrid.EndLag)) {
		t.Errorf("last used %v", got)
	}
}

func TestTheLimitOfLiveKeysHolds(t *testing.T) {
	t.Parallel()
	a := okta.Open(newClock().Now)
	a.Mint("")
	a.Mint("")
	status, body := ask(t, a, http.MethodPost, "https://example.okta.com/api/v1/apps/"+oktaApp+"/credentials/secrets", `{}`,
		"Authorization", "SSWS "+a.Admin("apiToken"), "Content-Type", "application/json")
	if status != http.StatusBadRequest || body["errorCode"] != "E0000001" || len(a.Live()) != 2 {
		t.Errorf("status %d, %v", status, body)
	}
}

func TestUsingASpentTokenEndsTheFamily(t *testing.T) {
	t.Parallel()
	t.Run("gitlab", func(t *testing.T) {
		t.Parallel()
		a := gitlab.Open(newClock().Now)
		old := a.Mint("app")
		const rotate = "https://gitlab.com/api/v4/personal_access_tokens/self/rotate"
		form := []string{"Content-Type", "application/x-www-form-urlencoded", "PRIVATE-TOKEN", old.Secret}
		status, made := ask(t, a, http.MethodPost, rotate, "expires_at=2026-12-23", form...)
		fresh, _ := made["token"].(string)
		if status != http.StatusOK || a.Works(old.Secret) || !a.Works(fresh) {
			t.Fatalf("status %d: one token ends, the other begins", status)
		}
		if status, _ := ask(t, a, http.MethodPost, rotate, "", form...); status != http.StatusUnauthorized {
			t.Errorf("status %d", status)
		}
		if a.Works(fresh) || a.Replays() != 1 {
			t.Errorf("works %t, %d replays", a.Works(fresh), a.Replays())
		}
	})
	t.Run("slack", func(t *testing.T) {
		t.Parallel()
		a := slack.Open(newClock().Now)
		old := a.Mint("app")
		const refresh = "https://slack.com/api/oauth.v2.access"
		form := []string{"Content-Type", "application/x-www-form-urlencoded", "Authorization", basic(slackClient, a.Admin("client_secret"))}
		body := "grant_type=refresh_token&refresh_token=" + old.Fields["refresh"]
		if _, got := ask(t, a, http.MethodPost, refresh, body, form...); got["ok"] != true {
			t.Fatalf("got %v", got)
		}
		status, got := ask(t, a, http.MethodPost, refresh, body, form...)
		if status != http.StatusOK || got["error"] != "invalid_refresh_token" || len(a.Live()) != 0 || a.Replays() != 1 {
			t.Errorf("status %d, %v, %d live, %d replays", status, got, len(a.Live()), a.Replays())
		}
	})
}

func TestEveryVendorSaysWhereItIsFrom(t *testing.T) {
	t.Parallel()
	for name, v := range Vendors() {
		if len(v.Documents) == 0 || len(v.calls) == 0 {
			t.Errorf("%s has %d documents and %d calls", name, len(v.Documents), len(v.calls))
		}
		for _, d := range v.Documents {
			if _, err := time.Parse(time.DateOnly, d.Read); err != nil || !strings.HasPrefix(d.URL, "https://") {
				t.Errorf("%s: %+v", name, d)
			}
		}
	}
}
