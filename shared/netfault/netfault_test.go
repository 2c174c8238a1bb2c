package netfault_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/netfault"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// The faults are real ones: of a listener that closes, hangs, or speaks
// something else, and of a certificate that does not fit.
func TestClassify(t *testing.T) {
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(secure.Close)
	dial := func(config *tls.Config) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", secure.Listener.Addr().String())
			return err
		}
	}
	trusting := secure.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	trusting.ServerName = "other.example.org"
	for name, c := range map[string]struct {
		fail func(context.Context) error
		kind error
		says string
	}{
		"refused":           {tcp("127.0.0.1:1"), rotation.ErrUnreachable, "connection refused"},
		"no such host":      {tcp("no-such-host.invalid:1"), rotation.ErrUnreachable, "does not resolve"},
		"closed":            {talk(t, func(c net.Conn) { _ = c.Close() }), rotation.ErrUnreachable, "closed the connection"},
		"silent":            {talk(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }), rotation.ErrUnreachable, "in the time there was"},
		"unknown authority": {dial(&tls.Config{ServerName: "example.com"}), rotation.ErrTLS, "not trusted"},
		"another name":      {dial(trusting), rotation.ErrTLS, "another name (example.com"},
		"no TLS":            {handshake(t, "HTTP/1.0 400 Bad Request\r\n\r\n"), rotation.ErrTLS, "does not speak TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			patience := 30 * time.Second
			if name == "silent" {
				patience = 300 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cause := c.fail(ctx)
			if cause == nil {
				t.Fatal("it did not fail")
			}
			err, known := netfault.Classify(ctx, cause)
			if !known || !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v is %v, want %v: %s", cause, err, c.kind, c.says)
			}
			if errors.Is(err, cause) {
				t.Error("the cause is wrapped: it may hold a secret")
			}
		})
	}
	if err, known := netfault.Classify(t.Context(), errors.New("something else")); known {
		t.Errorf("an unknown error is %v", err)
	}
}

func tcp(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		return err
	}
}

// listen serves each connection.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return l.Addr().String()
}

// talk reads from a connection until ctx ends.
func talk(t *testing.T, serve func(net.Conn)) func(context.Context) error {
	address := listen(t, serve)
	return func(ctx context.Context) error {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		defer c.Close()
		context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
		_, err = c.Read(make([]byte, 1))
		return err
	}
}

// handshake asks for TLS and is answered with something else.
func handshake(t *testing.T, answer string) func(context.Context) error {
	address := listen(t, func(c net.Conn) { _, _ = io.WriteString(c, answer) })
	return func(ctx context.Context) error {
		_, err := (&tls.Dialer{}).DialContext(ctx, "tcp", address)
		return err
	}
}
