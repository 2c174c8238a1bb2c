package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/local/lambda"
	"github.com/rekey-aws/rekey/local/secretsmanager"
	"github.com/rekey-aws/rekey/local/vendorapi"
	"github.com/rekey-aws/rekey/shared/apikey/apikeytest"
)

// Vendors of every class, by the providers that ship, at the vendors' own names.
func TestRotation(t *testing.T) {
	t.Parallel()
	for provider, key := range map[string]string{"datadog": "apiKey", "gitlab": "token", "slack": "accessToken"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			c := apikeytest.Cases[slices.IndexFunc(apikeytest.Cases, func(c apikeytest.Case) bool { return c.Provider == provider })]
			account := vendorapi.Vendors()[provider].Open(time.Now)
			w := newWorld(t, account, nil)
			document := map[string]string{}
			decode(t, c.Document(account, account.Mint("made by hand")).Reveal(), &document)
			if c.Admin != nil {
				admin := map[string]string{}
				decode(t, c.AdminDocument(account).Reveal(), &admin)
				document["adminSecretArn"] = w.keep("admin", admin)
				for _, v := range admin {
					if len(v) > 16 && !strings.Contains(v, ".") {
						w.secrets = append(w.secrets, v)
					}
				}
			}
			w.secret = w.keep("secret", document)
			for range 2 {
				old := w.value("AWSCURRENT")
				if err := w.rotate(true); err != nil {
					t.Fatalf("%v\n%s", err, w.output())
				}
				current := w.value("AWSCURRENT")
				if current[key] == old[key] || !account.Works(current[key]) || current["note"] != "kept as it is" {
					t.Errorf("not rotated: %v", current)
				}
			}
			for _, k := range account.Keys() {
				w.secrets = append(w.secrets, k.Secret)
			}
			if got := w.diagnose(); !strings.HasPrefix(got, "rotation:ok value:ok ") || !strings.Contains(got, " vendor:ok login:ok ") || !strings.Contains(got, " AWSCURRENT:works ") {
				t.Errorf("diagnosis: %s", got)
			}
			w.mustNotLeak()
			if asked := account.Undocumented(); len(asked) > 0 {
				t.Errorf("asked what no document has: %v", asked)
			}
		})
	}
}

// newAcmeWorld is a world with a secret of a vendor that the deployment adds.
func newAcmeWorld(t *testing.T, environment map[string]string) (*world, *acme) {
	v := newAcme()
	w := newWorld(t, v, environment)
	admin := w.keep("admin", map[string]string{"token": acmeToken})
	w.secret = w.keep("secret", map[string]string{"provider": "acme", "adminSecretArn": admin, "keyId": "key-0", "apiKey": v.keys[0].secret, "team": "payments"})
	return w, v
}

func (w *world) mustHaveRotated(v *acme, old map[string]string) {
	w.t.Helper()
	current := w.value("AWSCURRENT")
	if current["apiKey"] == old["apiKey"] || current["keyId"] == old["keyId"] || current["team"] != "payments" {
		w.t.Errorf("not rotated: %v", current)
	}
	if !v.works(current["apiKey"]) {
		w.t.Error("AWSCURRENT does not work")
	}
	if v.most > 3 || len(v.seen) > 0 {
		w.t.Errorf("%d keys lived at once, and the vendor was asked %v", v.most, v.seen)
	}
	w.mustNotLeak(v.secrets()...)
}

// healthyCalls to Secrets Manager make a rotation with an administrator: createSecret
// 5, setSecret 3, testSecret 2, finishSecret 2.
const healthyCalls = 12

func TestCalls(t *testing.T) {
	t.Parallel()
	w, v := newAcmeWorld(t, nil)
	if err := w.rotate(true); err != nil {
		t.Fatalf("%v\n%s", err, w.output())
	}
	if len(w.calls) != healthyCalls || v.n != 4 {
		t.Errorf("%d calls, want %d: %v; %d requests to the vendor, want 4", len(w.calls), healthyCalls, w.calls, v.n)
	}
}

