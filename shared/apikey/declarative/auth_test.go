package declarative_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/declarative"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// withAuth is a provider whose list authenticates in some way.
func withAuth(auth string) string {
	return `
provider: test
title: Test
class: dual
documents: [{url: https://example.com, read: 2026-11-23}]
key: {id: id, secret: [token]}
admin: {fields: [user, secret]}
base: https://vendor.example
auth: ` + auth + `
issue: {method: POST, path: /keys, json: {a: "${.now}", b: ["${.name}", null], c: "${null}"}, result: {token: .token, id: .id}}
check: {method: GET, path: /me}
list: {method: GET, path: /keys, items: .keys, id: .id}
`
}

func pemOf(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func TestJWT(t *testing.T) {
	t.Parallel()
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	ecKey, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	edPublic, edKey, _ := ed25519.GenerateKey(rand.Reader)
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for algorithm, c := range map[string]struct {
		secret   string
		verifies func(text, signature []byte) bool
	}{
		"RS256": {pemOf(t, rsaKey), func(text, s []byte) bool {
			sum := sha256.Sum256(text)
			return rsa.VerifyPKCS1v15(&rsaKey.PublicKey, crypto.SHA256, sum[:], s) == nil
		}},
		"ES256": {strings.ReplaceAll(pemOf(t, ecKey), "\n", `\n`), func(text, s []byte) bool {
			sum := sha256.Sum256(text)
			return len(s) == 64 && ecdsa.Verify(&ecKey.PublicKey, sum[:], new(big.Int).SetBytes(s[:32]), new(big.Int).SetBytes(s[32:]))
		}},
		"EdDSA": {pemOf(t, edKey), func(text, s []byte) bool { return ed25519.Verify(edPublic, text, s) }},
		"HS256": {"a-shared-secret-of-the-test", func(text, s []byte) bool {
			mac := hmac.New(sha256.New, []byte("a-shared-secret-of-the-test"))
			mac.Write(text)
			return hmac.Equal(s, mac.Sum(nil))
		}},
	} {
		var token string
		p, err := declarative.New("t.yaml", []byte(withAuth(`{jwt: {algorithm: `+algorithm+`, key: "${.admin.secret}", keyId: k1, claims: {iss: "${.admin.user}"}, lifetime: 9m, backdate: 1m}}`)), declarative.Config{
			Now: func() time.Time { return now },
			Client: vendor(func(w http.ResponseWriter, r *http.Request) {
				token = r.Header.Get("Authorization")
				fmt.Fprint(w, `{"keys":[]}`)
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.List(t.Context(), apikey.Account{Admin: material("user", "me", "secret", c.secret)}); err != nil {
			t.Errorf("%s: %v", algorithm, err)
			continue
		}
		parts := strings.Split(strings.TrimPrefix(token, "Bearer "), ".")
		var header, claims map[string]any
		for i, to := range []*map[string]any{&header, &claims} {
			text, _ := base64.RawURLEncoding.DecodeString(parts[i])
			if err := json.Unmarshal(text, to); err != nil {
				t.Fatal(err)
			}
		}
		signature, err := base64.RawURLEncoding.DecodeString(parts[2])
		if err != nil || !c.verifies([]byte(parts[0]+"."+parts[1]), signature) {
			t.Errorf("%s: the signature does not verify", algorithm)
		}
		iat, exp := float64(now.Add(-time.Minute).Unix()), float64(now.Add(8*time.Minute).Unix())
		if header["alg"] != algorithm || header["kid"] != "k1" || claims["iss"] != "me" || claims["iat"] != iat || claims["exp"] != exp {
			t.Errorf("%s: %v %v", algorithm, header, claims)
		}
	}
}

func TestKeysThatDoNotSign(t *testing.T) {
	t.Parallel()
	weak, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	for name, secret := range map[string]string{"no PEM": "hunter2-hunter2-hunter2", "another kind": pemOf(t, weak), "no key": "-----BEGIN X-----\naGk=\n-----END X-----\n"} {
		p := made(t, withAuth(`{jwt: {algorithm: RS256, key: "${.admin.secret}"}}`), func(http.ResponseWriter, *http.Request) { t.Error("something was sent") })
		_, err := p.List(t.Context(), apikey.Account{Admin: material("user", "me", "secret", secret)})
		if !errors.Is(err, rotation.ErrConfig) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A token is got once for all pages, and again where it is another's.
func TestOAuth(t *testing.T) {
	t.Parallel()
	for auth, want := range map[string]string{
		`{oauth: {tokenUrl: "https://login.example/token", clientId: "${.admin.user}", clientSecret: "${.admin.secret}", scope: a b}}`:                                                          "application/x-www-form-urlencoded m%2Fe/s%3Acret grant_type=client_credentials&scope=a+b",
		`{oauth: {tokenUrl: "https://login.example/token", clientId: "${.admin.user}", clientSecret: "${.admin.secret}", in: body, parameters: {audience: "https://api"}}}`:                     "application/x-www-form-urlencoded / audience=https%3A%2F%2Fapi&client_id=m%2Fe&client_secret=s%3Acret&grant_type=client_credentials",
		`{oauth: {tokenUrl: "https://login.example/token", clientId: "${.admin.user}", clientSecret: "${.admin.secret}", in: body, json: true, parameters: {grant_type: account_credentials}}}`: `application/json / {"client_id":"m/e","client_secret":"s:cret","grant_type":"account_credentials"}`,
	} {
		var asked []string
		pages := 0
		p := made(t, strings.Replace(withAuth(auth), "items: .keys, id: .id", "items: .keys, id: .id, next: {cursor: .next, parameter: c}", 1), func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Host == "login.example" {
				user, password, _ := r.BasicAuth()
				body, _ := io.ReadAll(r.Body)
				asked = append(asked, fmt.Sprintf("%s %s/%s %s", r.Header.Get("Content-Type"), user, password, body))
				fmt.Fprint(w, `{"access_token":"the-access-token","token_type":"bearer"}`)
				return
			}
			if r.Header.Get("Authorization") != "Bearer the-access-token" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			if pages++; pages == 1 {
				fmt.Fprint(w, `{"keys":[],"next":"x"}`)
				return
			}
			fmt.Fprint(w, `{"keys":[]}`)
		})
		if _, err := p.List(t.Context(), apikey.Account{Admin: material("user", "m/e", "secret", "s:cret")}); err != nil {
			t.Error(err)
		}
		if len(asked) != 1 || asked[0] != want || pages != 2 {
			t.Errorf("asked %q, want %q; %d pages", asked, want, pages)
		}
	}
}

func TestOtherWays(t *testing.T) {
	t.Parallel()
	for auth, want := range map[string]string{
		`{basic: {user: "${.admin.user}", password: "${.admin.secret}"}}`: "Basic " + base64.StdEncoding.EncodeToString([]byte("me:it")),
		`{headers: {Authorization: "SSWS ${.admin.secret}"}}`:             "SSWS it",
		`{bearer: "${.admin.secret}"}`:                                    "Bearer it",
		`{none: true}`:                                                    "",
		`{aws: {service: execute-api, region: eu-central-1, accessKeyId: "${.admin.user}", secretAccessKey: "${.admin.secret}"}}`: "AWS4-HMAC-SHA256 Credential=me/20261123/eu-central-1/execute-api/aws4_request, SignedHeaders=",
	} {
		var got string
		p, err := declarative.New("t.yaml", []byte(withAuth(auth)), declarative.Config{
			Now: func() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) },
			Client: vendor(func(w http.ResponseWriter, r *http.Request) {
				got = r.Header.Get("Authorization")
				fmt.Fprint(w, `{"keys":[]}`)
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.List(t.Context(), apikey.Account{Admin: material("user", "me", "secret", "it")}); err != nil || !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s: %q, %v", auth, got, err)
		}
	}
}

// Credentials with line ends around them are refused, and not quoted.
func TestCredentialsThatEndTheLine(t *testing.T) {
	t.Parallel()
	p := made(t, withAuth(`{bearer: "${.admin.secret}"}`), func(http.ResponseWriter, *http.Request) { t.Error("something was sent") })
	_, err := p.List(t.Context(), apikey.Account{Admin: material("user", "me", "secret", "hunter2\n")})
	if !errors.Is(err, rotation.ErrConfig) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

// Types of JSON are kept, null members are left out, and null anywhere else is
// refused.
func TestBodies(t *testing.T) {
	t.Parallel()
	var got string
	p, err := declarative.New("t.yaml", []byte(withAuth(`{none: true}`)), declarative.Config{
		Now: func() time.Time { return time.Unix(1_800_000_000, 0) },
		Client: vendor(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got = string(body)
			fmt.Fprint(w, `{"id":12345678901234567890,"token":"t-1"}`)
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	k, err := p.Issue(t.Context(), apikey.Account{}, apikey.Order{Name: "n"})
	if err != nil || k.ID != "12345678901234567890" {
		t.Errorf("%+v, %v", k, err)
	}
	if got != `{"a":1800000000,"b":["n",null]}` {
		t.Errorf("sent %s", got)
	}
	bare := made(t, strings.Replace(withAuth(`{bearer: "x${.admin.secret}"}`), "fields: [user, secret]", "optional: [user, secret]", 1), func(http.ResponseWriter, *http.Request) { t.Error("something was sent") })
	if _, err := bare.List(t.Context(), apikey.Account{}); !errors.Is(err, rotation.ErrConfig) || !strings.Contains(err.Error(), "${.admin.secret}") {
		t.Errorf("a header with a hole: %v", err)
	}
}

func TestGraphQL(t *testing.T) {
	t.Parallel()
	file := strings.Replace(withAuth(`{none: true}`), `json: {a: "${.now}", b: ["${.name}", null], c: "${null}"}`,
		`graphql: {query: "mutation($n: String!) { make(name: $n) }", variables: {n: "${.name}"}}, ok: .errors == null`, 1)
	answer := `{"id":"1","token":"t"}`
	var got string
	p := made(t, file, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = string(body)
		fmt.Fprint(w, answer)
	})
	if _, err := p.Issue(t.Context(), apikey.Account{}, apikey.Order{Name: `a"b`}); err != nil || got != `{"query":"mutation($n: String!) { make(name: $n) }","variables":{"n":"a\"b"}}` {
		t.Errorf("sent %s, %v", got, err)
	}
	answer = `{"errors":[{"message":"not allowed to"}]}`
	if _, err := p.Issue(t.Context(), apikey.Account{}, apikey.Order{Name: "n"}); !errors.Is(err, rotation.ErrVendor) || !errors.Is(err, apikey.ErrNotSent) || !strings.Contains(err.Error(), "not allowed to") {
		t.Errorf("an error with status 200: %v", err)
	}
}

// jq sees what it is given, and nothing of the machine.
func TestExpressionsSeeNothingElse(t *testing.T) {
	t.Setenv("REKEY_OF_THE_MACHINE", "a-secret-of-the-machine")
	for _, expr := range []string{`$ENV.REKEY_OF_THE_MACHINE`, `env.REKEY_OF_THE_MACHINE`, `input`, `[inputs]`, `debug`, `input_filename`, `import "x" as x; .`, `$__prog_args`, `get_search_list`} {
		file := strings.Replace(withAuth(`{none: true}`), "path: /me", `path: /me, headers: {X-Y: '${(`+expr+`) | tostring}'}`, 1)
		p, err := declarative.New("t.yaml", []byte(file), declarative.Config{Client: vendor(func(_ http.ResponseWriter, r *http.Request) {
			if v := r.Header.Get("X-Y"); strings.Contains(v, "machine") || strings.Contains(v, "/") {
				t.Errorf("%s gives %q", expr, v)
			}
		})})
		if err != nil {
			continue // refused when it is read
		}
		_ = p.Check(t.Context(), apikey.Account{}, apikey.Key{})
	}
}

// Values cannot leave their place in an address.
func TestAddressesAreEscaped(t *testing.T) {
	t.Parallel()
	file := strings.Replace(withAuth(`{none: true}`), "path: /me", `path: "/me/${.id}/x", query: {q: "${.id}"}`, 1)
	for _, id := range []string{"../../admin", "a/b?c=d#e", "%2e%2e", "ü 1"} {
		p := made(t, file, func(_ http.ResponseWriter, r *http.Request) {
			parts := strings.Split(r.URL.EscapedPath(), "/")
			if len(parts) != 4 || r.URL.Query().Get("q") != id || r.URL.Host != "vendor.example" {
				t.Errorf("%q became %s", id, r.URL)
			}
			if back, err := url.PathUnescape(parts[2]); err != nil || back != id {
				t.Errorf("%q became %q", id, back)
			}
		})
		if err := p.Check(t.Context(), apikey.Account{}, apikey.Key{ID: id}); err != nil {
			t.Error(err)
		}
	}
	for _, id := range []string{".", ".."} {
		p := made(t, file, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%q became %s", id, r.URL) })
		if err := p.Check(t.Context(), apikey.Account{}, apikey.Key{ID: id}); !errors.Is(err, rotation.ErrConfig) {
			t.Errorf("%q: %v", id, err)
		}
	}
}
