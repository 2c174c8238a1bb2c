package declarative_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/declarative"
	"github.com/rekey-aws/rekey/shared/apikey/outbound"
	"github.com/rekey-aws/rekey/shared/apikey/providers"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// vendor answers requests without a network.
type vendor func(w http.ResponseWriter, r *http.Request)

func (v vendor) Do(_ context.Context, r *http.Request) (outbound.Answer, error) {
	if r.URL.Scheme != "https" {
		return outbound.Answer{}, errors.New("not https")
	}
	w := httptest.NewRecorder()
	v(w, r)
	return outbound.Answer{Status: w.Code, Header: w.Header(), Body: w.Body.Bytes()}, nil
}

func shipped(t *testing.T, name string, v vendor) *declarative.Provider {
	t.Helper()
	content, err := providers.Files.ReadFile(name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	return made(t, string(content), v)
}

func made(t *testing.T, content string, v vendor) *declarative.Provider {
	t.Helper()
	p, err := declarative.New("test.yaml", []byte(content), declarative.Config{Client: v})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func material(pairs ...string) apikey.Material {
	m := apikey.Material{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = rotation.TextValue(pairs[i+1])
	}
	return m
}

var datadog = apikey.Account{
	Settings: map[string]string{"site": "datadoghq.eu"},
	Admin:    material("apiKey", "admin-api-key-of-the-test", "appKey", "admin-app-key-of-the-test"),
}

func TestAKeyIsIssuedCheckedListedAndRevoked(t *testing.T) {
	t.Parallel()
	var calls []string
	p := shipped(t, "datadog", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls = append(calls, fmt.Sprintf("%s %s %s %s/%s", r.Method, r.URL, body, r.Header.Get("DD-API-KEY"), r.Header.Get("DD-APPLICATION-KEY")))
		switch r.Method + " " + r.URL.Path {
		case "POST /api/v2/api_keys":
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, `{"data":{"id":"id-2","attributes":{"key":"issued-key-of-the-test"}}}`)
		case "GET /api/v1/validate":
			fmt.Fprint(w, `{"valid":true}`)
		case "GET /api/v2/api_keys":
			fmt.Fprint(w, `{"data":[{"id":"id-1","attributes":{"name":"n","created_at":"2026-01-02T03:04:05.000000+00:00","date_last_used":null}}]}`)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	k, err := p.Issue(t.Context(), datadog, apikey.Order{Name: "the name"})
	if err != nil || k.ID != "id-2" || k.Material.Text("apiKey") != "issued-key-of-the-test" || k.Material.Text("apiKeyId") != "id-2" {
		t.Fatalf("issued %+v, %v", k, err)
	}
	if err := p.Check(t.Context(), datadog, k); err != nil {
		t.Error(err)
	}
	keys, err := p.List(t.Context(), datadog)
	if err != nil || len(keys) != 1 || keys[0].ID != "id-1" || !keys[0].Created.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) || !keys[0].LastUsed.IsZero() {
		t.Errorf("listed %+v, %v", keys, err)
	}
	if err := p.Revoke(t.Context(), datadog, apikey.Key{ID: "gone/../x"}); err != nil {
		t.Errorf("revoking what is gone: %v", err)
	}
	want := []string{
		`POST https://api.datadoghq.eu/api/v2/api_keys {"data":{"attributes":{"name":"the name"},"type":"api_keys"}} admin-api-key-of-the-test/admin-app-key-of-the-test`,
		`GET https://api.datadoghq.eu/api/v1/validate  issued-key-of-the-test/`,
		`GET https://api.datadoghq.eu/api/v2/api_keys?page%5Bnumber%5D=0&page%5Bsize%5D=100  admin-api-key-of-the-test/admin-app-key-of-the-test`,
		`DELETE https://api.datadoghq.eu/api/v2/api_keys/gone%2F..%2Fx  admin-api-key-of-the-test/admin-app-key-of-the-test`,
	}
	if got := strings.Join(calls, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("calls:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

func TestFailuresHaveTheirKindAndHoldNoSecret(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status  int
		body    string
		kind    error
		notSent bool
	}{
		{401, `{"errors":["bad admin-api-key-of-the-test"]}`, rotation.ErrRefused, true},
		{403, `{"errors":["Forbidden: admin-app-key-of-the-test"]}`, rotation.ErrDenied, true},
		{404, ``, rotation.ErrVendor, true},
		{500, `<html>admin-api-key-of-the-test</html>`, rotation.ErrVendor, false},
		{201, `{"data":{"id":"x"}}`, rotation.ErrVendor, false},
		{200, `{}`, rotation.ErrVendor, false}, // done or not: who knows
		{201, `not json with sk-live-abcdefghij012345`, rotation.ErrVendor, false},
	} {
		p := shipped(t, "datadog", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		})
		_, err := p.Issue(t.Context(), datadog, apikey.Order{Name: "n"})
		if !errors.Is(err, c.kind) || errors.Is(err, apikey.ErrNotSent) != c.notSent {
			t.Errorf("%d %s: got %v (not sent: %v)", c.status, c.body, err, errors.Is(err, apikey.ErrNotSent))
		}
		for _, secret := range []string{"admin-api-key", "admin-app-key", "sk-live"} {
			if strings.Contains(fmt.Sprintf("%v %+v", err, err), secret) {
				t.Errorf("%d: the error holds a secret: %v", c.status, err)
			}
		}
	}
}

// A vendor that asks to slow down is asked again when it says, one that fails
// only if doing it twice does no harm.
func TestAnotherTry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began, n := time.Now(), 0
		p := shipped(t, "datadog", func(w http.ResponseWriter, r *http.Request) {
			n++
			switch {
			case n == 1:
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(http.StatusTooManyRequests)
			case r.Method == http.MethodGet && n == 2:
				w.WriteHeader(http.StatusBadGateway)
			case r.Method == http.MethodGet:
				fmt.Fprint(w, `{"data":[]}`)
			default:
				w.WriteHeader(http.StatusBadGateway)
			}
		})
		if _, err := p.List(t.Context(), datadog); err != nil || n != 3 || time.Since(began) != 9*time.Second {
			t.Errorf("listing: %v after %d requests and %v", err, n, time.Since(began))
		}
		n = 0
		if _, err := p.Issue(t.Context(), datadog, apikey.Order{Name: "n"}); err == nil || n != 2 {
			t.Errorf("issuing: %v after %d requests, want a failure after 2", err, n)
		}
		n = 0
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := p.List(ctx, datadog); !errors.Is(err, rotation.ErrThrottled) || n != 1 {
			t.Errorf("without time to wait: %v after %d requests", err, n)
		}
	})
}

