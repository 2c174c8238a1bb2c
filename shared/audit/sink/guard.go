package sink

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"github.com/rekey-aws/rekey/shared/publicaddr"
)

// direct is an HTTP client that follows no redirect, as that could take what is sent, and the
// right to send it, elsewhere; asks no proxy; and, unless private addresses are allowed,
// connects to public addresses only, whatever the name resolves to at that moment:
// see package publicaddr.
func direct(private bool) *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	if !private {
		dialer.Control = publicaddr.Control
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 5 * time.Second,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
