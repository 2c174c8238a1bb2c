package database

import (
	"context"
	"database/sql/driver"
	"net"
	"sync"
	"time"

	"github.com/lib/pq"
)

// pqConnector is lib/pq's connector with contexts honoured during the whole login:
// lib/pq itself waits for ever for the first answer of a server that is paused.
type pqConnector struct{ cfg pq.Config }

func (c pqConnector) Driver() driver.Driver { return &pq.Driver{} }

func (c pqConnector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := pq.NewConnectorConfig(c.cfg)
	if err != nil {
		return nil, err
	}
	d := &interruptibleDialer{}
	inner.Dialer(d)
	stop := context.AfterFunc(ctx, d.interrupt)
	conn, err := inner.Connect(ctx)
	stop()
	if ctx.Err() != nil {
		if err == nil {
			_ = conn.Close()
		}
		return nil, ctx.Err()
	}
	return conn, err
}

// interruptibleDialer remembers what it dialled, so that reads from it can be
// made to fail.
type interruptibleDialer struct {
	net.Dialer

	mu          sync.Mutex
	conn        net.Conn
	interrupted bool
}

func (d *interruptibleDialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

func (d *interruptibleDialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

func (d *interruptibleDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.conn = conn
	interrupted := d.interrupted
	d.mu.Unlock()
	if interrupted {
		d.interrupt()
	}
	return conn, nil
}

func (d *interruptibleDialer) interrupt() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.interrupted = true
	if d.conn != nil {
		_ = d.conn.SetDeadline(time.Unix(1, 0)) // long past
	}
}
