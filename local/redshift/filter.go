package redshift

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
)

// The filter on the wire: PostgreSQL's protocol, version 3.
//
// https://www.postgresql.org/docs/15/protocol-message-formats.html

const sslRequest, cancelRequest = 80877103, 80877102

func (s *Server) serve(ctx context.Context) {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		go s.line(ctx, conn)
	}
}

// keep has a connection end with the filter.
func (s *Server) keep(c net.Conn) (forget func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines[c] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.lines, c)
		_ = c.Close() // either side has ended it
	}
}

// line carries one connection.
func (s *Server) line(ctx context.Context, client net.Conn) {
	defer s.keep(client)()
	startup, client, err := s.greet(client)
	if err != nil {
		return
	}
	if binary.BigEndian.Uint32(startup[4:]) == cancelRequest {
		s.cancel(ctx, startup)
		return
	}
	backend, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.backend.Addr())
	if err != nil {
		return // the server is down
	}
	defer s.keep(backend)()
	if s.tls != nil {
		secure, err := askForTLS(ctx, backend)
		if err != nil || secure == nil {
			return
		}
		backend = secure
	}
	if _, err := backend.Write(startup); err != nil {
		return
	}
	l := &relay{server: s, client: client, backend: backend, digest: s.storesDigest(ctx, startup)}
	go l.answers()
	l.requests()
}

// greet reads the startup message, after TLS if the client asks for it.
func (s *Server) greet(client net.Conn) ([]byte, net.Conn, error) {
	for {
		message, code, err := readStartup(client)
		switch {
		case err != nil:
			return nil, nil, err
		case code != sslRequest:
			return message, client, nil
		case s.tls == nil:
			if _, err := client.Write([]byte{'N'}); err != nil {
				return nil, nil, err
			}
			continue
		}
		if _, err := client.Write([]byte{'S'}); err != nil {
			return nil, nil, err
		}
		client = tls.Server(client, s.tls)
	}
}

// cancel passes a request to cancel a statement on: the key in it is the server's.
func (s *Server) cancel(ctx context.Context, request []byte) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.backend.Addr())
	if err != nil {
		return // the server is down, and the statement with it
	}
	defer conn.Close()
	if _, err := conn.Write(request); err == nil {
		_, _ = io.Copy(io.Discard, conn) // the server closes it when the signal is sent
	}
}

func readStartup(r io.Reader) (message []byte, code uint32, err error) {
	header := make([]byte, 8)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, 0, err
	}
	length := binary.BigEndian.Uint32(header)
	if length < 8 || length > 1<<16 {
		return nil, 0, fmt.Errorf("a startup message of %d bytes", length)
	}
	message = append(header, make([]byte, length-8)...)
	_, err = io.ReadFull(r, message[8:])
	return message, binary.BigEndian.Uint32(header[4:]), err
}

// askForTLS turns TLS on towards the server; nil: it has none. Who it is is
// known: this process started it.
func askForTLS(ctx context.Context, conn net.Conn) (*tls.Conn, error) {
	if _, err := conn.Write(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 8), sslRequest)); err != nil {
		return nil, err
	}
	var answer [1]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil || answer[0] != 'S' {
		return nil, err
	}
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}) //nolint:gosec // G402: it is this process's own server
	return secure, secure.HandshakeContext(ctx)
}

// storesDigest tells whether the user of a startup message has a SHA-256
// password, for which Redshift asks in a way of its own.
func (s *Server) storesDigest(ctx context.Context, startup []byte) bool {
	fields := strings.Split(string(startup[8:]), "\x00")
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] != "user" {
			continue
		}
		var digest bool
		err := s.admin.QueryRowContext(ctx, "SELECT redshift.notes(oid) ? 'digest' FROM pg_roles WHERE rolname = $1", fields[i+1]).Scan(&digest)
		return err == nil && digest
	}
	return false
}

// relay carries messages between the two once both are there.
type relay struct {
	server          *Server
	client, backend net.Conn
	digest          bool
	in              atomic.Bool // the login is over
}

func readMessage(r io.Reader) (kind byte, body []byte, err error) {
	header := make([]byte, 5)
	if _, err := io.ReadFull(r, header); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(header[1:])
	if length < 4 || length > 1<<26 {
		return 0, nil, fmt.Errorf("a message of %d bytes", length)
	}
	body = make([]byte, length-4)
	_, err = io.ReadFull(r, body)
	return header[0], body, err
}

func writeMessage(w io.Writer, kind byte, body []byte) error {
	message := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4)) //nolint:gosec // G115: readMessage bounds it
	_, err := w.Write(append(message, body...))
	return err
}

// requests carries what the client says, in words that the server knows.
func (l *relay) requests() {
	defer l.backend.Close()
	for {
		kind, body, err := readMessage(l.client)
		if err != nil {
			return
		}
		switch kind {
		case 'Q':
			body = append([]byte(l.server.Rewrite(strings.TrimSuffix(string(body), "\x00"))), 0)
		case 'P': // a name, the statement, types of parameters
			name, rest, _ := strings.Cut(string(body), "\x00")
			statement, types, _ := strings.Cut(rest, "\x00")
			body = []byte(name + "\x00" + l.server.Rewrite(statement) + "\x00" + types)
		}
		if err := writeMessage(l.backend, kind, body); err != nil {
			return
		}
	}
}

const authenticationOK, authenticationMD5, authenticationSASL, authenticationDigest = 0, 5, 10, 13

// answers carries what the server says.
func (l *relay) answers() {
	defer l.client.Close()
	for {
		kind, body, err := readMessage(l.backend)
		if err != nil {
			return
		}
		if !l.in.Load() {
			switch kind {
			case 'E':
				body = oldCode(body)
			case 'R':
				switch code := binary.BigEndian.Uint32(body); {
				case code == authenticationMD5 && l.digest:
					// The algorithm, SHA-256; the salt, and the server's nonce, of 4 bytes each.
					body = binary.BigEndian.AppendUint32(nil, authenticationDigest)
					for _, n := range []uint32{0, 4, 1, 4, 1} {
						body = binary.BigEndian.AppendUint32(body, n)
					}
				case code == authenticationSASL:
					kind, body = 'E', []byte("SFATAL\x00C28000\x00Munsupported authentication method\x00\x00")
				case code == authenticationOK:
					l.in.Store(true)
				}
			}
		}
		if err := writeMessage(l.client, kind, body); err != nil {
			return
		}
	}
}

// oldCode gives a refused password the code that it had in PostgreSQL 8.0.
//
// https://www.postgresql.org/docs/8.0/errcodes-appendix.html
func oldCode(body []byte) []byte {
	return []byte(strings.Replace(string(body), "\x00C28P01\x00", "\x00C28000\x00", 1))
}
