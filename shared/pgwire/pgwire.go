// Package pgwire is what the protocol and the texts of PostgreSQL have in common with those of
// its descendants, for drivers of both.
package pgwire

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/shared/dbuser"
)

// ErrNoTLS is that a server answered, and does not offer TLS.
var ErrNoTLS = errors.New("the server does not offer TLS")

// Dialer connects for lib/pq and turns TLS on, unless the login is one in plaintext. It is of
// one login.
type Dialer struct {
	Context context.Context // lib/pq's Dialer is given none
	Login   dbuser.Login
	TLS     *tls.Config
}

// Dial implements pq.Dialer. The address is the login's.
func (d *Dialer) Dial(string, string) (net.Conn, error) { return d.dial() }

// DialTimeout implements pq.Dialer. The time is the context's.
func (d *Dialer) DialTimeout(string, string, time.Duration) (net.Conn, error) { return d.dial() }

func (d *Dialer) dial() (net.Conn, error) {
	conn, err := dbuser.Dial(d.Context, d.Login)
	if err != nil || d.Login.Plaintext {
		return conn, err
	}
	secure, err := startTLS(d.Context, conn, d.TLS)
	if err != nil {
		_ = conn.Close() // the reason is err
		return nil, err
	}
	return secure, nil
}

// startTLS asks for TLS with an SSLRequest and shakes hands. The server's one byte is read
// alone: what else came with it would pass for something that came over TLS (CVE-2021-23222).
//
// https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
func startTLS(ctx context.Context, conn net.Conn, config *tls.Config) (net.Conn, error) {
	const sslRequest = 80877103
	request := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 8), sslRequest)
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	var answer [1]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return nil, err
	}
	if answer[0] != 'S' {
		return nil, ErrNoTLS
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return secure, nil
}

// Names takes apart a setting that is a list of names, such as search_path: with commas
// between them, in double quotes where they need it.
func Names(list string) (names []string) {
	var name strings.Builder
	quoted, begun := false, false
	end := func() {
		if begun {
			names = append(names, name.String())
		}
		name.Reset()
		begun = false
	}
	for i := 0; i < len(list); i++ {
		switch ch := list[i]; {
		case quoted && ch == '"' && i+1 < len(list) && list[i+1] == '"':
			name.WriteByte('"')
			i++
		case ch == '"':
			quoted, begun = !quoted, true
		case !quoted && ch == ',':
			end()
		case !quoted && ch == ' ':
		default:
			name.WriteByte(ch)
			begun = true
		}
	}
	end()
	return names
}