func TestLag(t *testing.T) {
	t.Parallel()
	const file = `
provider: test
title: Test
class: dual
documents: [{url: https://example.com, read: 2026-11-23}]
key: {secret: [token]}
lag: 10s
base: https://vendor.example
auth: {none: true}
issue: {method: POST, path: /keys, result: {token: .token}}
check: {method: GET, path: /me, auth: {bearer: "${.key.token}"}}
`
	for _, c := range []struct {
		known time.Duration
		ok    bool
	}{{0, true}, {9 * time.Second, true}, {11 * time.Second, false}} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			p := made(t, file, func(w http.ResponseWriter, _ *http.Request) {
				if time.Since(began) < c.known {
					w.WriteHeader(http.StatusUnauthorized)
				}
			})
			if err := p.Check(t.Context(), apikey.Account{}, apikey.Key{Material: material("token", "x")}); (err == nil) != c.ok {
				t.Errorf("known after %v: %v", c.known, err)
			}
		})
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	const head = `
provider: test
title: Test
class: dual
documents: [{url: https://example.com, read: 2026-11-23}]
key: {id: id, secret: [token]}
base: https://vendor.example
auth: {none: true}
issue: {method: POST, path: /keys, result: {token: .token, id: .id}}
check: {method: GET, path: /me}
list:
  method: GET
  path: /keys
  items: .items
  id: .id
  next: `
	answer := func(w http.ResponseWriter, ids []int, extra map[string]any) {
		items := []map[string]any{}
		for _, id := range ids {
			items = append(items, map[string]any{"id": id})
		}
		if extra == nil {
			extra = map[string]any{}
		}
		extra["items"] = items
		_ = json.NewEncoder(w).Encode(extra)
	}
	for next, v := range map[string]vendor{
		`{cursor: .next, parameter: after}`: func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Query().Get("after") {
			case "":
				answer(w, []int{1, 2}, map[string]any{"next": "c"})
			case "c":
				answer(w, []int{3}, map[string]any{"next": nil})
			}
		},
		`{cursor: .next}`: func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.RawQuery {
			case "":
				answer(w, []int{1, 2}, map[string]any{"next": "https://vendor.example/keys?p=2"})
			case "p=2":
				answer(w, []int{3}, nil)
			}
		},
		`{firstPage: 1, parameter: page, size: 2}`: func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Query().Get("page") {
			case "1":
				answer(w, []int{1, 2}, nil)
			case "2":
				answer(w, []int{3}, nil)
			}
		},
		`{offset: true, parameter: skip, size: 2}`: func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Query().Get("skip") {
			case "0":
				answer(w, []int{1, 2}, nil)
			case "2":
				answer(w, []int{3}, nil)
			}
		},
		`{link: true}`: func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.RawQuery {
			case "":
				w.Header().Add("Link", `<https://vendor.example/keys?p=1>; rel="self"`)
				w.Header().Add("Link", `<https://vendor.example/keys?p=2>; rel="next"`)
				answer(w, []int{1, 2}, nil)
			case "p=2":
				answer(w, []int{3}, nil)
			}
		},
	} {
		keys, err := made(t, head+next, v).List(t.Context(), apikey.Account{})
		if err != nil || len(keys) != 3 || keys[2].ID != "3" {
			t.Errorf("%s: %v, %v", next, keys, err)
		}
	}
	for next, where := range map[string]string{`{cursor: .next}`: "https://elsewhere.example/keys", `{cursor: .next, parameter: after}`: "same"} {
		_, err := made(t, head+next, func(w http.ResponseWriter, _ *http.Request) {
			answer(w, []int{1}, map[string]any{"next": where})
		}).List(t.Context(), apikey.Account{})
		if !errors.Is(err, rotation.ErrVendor) {
			t.Errorf("%s to %s: got %v", next, where, err)
		}
	}
}

// Whatever an exchange holds, what is traced of it holds no secret.
func TestTraceHoldsNoSecret(t *testing.T) {
	t.Parallel()
	content, _ := providers.Files.ReadFile("datadog.yaml")
	var seen bytes.Buffer
	p, err := declarative.New("datadog.yaml", content, declarative.Config{
		Client: vendor(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, `{"data":{"id":"id-2","attributes":{"key":"issuedsecret"}}}`)
		}),
		Trace: func(e declarative.Exchange) { fmt.Fprintf(&seen, "%+v\n", e) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Issue(t.Context(), datadog, apikey.Order{Name: "n"}); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"admin-api-key", "admin-app-key", "issuedsecret"} {
		if strings.Contains(seen.String(), secret) {
			t.Errorf("%s is in the trace:\n%s", secret, seen.String())
		}
	}
	if !strings.Contains(seen.String(), "Dd-Api-Key: [redacted]") || !strings.Contains(seen.String(), "id-2") {
		t.Errorf("the trace does not explain:\n%s", seen.String())
	}
}
