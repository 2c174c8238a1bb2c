package outbound_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/outbound"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// serve is a vendor on this machine, and a client that trusts it.
func serve(t *testing.T, h http.HandlerFunc, o outbound.Options) (*outbound.Client, string) {
	t.Helper()
	web := httptest.NewUnstartedServer(h)
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.StartTLS()
	t.Cleanup(web.Close)
	o.Roots = x509.NewCertPool()
	o.Roots.AddCert(web.Certificate())
	return outbound.New(o), web.URL
}

var here = outbound.Options{PrivateHosts: []string{"127.0.0.1"}}

func get(t *testing.T, c *outbound.Client, address string) (outbound.Answer, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer the-credential")
	return c.Do(t.Context(), r)
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	c, address := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, "short and stout")
	}, here)
	a, err := get(t, c, address)
	if err != nil || a.Status != http.StatusTeapot || string(a.Body) != "short and stout" {
		t.Errorf("got %+v, %v", a, err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	elsewhere := 0
	other := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	t.Cleanup(other.Close)
	big := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 4<<20+1)) }
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		options outbound.Options
		address string // in place of the server's
		kind    error
		sent    bool
		says    string
	}{
		"redirect to another host": {handler: http.RedirectHandler(other.URL+"/secret-path", http.StatusTemporaryRedirect).ServeHTTP, options: here, kind: rotation.ErrConfig, says: "redirect to " + other.URL + ","},
		"redirect to itself":       {handler: http.RedirectHandler("/other", http.StatusFound).ServeHTTP, options: here, kind: rotation.ErrConfig, says: "another path of it"},
		"too large":                {handler: big, options: here, kind: rotation.ErrVendor, sent: true, says: "larger than"},
		"private":                  {handler: big, kind: rotation.ErrConfig, says: "is private"},
		"plaintext":                {address: "http://vendor.example/", kind: rotation.ErrConfig, says: "not https"},
		"user in the address":      {address: "https://user:password@vendor.example/", kind: rotation.ErrConfig, says: "neither user"},
		"no such name":             {address: "https://vendor.invalid/", kind: rotation.ErrUnreachable, says: "vendor.invalid"},
		"metadata of the machine":  {address: "https://169.254.169.254/latest", kind: rotation.ErrConfig, says: "169.254.169.254 is private"},
		"hidden in IPv6":           {address: "https://[::ffff:10.0.0.1]/", kind: rotation.ErrConfig, says: "is private"},
		"translated":               {address: "https://[64:ff9b::a00:1]/", kind: rotation.ErrConfig, says: "is private"},
		"lost":                     {handler: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, options: here, kind: rotation.ErrUnreachable, sent: true, says: "closed the connection"},
	} {
		t.Run(name, func(t *testing.T) {
			client, address := serve(t, c.handler, c.options)
			if c.address != "" {
				address = c.address
			}
			_, err := get(t, client, address)
			if !errors.Is(err, c.kind) || !strings.Contains(fmt.Sprint(err), c.says) {
				t.Errorf("got %v", err)
			}
			if errors.Is(err, apikey.ErrNotSent) == c.sent {
				t.Errorf("not sent: %v, want %v", !c.sent, c.sent)
			}
			for _, secret := range []string{"the-credential", "secret-path", "password@"} {
				if strings.Contains(fmt.Sprint(err), secret) {
					t.Errorf("it tells %s: %v", secret, err)
				}
			}
		})
	}
	if elsewhere > 0 {
		t.Error("a redirect was followed")
	}
}

// What is not TLS 1.2 or better, or not verified, gets nothing.
func TestTLS(t *testing.T) {
	t.Parallel()
	served := 0
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ }))
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	web.StartTLS()
	t.Cleanup(web.Close)
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	if _, err := get(t, outbound.New(outbound.Options{PrivateHosts: here.PrivateHosts, Roots: roots}), web.URL); !errors.Is(err, rotation.ErrTLS) || !errors.Is(err, apikey.ErrNotSent) {
		t.Errorf("TLS 1.1: %v", err)
	}
	modern := httptest.NewUnstartedServer(web.Config.Handler)
	modern.Config.ErrorLog = web.Config.ErrorLog
	modern.StartTLS()
	t.Cleanup(modern.Close)
	if _, err := get(t, outbound.New(outbound.Options{PrivateHosts: here.PrivateHosts, Roots: x509.NewCertPool()}), modern.URL); !errors.Is(err, rotation.ErrTLS) {
		t.Errorf("an unknown authority: %v", err)
	}
	if served > 0 {
		t.Error("a request arrived")
	}
}

// A proxy may be anywhere, and what is private behind it is still refused where
// the address itself says so.
func TestProxies(t *testing.T) {
	t.Parallel()
	proxied := make(chan string, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxied <- r.Host
		w.WriteHeader(http.StatusBadGateway)
	}))
	t.Cleanup(proxy.Close)
	u, _ := url.Parse(proxy.URL)
	c := outbound.New(outbound.Options{Proxy: http.ProxyURL(u)})
	if _, err := get(t, c, "https://vendor.example/"); !errors.Is(err, rotation.ErrUnreachable) || !errors.Is(err, apikey.ErrNotSent) {
		t.Errorf("got %v", err)
	}
	if host := <-proxied; host != "vendor.example:443" {
		t.Errorf("the proxy was asked for %s", host)
	}
	if _, err := get(t, c, "https://10.1.2.3/"); !errors.Is(err, rotation.ErrConfig) {
		t.Errorf("a private address behind a proxy: %v", err)
	}
	if len(proxied) > 0 {
		t.Error("the proxy was asked for a private address")
	}
}

// A name that is allowed does not allow another name for the same address, and
// the address that is dialled is what is looked at, whatever the name.
func TestNamesOfPrivateAddresses(t *testing.T) {
	t.Parallel()
	c, address := serve(t, func(http.ResponseWriter, *http.Request) {}, outbound.Options{PrivateHosts: []string{"other.example"}})
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(address, "https://"))
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "0x7f.1"} {
		if _, err := get(t, c, "https://"+host+":"+port); err == nil || !errors.Is(err, apikey.ErrNotSent) {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": -1, "7": 7 * time.Second, "0": 0, "1.5": 1500 * time.Millisecond, "soon": -1, "-3": -1,
		"Mon, 23 Nov 2026 12:00:30 GMT": 30 * time.Second, "Mon, 23 Nov 2026 11:00:00 GMT": 0,
	} {
		got, ok := outbound.Answer{Header: http.Header{"Retry-After": {text}}}.RetryAfter(now)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %v, %v", text, got, ok)
		}
	}
}