// Each call of the function fails once in each way, at Secrets Manager and at the
// vendor; the rotation that Secrets Manager repeats finishes, and leaves no
// orphan.
func TestStepsFailAndAreRepeated(t *testing.T) {
	t.Parallel()
	retire := map[string]string{"RETIRE_AFTER": "1s", "AWS_MAX_ATTEMPTS": "1"}
	t.Run("secretsmanager", func(t *testing.T) {
		t.Parallel()
		w, v := newAcmeWorld(t, retire)
		for _, kind := range []secretsmanager.FaultKind{secretsmanager.Throttle, secretsmanager.ServerError, secretsmanager.Drop, secretsmanager.LoseReply} {
			for call := range healthyCalls {
				old, n := w.value("AWSCURRENT"), 0
				w.setFault(func(operation string) (k secretsmanager.FaultKind) {
					if operation == "RotateSecret" { // the test's own
						return secretsmanager.NoFault
					}
					if n == call {
						k = kind
					}
					n++
					return k
				})
				err := w.rotate(true)
				w.setFault(nil)
				if err != nil {
					t.Fatalf("fault %d at call %d: %v\n%s", kind, call, err, w.output())
				}
				w.mustHaveRotated(v, old)
				w.endLeftovers(v)
			}
		}
	})
	t.Run("vendor", func(t *testing.T) {
		t.Parallel()
		w, v := newAcmeWorld(t, retire)
		for _, kind := range []fault{lost, replyLost, broken, slowDown} {
			for request := range 5 {
				old := w.value("AWSCURRENT")
				v.mu.Lock()
				from := v.n
				v.fault = func(n int) fault {
					if n == from+request {
						return kind
					}
					return healthy
				}
				v.mu.Unlock()
				if err := w.rotate(true); err != nil {
					t.Fatalf("fault %d at request %d: %v\n%s", kind, request, err, w.output())
				}
				w.mustHaveRotated(v, old)
				w.endLeftovers(v)
			}
		}
	})
}

// endLeftovers asserts that no key lives but those of the two versions, and ends
// the previous one as the retire phase would.
func (w *world) endLeftovers(v *acme) {
	w.t.Helper()
	held := []string{w.value("AWSCURRENT")["keyId"], w.value("AWSPREVIOUS")["keyId"]}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, k := range v.live() {
		if !slices.Contains(held, k.ID) {
			w.t.Errorf("the key %s (%s) is in no version", k.ID, k.Label)
		}
		if k.ID == held[1] {
			k.ended = true
		}
	}
}

// The old key ends after the grace period.
func TestOldKeyIsRetired(t *testing.T) {
	t.Parallel()
	w, v := newAcmeWorld(t, map[string]string{"RETIRE_AFTER": "1s", "RETIRE_WINDOW": "0", "RETIRE_ROLE_ARN": "arn:aws:iam::123456789012:role/rekey-retire"})
	old := w.value("AWSCURRENT")
	if err := w.rotate(true); err != nil {
		t.Fatalf("%v\n%s", err, w.output())
	}
	for v.works(old["apiKey"]) {
		if i := <-w.retired; i.Err != nil {
			t.Fatalf("%v\n%s", i.Err, w.output())
		}
	}
	w.mustHaveRotated(v, old)
	if len(v.live()) != 1 {
		t.Errorf("%d keys live", len(v.live()))
	}
}

func TestRehearsal(t *testing.T) {
	t.Parallel()
	w, v := newAcmeWorld(t, nil)
	if err := w.rotate(false); err != nil {
		t.Fatal(err)
	}
	if len(v.keys) != 1 || slices.Contains(w.calls, "PutSecretValue") || slices.Contains(w.calls, "UpdateSecretVersionStage") {
		t.Errorf("it changed something: %v", w.calls)
	}
}

