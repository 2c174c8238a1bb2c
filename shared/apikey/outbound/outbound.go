// Package outbound is HTTP to vendors: verified TLS and nothing else, no
// redirects, no private addresses unless the deployment allows them, and answers
// of a size that fits.
package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/netfault"
	"github.com/rekey-aws/rekey/shared/publicaddr"
	"github.com/rekey-aws/rekey/shared/rotation"
)

const (
	// maxBody is the largest answer that is read, in bytes: a page of keys has less.
	maxBody = 4 << 20
	// patience is how long one request may take. A step has time for more than one.
	patience = 15 * time.Second
	// dialing leaves a step time for another attempt.
	dialing = 5 * time.Second
)

// Options are the deployment's.
type Options struct {
	// PrivateHosts are the hosts whose addresses may be private.
	PrivateHosts []string
	// Proxy is http.ProxyFromEnvironment, or nil for none. A proxy looks names up
	// itself, so that addresses behind one are the proxy's to refuse.
	Proxy func(*http.Request) (*url.URL, error)
	// Roots are the authorities trusted; nil: the system's, or SSL_CERT_FILE.
	Roots *x509.CertPool
}

// Client sends requests. It is safe for several goroutines.
type Client struct {
	http http.Client
}

// New makes a client.
func New(o Options) *Client {
	guard := &guard{private: map[string]bool{}}
	for _, host := range o.PrivateHosts {
		guard.private[strings.ToLower(strings.TrimSuffix(host, "."))] = true
	}
	return &Client{http: http.Client{
		Transport: &http.Transport{
			Proxy:                  guard.through(o.Proxy),
			DialContext:            guard.dial,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots},
			TLSHandshakeTimeout:    dialing,
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: 64 << 10,
			// A connection that lay idle while the function was frozen fails in a way
			// that leaves open whether a request was carried out.
			DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request, once. Every status is an answer; redirects are not
// followed, and are errors. Errors wrap one sentinel of package rotation, and
// [apikey.ErrNotSent] if the request certainly did not leave; they name no more
// of the request than its host.
func (c *Client) Do(ctx context.Context, r *http.Request) (Answer, error) {
	if err := acceptable(r.URL); err != nil {
		return Answer{}, apikey.NotSent(err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	connected := false
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected = true }})
	response, err := c.http.Do(r.WithContext(ctx)) //nolint:gosec // where it may go is what acceptable and guard are for
	if err != nil {
		err = failure(ctx, r.URL, err)
		if !connected {
			err = apikey.NotSent(err)
		}
		return Answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err != nil {
		return Answer{}, failure(ctx, r.URL, err)
	}
	if len(body) > maxBody {
		return Answer{}, fmt.Errorf("%s: the answer is larger than %d bytes: %w", r.URL.Host, maxBody, rotation.ErrVendor)
	}
	if to := response.Header.Get("Location"); response.StatusCode/100 == 3 && to != "" {
		return Answer{}, apikey.NotSent(rotation.WithHint(
			fmt.Errorf("%s answered with a redirect to %s, which is not followed: %w", r.URL.Host, target(r.URL, to), rotation.ErrConfig),
			"Credentials are sent where the provider's file and the secret's settings say, and nowhere else: correct the address there."))
	}
	return Answer{Status: response.StatusCode, Header: response.Header, Body: body}, nil
}

// acceptable refuses addresses that no vendor's API has.
func acceptable(u *url.URL) error {
	switch {
	case u.Scheme != "https":
		return config("the address of the vendor is not https", "Credentials travel over TLS only: correct the provider's file or the secret's setting.")
	case u.Host == "" || u.User != nil || u.Fragment != "":
		return config("the address of the vendor is not one: it needs a host, and neither user nor fragment", "Correct the provider's file or the secret's setting.")
	}
	return nil
}

func config(wrong, remedy string) error {
	return rotation.WithHint(fmt.Errorf("%s: %w", wrong, rotation.ErrConfig), remedy)
}

// target is the host of a redirect; its path may hold anything.
func target(from *url.URL, to string) string {
	u, err := from.Parse(to)
	switch {
	case err != nil:
		return "an address that is none"
	case u.Host == from.Host:
		return "another path of it"
	}
	return u.Scheme + "://" + u.Host
}

// failure gives an error of the transport its kind. Its own text may quote the URL.
func failure(ctx context.Context, u *url.URL, err error) error {
	var refused *publicaddr.Error
	if errors.As(err, &refused) {
		return rotation.WithHint(fmt.Errorf("%s: %w", u.Host, refused),
			"If that is meant, name the host in the function's ALLOW_PRIVATE_HOSTS.")
	}
	fault, known := netfault.Classify(ctx, err)
	switch {
	case !known:
		return fmt.Errorf("%s: the request failed in an unknown way (%T): %w", u.Host, errors.Unwrap(err), rotation.ErrUnreachable)
	case errors.Is(fault, rotation.ErrTLS):
		return rotation.WithHint(fmt.Errorf("%s: %w", u.Host, fault),
			"Check the address in the provider's file or the secret's setting. If a private authority signs the vendor's certificate, or a proxy opens TLS, point SSL_CERT_FILE at its certificate.")
	}
	return rotation.WithHint(fmt.Errorf("%s: %w", u.Host, fault),
		"Check that the function reaches the vendor: in a VPC it needs a NAT gateway or a proxy (HTTPS_PROXY).")
}

// RetryAfter is how long the vendor asks to wait (RFC 9110 §10.2.3), which it says
// in seconds or as a date.
func (a Answer) RetryAfter(now time.Time) (time.Duration, bool) {
	text := strings.TrimSpace(a.Header.Get("Retry-After"))
	if text == "" {
		return 0, false
	}
	if d, err := time.ParseDuration(text + "s"); err == nil && d >= 0 {
		return d, true
	}
	at, err := http.ParseTime(text)
	return max(at.Sub(now), 0), err == nil
}
