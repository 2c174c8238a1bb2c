package generated_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/generated"
	"github.com/rekey-aws/rekey/shared/apikey/outbound"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

// world rotates one secret that is made here; it is also the web hook.
type world struct {
	*testing.T
	store   *rotationtest.Store
	machine *rotation.Machine
	log     bytes.Buffer

	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
	answers  func(r *http.Request) (int, error)
}

func (w *world) Do(_ context.Context, r *http.Request) (outbound.Answer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var body bytes.Buffer
	if r.Body != nil {
		_, _ = body.ReadFrom(r.Body)
	}
	w.requests, w.bodies = append(w.requests, r), append(w.bodies, body.String())
	if w.answers == nil {
		return outbound.Answer{Status: http.StatusNoContent}, nil
	}
	status, err := w.answers(r)
	return outbound.Answer{Status: status, Body: []byte("you sent " + body.String())}, err
}

func (w *world) Provider(name string) (apikey.Provider, error) {
	if p, ok := generated.Providers(generated.Config{Client: w})[name]; ok {
		return p, nil
	}
	return nil, fmt.Errorf("there is no provider %q: %w", name, rotation.ErrConfig)
}

func newWorld(t *testing.T, doc map[string]any) *world {
	t.Helper()
	w := &world{T: t, store: rotationtest.NewStore(t, value(t, doc))}
	w.machine = &rotation.Machine{Store: w.store, Engine: &apikey.Engine{Providers: w}, Log: slog.New(slog.NewJSONHandler(&w.log, nil))}
	return w
}

func value(t *testing.T, doc map[string]any) rotation.Value {
	t.Helper()
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return rotation.TextValue(string(text))
}

func (w *world) rotate() error {
	w.Helper()
	return rotationtest.Run(w.Context(), w.machine, w.store.Begin())
}

// current is the document that is current.
func (w *world) current() map[string]string {
	w.Helper()
	_, v := w.store.Labelled(rotation.Current)
	var doc map[string]any
	if err := json.Unmarshal([]byte(v.Reveal()), &doc); err != nil {
		w.Fatal(err)
	}
	out := map[string]string{}
	for key, value := range doc {
		out[key] = fmt.Sprint(value)
	}
	return out
}

func (w *world) mustNotLeak() {
	w.Helper()
	for _, key := range []string{"value", "privateKey", "nextPrivateKey"} {
		if secret := w.current()[key]; secret != "" && strings.Contains(w.log.String(), strings.TrimSpace(secret)) {
			w.Errorf("%q is in the log", key)
		}
	}
}