// What cannot work is said, with what to do, and nothing is sent anywhere.
func TestMisconfigured(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env    map[string]string
		change map[string]string
		says   string
	}{
		"setting":     {env: map[string]string{"IDLE_FOR": "soon"}, says: "IDLE_FOR"},
		"folder":      {env: map[string]string{"PROVIDERS_DIR": "testdata/nowhere"}, says: "PROVIDERS_DIR"},
		"provider":    {change: map[string]string{"provider": "nobody"}, says: `there is no provider \"nobody\"`},
		"file":        {env: map[string]string{"PROVIDERS_DIR": "testdata/broken"}, change: map[string]string{"provider": "broken"}, says: "broken.yaml:"},
		"other host":  {change: map[string]string{"apiHost": "evil.example"}, says: "decides which host"},
		"other admin": {change: map[string]string{"adminSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:nobody-AbCdEf"}, says: "administrator's secret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if folder := c.env["PROVIDERS_DIR"]; folder != "" {
				c.env["PROVIDERS_DIR"] = absolute(t, folder)
			}
			v := newAcme()
			w := newWorld(t, v, c.env)
			document := map[string]string{"provider": "acme", "adminSecretArn": w.keep("admin", map[string]string{"token": acmeToken}), "keyId": "key-0", "apiKey": v.keys[0].secret}
			for k, changed := range c.change {
				document[k] = changed
			}
			w.secret = w.keep("secret", document)
			err := w.rotate(true)
			if err == nil || !strings.Contains(w.output(), c.says) || !strings.Contains(err.Error(), "What to do") {
				t.Errorf("got %v\n%s", err, w.output())
			}
			if v.n > 0 || len(w.proxy.Hosts()) > 0 {
				t.Errorf("something was sent to %v", w.proxy.Hosts())
			}
			w.mustNotLeak(v.secrets()...)
		})
	}
}

// A host whose address is private is not spoken to unless the deployment names
// it, proxy or not.
func TestPrivateAddresses(t *testing.T) {
	t.Parallel()
	for name, allowed := range map[string]bool{"refused": false, "allowed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newAcme()
			web := httptest.NewTLSServer(v) // its certificate is not for localhost
			t.Cleanup(web.Close)
			env := map[string]string{"HTTPS_PROXY": ""}
			if allowed {
				env["ALLOW_PRIVATE_HOSTS"] = "localhost"
			}
			w := newWorld(t, http.NotFoundHandler(), env)
			_, port, _ := net.SplitHostPort(web.Listener.Addr().String())
			host := "localhost:" + port
			admin := w.keep("admin", map[string]string{"token": acmeToken, "apiHost": host})
			w.secret = w.keep("secret", map[string]string{"provider": "acme", "adminSecretArn": admin, "keyId": "key-0", "apiKey": v.keys[0].secret})
			err := w.rotate(true)
			want := map[bool]string{false: "is private", true: "certificate is for another name"}[allowed]
			if err == nil || !strings.Contains(err.Error(), want) || v.n > 0 {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

// The vendor does not answer: the function says so itself, before Lambda ends it.
func TestSilentVendor(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	w := newWorld(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-stop:
		}
	}), nil, func(c *lambda.Config) { c.Timeout = 2 * time.Second })
	t.Cleanup(func() { close(stop) })
	w.secret = w.keep("secret", map[string]string{"provider": "acme", "adminSecretArn": w.keep("admin", map[string]string{"token": acmeToken}), "keyId": "key-0", "apiKey": "x"})
	err := w.rotate(true)
	if err == nil || !strings.Contains(err.Error(), "no answer in the time there was") {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(w.output(), `"kind":"unreachable"`) {
		t.Errorf("the log does not tell the cause:\n%s", w.output())
	}
	w.mustNotLeak(acmeToken)
}

func decode(t *testing.T, text string, to *map[string]string) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), to); err != nil {
		t.Fatal(errors.Join(err, fmt.Errorf("in %s", text)))
	}
}
