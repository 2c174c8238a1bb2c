// Package netfault tells why a server could not be spoken to: no name, no
// route, no answer in time, no verified TLS. It is the same for databases,
// vendors and AWS.
package netfault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Classify gives a failure of the network or of TLS its kind. It reports false
// for anything else. The result never wraps err, which may quote a connection
// string or a URL with credentials.
func Classify(ctx context.Context, err error) (error, bool) {
	var (
		hostname  x509.HostnameError
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
		record    tls.RecordHeaderError
		alert     tls.AlertError
		dns       *net.DNSError
		op        *net.OpError
	)
	switch {
	case errors.As(err, &hostname):
		return rotation.WithHint(fmt.Errorf("the server's certificate is for another name (%s): %w", certificateNames(hostname.Certificate), rotation.ErrTLS),
			"Use the name in the certificate as host, or put it into the secret as \"tlsServerName\"."), true
	case errors.As(err, &authority):
		return rotation.WithHint(fmt.Errorf("the server's certificate is signed by an authority that is not trusted: %w", rotation.ErrTLS),
			"RDS and the system's authorities are trusted. For a private one, point SSL_CERT_FILE at its certificate."), true
	case errors.As(err, &invalid), errors.As(err, &verify):
		return fmt.Errorf("the server's certificate is not valid (expired, or not for a server): %w", rotation.ErrTLS), true
	case errors.As(err, &record), errors.As(err, &alert):
		return fmt.Errorf("the TLS handshake failed (%s): %w", tlsReason(err), rotation.ErrTLS), true
	case errors.As(err, &op) && op.Op == "remote error":
		// A TLS alert of the server, of a type that crypto/tls does not export. Its
		// text is one of a fixed few.
		return fmt.Errorf("the server ended the TLS handshake (%s): %w", op.Err.Error(), rotation.ErrTLS), true
	case ctx.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("no answer in the time there was: %w", rotation.ErrUnreachable), true
	case errors.As(err, &dns):
		return rotation.WithHint(fmt.Errorf("the host's name does not resolve: %w", rotation.ErrUnreachable),
			"Check the secret's host, and that the function's subnets resolve it."), true
	case errors.As(err, &op):
		return fmt.Errorf("%s: %w", networkReason(op), rotation.ErrUnreachable), true
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return fmt.Errorf("the server closed the connection: %w", rotation.ErrUnreachable), true
	}
	return nil, false
}

func certificateNames(c *x509.Certificate) string {
	names := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "it bears none"
	}
	if len(names) > 8 {
		names = append(names[:8], "…")
	}
	return strings.Join(names, ", ")
}

func tlsReason(err error) string {
	var alert tls.AlertError
	if errors.As(err, &alert) {
		return alert.Error()
	}
	return "the server does not speak TLS on this port"
}

// networkReason is the system call's own word ("connection refused"), without
// the addresses around it.
func networkReason(op *net.OpError) string {
	var sys *os.SyscallError
	if errors.As(op.Err, &sys) {
		return sys.Err.Error()
	}
	return op.Op + " failed"
}
