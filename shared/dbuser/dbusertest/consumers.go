package dbusertest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/shared/rotation"
)

const (
	cacheFor = 40 * time.Millisecond // then a client reads the secret again
	idleFor  = 60 * time.Millisecond // between two of its logins: more would be a test of the server
)

// Consumption is what consumers met during rotations.
type Consumption struct {
	Logins, Refused int
	// Longest and Mean are the time from the first refused login of a rotation
	// until the last.
	Longest, Mean time.Duration
}

// Consume keeps clients logging in with AWSCURRENT, which each of them caches,
// while the secret rotates, and old passwords are retired where that is planned.
// Both begin when every client has the value of the one before: a cache that is kept for longer than the time between two
// rotations is out of every strategy's hands.
func Consume(t *testing.T, target Target, clients, rotations int) Consumption {
	t.Helper()
	server := target.start(t, database.Options{})
	b := NewBench(t, target, server, "consumed", "Old-Password-of-consumed").retiring(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	all := make([]*client, clients)
	var wg sync.WaitGroup
	for i := range all {
		all[i] = &client{bench: b}
		wg.Go(func() { all[i].run(ctx, t) })
	}
	var sum Consumption
	for range rotations {
		b.awaitRefresh(all)
		if err := b.Rotate(t); err != nil {
			t.Error(err)
			break
		}
		b.awaitRefresh(all)
		if err := b.retirePlanned(t); err != nil {
			t.Error(err)
		}
		window := refusedFor(all)
		sum.Longest = max(sum.Longest, window)
		sum.Mean += window / time.Duration(rotations)
	}
	stop()
	wg.Wait()
	for _, c := range all {
		sum.Logins += c.logins
		sum.Refused += c.refused
	}
	return sum
}

// client is one consumer.
type client struct {
	bench *Bench

	mu          sync.Mutex
	version     string // of the secret that it has
	first, last time.Time
	logins      int
	refused     int
}

func (c *client) run(ctx context.Context, t *testing.T) {
	for ctx.Err() == nil {
		id, v := c.bench.store.Labelled(rotation.Current)
		c.mu.Lock()
		c.version = id
		c.mu.Unlock()
		login := c.bench.loginOf(t, v)
		for until := time.Now().Add(cacheFor); ctx.Err() == nil && time.Now().Before(until); time.Sleep(idleFor) {
			session, err := c.bench.driver.Driver.Login(ctx, login)
			if err == nil {
				err = session.Close()
			}
			if ctx.Err() == nil {
				c.count(t, err)
			}
		}
	}
}

func (c *client) count(t *testing.T, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logins++
	switch {
	case errors.Is(err, rotation.ErrRefused):
		c.refused++
		c.last = time.Now()
		if c.first.IsZero() {
			c.first = c.last
		}
	case err != nil:
		t.Errorf("a consumer's login: %v", err)
	}
}

// awaitRefresh waits until every client has read the secret that is current.
func (b *Bench) awaitRefresh(all []*client) {
	current, _ := b.store.Labelled(rotation.Current)
	for _, c := range all {
		for !c.has(current) {
			time.Sleep(time.Millisecond)
		}
	}
}

func (c *client) has(version string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.version == version
}

// refusedFor is the time from the first refused login to the last, of all
// clients, since it was asked before.
func refusedFor(all []*client) time.Duration {
	var first, last time.Time
	for _, c := range all {
		c.mu.Lock()
		if !c.first.IsZero() && (first.IsZero() || c.first.Before(first)) {
			first = c.first
		}
		if c.last.After(last) {
			last = c.last
		}
		c.first, c.last = time.Time{}, time.Time{}
		c.mu.Unlock()
	}
	return last.Sub(first)
}
