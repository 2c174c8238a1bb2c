package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
)

// wire carries connections to a server and counts what goes over them. What it carries may
// be encrypted, so it counts turns: a request, in as many pieces as it comes, and the
// beginning of its reply. A server's word of welcome is none, nor is a client's farewell.
type wire struct {
	listener net.Listener
	target   string
	open     func(greeting []byte) bool // whether a login that begins so is without TLS; nil: not asked

	mu    sync.Mutex
	seen  traffic
	lines map[net.Conn]struct{}
}

// traffic is what went over a wire.
type traffic struct{ connections, plaintext, turns, bytes int }

func (t traffic) minus(u traffic) traffic {
	return traffic{t.connections - u.connections, t.plaintext - u.plaintext, t.turns - u.turns, t.bytes - u.bytes}
}

// newWire listens on a free port of the loopback. Close it before ctx ends.
func newWire(ctx context.Context, target string, open func([]byte) bool) (*wire, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("opening a port in front of %s: %w", target, err)
	}
	w := &wire{listener: l, target: target, open: open, lines: map[net.Conn]struct{}{}}
	go w.serve(ctx)
	return w, nil
}

func (w *wire) port() int { return w.listener.Addr().(*net.TCPAddr).Port }

func (w *wire) count() traffic {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}

// close ends the wire and every connection through it.
func (w *wire) close() {
	_ = w.listener.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.lines {
		_ = c.Close()
	}
}

func (w *wire) serve(ctx context.Context) {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return // closed
		}
		go w.connect(ctx, client)
	}
}

func (w *wire) connect(ctx context.Context, client net.Conn) {
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", w.target)
	if err != nil {
		_ = client.Close()
		return
	}
	l := &line{wire: w, client: client, server: server}
	w.mu.Lock()
	w.seen.connections++
	w.lines[client], w.lines[server] = struct{}{}, struct{}{}
	w.mu.Unlock()
	go l.carry(server, client, l.replied)
	l.carry(client, server, l.asked)
}

// line is one connection through a wire. The wire's lock is for its fields too.
type line struct {
	wire           *wire
	client, server net.Conn
	spoken         bool // the client has said something
	asking         bool // the last word was the client's
}

// carry copies one direction until either side ends; then both end.
func (l *line) carry(from, to net.Conn, note func([]byte)) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			l.wire.mu.Lock()
			l.wire.seen.bytes += n
			note(buffer[:n])
			l.wire.mu.Unlock()
			if _, failed := to.Write(buffer[:n]); failed != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	_, _ = from.Close(), to.Close()
	l.wire.mu.Lock()
	defer l.wire.mu.Unlock()
	delete(l.wire.lines, from)
	delete(l.wire.lines, to)
}

func (l *line) asked(said []byte) {
	if !l.spoken && l.wire.open != nil && l.wire.open(said) {
		l.wire.seen.plaintext++
	}
	l.spoken, l.asking = true, true
}

func (l *line) replied([]byte) {
	if l.asking {
		l.wire.seen.turns++
	}
	l.asking = false
}

// openPostgres: a session begins with its version, 3.0, unless a request for TLS comes first.
// https://www.postgresql.org/docs/current/protocol-message-formats.html (StartupMessage, SSLRequest)
func openPostgres(greeting []byte) bool {
	return len(greeting) >= 8 && bytes.Equal(greeting[4:6], []byte{0, 3})
}

// openMySQL: the client's first packet says by a bit that TLS follows, and is a login if not.
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_ssl_request.html
func openMySQL(greeting []byte) bool {
	const clientSSL = 1 << 11
	return len(greeting) >= 8 && binary.LittleEndian.Uint32(greeting[4:8])&clientSSL == 0
}
