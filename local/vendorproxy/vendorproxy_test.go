package vendorproxy_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"testing"

	"github.com/rekey-aws/rekey/local/vendorproxy"
)

func TestEveryHostIsTheHandlers(t *testing.T) {
	t.Parallel()
	p, err := vendorproxy.Start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.Host, r.URL.Path)
	}), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(p.CAFile())
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate", err)
	}
	proxy, _ := url.Parse(p.URL())
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	for _, host := range []string{"api.vendor.example", "other.example"} {
		answer, err := (&http.Client{Transport: transport}).Get("https://" + host + "/path")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if string(body) != host+" /path" {
			t.Errorf("got %q", body)
		}
	}
	if got := p.Hosts(); !slices.Equal(got, []string{"api.vendor.example:443", "other.example:443"}) {
		t.Errorf("hosts %v", got)
	}
}