func TestStrings(t *testing.T) {
	for name, c := range map[string]struct {
		settings map[string]any
		form     string
	}{
		"by default": {nil, `^[A-Za-z0-9]{43}$`},
		"length":     {map[string]any{"length": 64, "prefix": "sk_"}, `^sk_[A-Za-z0-9]{64}$`},
		"hex":        {map[string]any{"format": "hex", "length": "32"}, `^[0-9a-f]{64}$`},
		"base64":     {map[string]any{"format": "base64", "length": 32}, `^[A-Za-z0-9+/]{43}=$`},
		"base64url":  {map[string]any{"format": "base64url", "length": 32}, `^[A-Za-z0-9_-]{43}$`},
		"uuid":       {map[string]any{"format": "uuid"}, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`},
	} {
		t.Run(name, func(t *testing.T) {
			doc := map[string]any{"provider": "generated-string", "value": "the one of before", "team": "payments"}
			for key, value := range c.settings {
				doc[key] = value
			}
			w := newWorld(t, doc)
			seen := map[string]bool{}
			for range 3 {
				if err := w.rotate(); err != nil {
					t.Fatal(err)
				}
				got := w.current()
				if !regexp.MustCompile(c.form).MatchString(got["value"]) || seen[got["value"]] || got["team"] != "payments" {
					t.Errorf("made %q", got["value"])
				}
				seen[got["value"]] = true
			}
			w.mustNotLeak()
		})
	}
}

func TestKeyPairs(t *testing.T) {
	for _, algorithm := range []string{"ed25519", "ecdsa-p256", "ecdsa-p384", "rsa-2048"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, map[string]any{"provider": "generated-key-pair", "algorithm": algorithm})
			if err := w.rotate(); err != nil {
				t.Fatal(err)
			}
			got := w.current()
			private, _ := pem.Decode([]byte(got["privateKey"]))
			public, _ := pem.Decode([]byte(got["publicKey"]))
			if _, err := x509.ParsePKCS8PrivateKey(private.Bytes); err != nil {
				t.Error(err)
			}
			if _, err := x509.ParsePKIXPublicKey(public.Bytes); err != nil {
				t.Error(err)
			}
			if len(got["keyId"]) != 43 {
				t.Errorf("keyId %q", got["keyId"])
			}
			w.mustNotLeak()
		})
	}
}

// The set that verifiers keep knows a key before anything is signed with it, and for one
// rotation after.
func TestKeySetsOverlap(t *testing.T) {
	w := newWorld(t, map[string]any{"provider": "generated-jwks"})
	type set struct {
		Keys []struct{ Kid, Kty, Alg, Crv, X, Y, D string }
	}
	read := func() (kid string, kids []string) {
		t.Helper()
		var s set
		if err := json.Unmarshal([]byte(w.current()["jwks"]), &s); err != nil {
			t.Fatal(err)
		}
		for _, k := range s.Keys {
			kids = append(kids, k.Kid)
			if k.Kty != "EC" || k.Alg != "ES256" || k.Crv != "P-256" || len(k.X) != 43 || len(k.Y) != 43 || k.D != "" {
				t.Errorf("the key %+v", k)
			}
		}
		return w.current()["keyId"], kids
	}
	var before []string
	previous := ""
	for n := range 4 {
		if err := w.rotate(); err != nil {
			t.Fatal(err)
		}
		kid, kids := read()
		known := strings.Join(before, " ")
		if n > 0 && !strings.Contains(known, kid) {
			t.Errorf("rotation %d: the set of before does not know the key that signs now", n)
		}
		if n > 0 && !strings.Contains(strings.Join(kids, " "), previous) {
			t.Errorf("rotation %d: the set does not know the key that signed before", n)
		}
		if want := min(n, 1) + 2; len(kids) != want {
			t.Errorf("rotation %d: %d keys in the set, want %d", n, len(kids), want)
		}
		before, previous = kids, kid
	}
	w.mustNotLeak()
}

// RFC 7638, section 3.1, has a key and its thumbprint.
func TestThumbprint(t *testing.T) {
	const n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
	if got := generated.ThumbprintRSA(t, n, 65537); got != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Errorf("got %s", got)
	}
}

func TestSSHKeys(t *testing.T) {
	w := newWorld(t, map[string]any{"provider": "generated-ssh-key", "comment": "deploy@example.com"})
	if err := w.rotate(); err != nil {
		t.Fatal(err)
	}
	got := w.current()
	if !strings.HasPrefix(got["publicKey"], "ssh-ed25519 AAAA") || !strings.HasSuffix(got["publicKey"], " deploy@example.com") {
		t.Errorf("the public key is %q", got["publicKey"])
	}
	w.mustNotLeak()
	keygen, err := exec.LookPath("ssh-keygen")
	if err != nil {
		t.Log("there is no ssh-keygen here to read the key with")
		return
	}
	file := filepath.Join(t.TempDir(), "id_ed25519")
	if err := os.WriteFile(file, []byte(got["privateKey"]), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), keygen, "-y", "-f", file).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != got["publicKey"] {
		t.Errorf("ssh-keygen reads %q: %v", out, err)
	}
}

func TestCertificates(t *testing.T) {
	settings := map[string]any{"provider": "generated-certificate", "dnsNames": "db.example.com, *.example.com,10.0.0.1", "commonName": "db", "days": 30}
	self := newWorld(t, settings)
	if err := self.rotate(); err != nil {
		t.Fatal(err)
	}
	leaf := certificate(t, self.current()["certificate"])
	if leaf.VerifyHostname("db.example.com") != nil || leaf.VerifyHostname("10.0.0.1") != nil || leaf.Subject.CommonName != "db" || leaf.IsCA {
		t.Errorf("the certificate is of %v", leaf.DNSNames)
	}
	if days := time.Until(leaf.NotAfter).Hours() / 24; days < 29 || days > 30 {
		t.Errorf("it is valid for %.1f days", days)
	}
	self.mustNotLeak()

	// By an authority: one that this test makes.
	const arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ca-AbCdEf"
	key, ca := generated.Authority(t)
	settings["adminSecretArn"] = arn
	w := newWorld(t, settings)
	w.store.Others = map[string]rotation.Value{arn: value(t, map[string]any{"caPrivateKey": key, "caCertificate": ca})}
	if err := w.rotate(); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(ca))
	leaf = certificate(t, w.current()["certificate"])
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "db.example.com"}); err != nil {
		t.Error(err)
	}
	w.store.Others[arn] = value(t, map[string]any{"caPrivateKey": key, "caCertificate": self.current()["certificate"]})
	if err := w.rotate(); !errors.Is(err, rotation.ErrConfig) || strings.Contains(err.Error(), "BEGIN") {
		t.Errorf("an authority that is none: %v", err)
	}
}

func certificate(t *testing.T, chain string) *x509.Certificate {
	t.Helper()
	b, _ := pem.Decode([]byte(chain))
	c, err := x509.ParseCertificate(b.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The web hook gets the new secret, signed with the old one; the check page must accept it
// before it is promoted.
func TestHooks(t *testing.T) {
	w := newWorld(t, map[string]any{
		"provider": "generated-string", "value": "the-secret-of-before", "webhookUrl": "https://app.example.com/rekey", "checkUrl": "https://app.example.com/me",
	})
	if err := w.rotate(); err != nil {
		t.Fatal(err)
	}
	value := w.current()["value"]
	if len(w.requests) != 2 || w.requests[0].Method != "POST" || w.requests[1].Header.Get("Authorization") != "Bearer "+value {
		t.Fatalf("%d requests", len(w.requests))
	}
	mac := hmac.New(sha256.New, []byte("the-secret-of-before"))
	mac.Write([]byte(w.bodies[0]))
	if got := w.requests[0].Header.Get("X-Rekey-Signature"); got != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
		t.Errorf("the signature is %q", got)
	}
	if want := `{"action":"install","provider":"generated-string","credential":{"value":"` + value + `"}}`; w.bodies[0] != want {
		t.Errorf("the web hook got %s", w.bodies[0])
	}
	for _, c := range []struct {
		path   string
		status int
		kind   error
	}{
		{"/rekey", 500, rotation.ErrUnreachable},
		{"/rekey", 403, rotation.ErrRefused},
		{"/me", 401, rotation.ErrRefused},
		{"/me", 404, rotation.ErrVendor},
	} {
		w.answers = func(r *http.Request) (int, error) {
			if r.URL.Path == c.path {
				return c.status, nil
			}
			return 200, nil
		}
		before, _ := w.store.Labelled(rotation.Current)
		r := w.store.Begin()
		err := rotationtest.Run(t.Context(), w.machine, r)
		if after, _ := w.store.Labelled(rotation.Current); !errors.Is(err, c.kind) || after != before {
			t.Errorf("%s answers %d: %v", c.path, c.status, err)
		}
		_, pending := w.store.Labelled(rotation.Pending)
		var doc struct{ Value string }
		if json.Unmarshal([]byte(pending.Reveal()), &doc) != nil || strings.Contains(err.Error(), doc.Value) || strings.Contains(w.log.String(), doc.Value) {
			t.Error("the new secret is in the error or the log")
		}
		w.answers = nil
		if err := rotationtest.Run(t.Context(), w.machine, r); err != nil {
			t.Errorf("run again: %v", err)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, doc := range map[string]map[string]any{
		"length":       {"provider": "generated-string", "length": 8},
		"format":       {"provider": "generated-string", "format": "octal"},
		"algorithm":    {"provider": "generated-key-pair", "algorithm": "dsa"},
		"dnsNames":     {"provider": "generated-certificate"},
		"days":         {"provider": "generated-certificate", "dnsNames": "a.example.com", "days": 0},
		"webhookUrl":   {"provider": "generated-string", "webhookUrl": "http://app.example.com"},
		"checkUrl":     {"provider": "generated-string", "checkUrl": "https://user:password@app.example.com"},
		"comment":      {"provider": "generated-ssh-key", "comment": "two\nlines"},
		"adminSecretA": {"provider": "generated-string", "adminSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:admin-AbCdEf"},
	} {
		w := newWorld(t, doc)
		w.store.Others = map[string]rotation.Value{"arn:aws:secretsmanager:us-east-1:123456789012:secret:admin-AbCdEf": rotation.TextValue(`{}`)}
		err := w.rotate()
		if !errors.Is(err, rotation.ErrConfig) || !strings.Contains(err.Error(), `"`+name) || len(w.store.Faults.Effects()) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a person put into the pending version is not promoted unless its parts belong together.
func TestPendingIsVerified(t *testing.T) {
	pair := newWorld(t, map[string]any{"provider": "generated-key-pair"})
	if err := pair.rotate(); err != nil {
		t.Fatal(err)
	}
	first := pair.current()
	if err := pair.rotate(); err != nil {
		t.Fatal(err)
	}
	mixed := map[string]any{"provider": "generated-key-pair", "privateKey": pair.current()["privateKey"], "publicKey": first["publicKey"], "keyId": first["keyId"]}
	r := pair.store.Begin()
	pair.store.Plant(r.Token, value(t, mixed), rotation.Pending)
	if err := rotationtest.Run(t.Context(), pair.machine, r); !errors.Is(err, rotation.ErrConfig) {
		t.Errorf("got %v", err)
	}
}

// Each write fails in each way; the sequence is run again.
func TestCrashes(t *testing.T) {
	for _, provider := range []string{"generated-string", "generated-jwks", "generated-ssh-key"} {
		for n := range 2 {
			for _, fate := range rotationtest.Faults {
				w := newWorld(t, map[string]any{"provider": provider, "webhookUrl": "https://app.example.com/rekey"})
				w.store.Faults.FailAt(n, fate)
				r := w.store.Begin()
				if err := rotationtest.Run(t.Context(), w.machine, r); err == nil {
					t.Fatal("the fault went unnoticed")
				}
				w.store.Faults.FailAt(0, rotationtest.Healthy)
				if err := rotationtest.Run(t.Context(), w.machine, r); err != nil {
					t.Errorf("%s, %v at write %d: %v", provider, fate, n, err)
				}
			}
		}
	}
}
