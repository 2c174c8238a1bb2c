package rotationtest

import (
	"context"
	"net"
	"sync"
	"time"
)

// Wire is a TCP proxy in front of a server: what is sent through it can be lost
// on the way there, on the way back, or held. What it carries is encrypted, so
// it counts turns: a request, in as many pieces as it comes, and its reply.
//
// Fates mean here: NotDone and ReplyLost, the connection breaks before the
// request arrives or after its reply left; KilledBefore and KilledAfter, and
// nothing else of the process arrives either; Stalled, the request is held until
// the client gives up.
type Wire struct {
	listener net.Listener
	server   string

	mu    sync.Mutex
	turns int
	at    int
	fate  Fate
	stall func()
	dead  bool
	lines map[*line]struct{}
}

// line is one connection through a Wire.
type line struct {
	client, server net.Conn
	requesting     bool // the last bytes were the client's
	loseReply      bool
}

// NewWire listens on a free port of the loopback. Close it before ctx ends.
func NewWire(ctx context.Context, server string) (*Wire, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &Wire{listener: l, server: server, lines: map[*line]struct{}{}}
	go w.serve(ctx)
	return w, nil
}

// Port is where clients connect to.
func (w *Wire) Port() int { return w.listener.Addr().(*net.TCPAddr).Port }

// FailAt plans one fault: the nth turn from now (0 is the next) meets fate. At a
// Stalled one, stall is called: it ends the client's patience.
func (w *Wire) FailAt(n int, fate Fate, stall func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.turns, w.at, w.fate, w.stall, w.dead = 0, n, fate, stall, false
}

// Turns is how many there were since the last FailAt.
func (w *Wire) Turns() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.turns
}

// Close ends the proxy and every connection through it.
func (w *Wire) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kill(nil)
	return w.listener.Close()
}

func (w *Wire) serve(ctx context.Context) {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return // closed
		}
		go w.connect(ctx, client)
	}
}

func (w *Wire) connect(ctx context.Context, client net.Conn) {
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", w.server)
	if err != nil {
		_ = client.Close()
		return
	}
	l := &line{client: client, server: server}
	w.mu.Lock()
	w.lines[l] = struct{}{}
	if w.dead {
		l.hangUp()
	}
	w.mu.Unlock()
	go w.replies(l)
	w.requests(l)
	w.mu.Lock()
	delete(w.lines, l)
	w.mu.Unlock()
}

// requests carries what the client says.
func (w *Wire) requests(l *line) {
	defer l.hangUp()
	buffer := make([]byte, 16<<10)
	for {
		n, err := l.client.Read(buffer)
		if err != nil {
			return
		}
		switch fate := w.turn(l); fate {
		case NotDone, KilledBefore:
			return
		case Stalled:
			w.stall()
			_, _ = l.client.Read(buffer) // until the client hangs up
			return
		}
		if _, err := l.server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// turn is the fate of a piece of a request.
func (w *Wire) turn(l *line) Fate {
	w.mu.Lock()
	defer w.mu.Unlock()
	if l.requesting {
		return Healthy // a further piece
	}
	l.requesting = true
	w.turns++
	if w.turns != w.at+1 {
		return Healthy
	}
	switch w.fate {
	case ReplyLost, KilledAfter:
		l.loseReply = true
	case KilledBefore:
		w.kill(nil)
	}
	return w.fate
}

// kill ends what a process has but for one line, and what it will try. The caller
// holds w.mu.
func (w *Wire) kill(but *line) {
	w.dead = true
	for l := range w.lines {
		if l != but {
			l.hangUp()
		}
	}
}

// replies carries what the server says.
func (w *Wire) replies(l *line) {
	defer l.hangUp()
	buffer := make([]byte, 16<<10)
	for {
		n, err := l.server.Read(buffer)
		if err != nil {
			return
		}
		w.mu.Lock()
		l.requesting = false
		lose, fate := l.loseReply, w.fate
		w.mu.Unlock()
		if lose {
			w.loseReply(l, fate, buffer)
			return
		}
		if _, err := l.client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// loseReply breaks the client's side. The server's stays a moment: the first
// bytes that come after a request may belong to what was before.
func (w *Wire) loseReply(l *line, fate Fate, buffer []byte) {
	if fate == KilledAfter {
		w.mu.Lock()
		w.kill(l)
		w.mu.Unlock()
	}
	_ = l.client.Close()
	_ = l.server.SetReadDeadline(time.Now().Add(3 * time.Millisecond))
	for {
		if _, err := l.server.Read(buffer); err != nil {
			return
		}
	}
}

func (l *line) hangUp() {
	_ = l.client.Close()
	_ = l.server.Close()
}
