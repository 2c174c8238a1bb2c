package demo

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// wire carries the function's connections to the database, counts them, and keeps what went
// over them in both directions: what anyone in between could have read.
type wire struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu     sync.Mutex
	count  int
	closed bool
	open   map[net.Conn]struct{}
	traffic
}

// tap starts a wire to a port of this machine.
func tap(ctx context.Context, port int) (*wire, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("opening a port in front of the database: %w", err)
	}
	w := &wire{
		listener: listener, target: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		open: map[net.Conn]struct{}{},
	}
	w.running.Go(func() { w.accept(context.WithoutCancel(ctx)) }) // until close
	return w, nil
}

func (w *wire) port() int { return w.listener.Addr().(*net.TCPAddr).Port }

// connections is how many there have been: each is a login, or an attempt at one.
func (w *wire) connections() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

func (w *wire) accept(ctx context.Context) {
	dialer := net.Dialer{Timeout: 10 * time.Second}
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return // closed
		}
		server, err := dialer.DialContext(ctx, "tcp4", w.target)
		if err != nil {
			_ = client.Close() // as if nothing listened
			continue
		}
		if !w.keep(client, server) {
			return
		}
		w.running.Go(func() { w.carry(server, client) })
		w.running.Go(func() { w.carry(client, server) })
	}
}

// keep remembers two connections, so that close ends them; false after close.
func (w *wire) keep(client, server net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		_, _ = client.Close(), server.Close()
		return false
	}
	w.count++
	w.open[client], w.open[server] = struct{}{}, struct{}{}
	return true
}

// carry copies one direction until either side ends; then both end.
func (w *wire) carry(to, from net.Conn) {
	record := w.stream()
	_, _ = io.Copy(to, io.TeeReader(from, record)) // the peers see how it ended
	_, _ = to.Close(), from.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, to)
	delete(w.open, from)
}

func (w *wire) close() {
	_ = w.listener.Close()
	w.mu.Lock()
	w.closed = true
	for conn := range w.open {
		_ = conn.Close()
	}
	w.mu.Unlock()
	w.running.Wait()
}

// traffic is what went over a wire, each direction of each connection by itself: a word must
// not be hidden by what came the other way in between.
type traffic struct{ streams []*stream }

type stream struct {
	wire *wire
	text strings.Builder
}

func (w *wire) stream() *stream {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &stream{wire: w}
	w.streams = append(w.streams, s)
	return s
}

func (s *stream) Write(p []byte) (int, error) {
	s.wire.mu.Lock()
	defer s.wire.mu.Unlock()
	return s.text.Write(p)
}

// text is all streams, one after another.
func (w *wire) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all strings.Builder
	for _, s := range w.streams {
		all.WriteString(s.text.String())
		all.WriteByte('\n')
	}
	return all.String()
}
