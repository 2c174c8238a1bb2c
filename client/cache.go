package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Source is where secrets come from.
type Source interface {
	// Fetch reads the current version of a secret. fresh: not from a cache that the source
	// has itself. Errors wrap a sentinel of package rotation and hold no secret.
	Fetch(ctx context.Context, id string, fresh bool) (*Secret, error)
}

// Options of a [Cache]. The zero value is usable.
type Options struct {
	// TTL is how old a secret becomes before it is fetched again, less a random tenth so
	// that a fleet does not ask all at once. 5 minutes if 0.
	TTL time.Duration
	// MaxStale is for how long after that a secret is still served while no newer one can
	// be had, because Secrets Manager is unreachable, throttles or fails. An hour if 0; none
	// if negative: then who asks after the TTL waits for the fetch. A secret that is gone or
	// forbidden is not served any longer.
	MaxStale time.Duration
	// Timeout of one fetch. 10 seconds if 0.
	Timeout time.Duration
	// Size is how many secrets are kept: beyond it, those go that were not used for longest.
	// 1024 if 0.
	Size int
	// Now is the clock. time.Now if nil.
	Now func() time.Time
}

// Cache keeps secrets. It is safe for several goroutines. Close it.
//
// A secret that has reached its TTL is fetched in the background, by one goroutine however
// many ask, and served meanwhile. One that nobody asked for during two TTLs is fetched
// before it is served.
type Cache struct {
	source Source
	o      Options

	entries atomic.Pointer[map[string]*entry] // copied when it changes, which is rare
	mu      sync.Mutex                        // of that

	ctx     context.Context // of fetches, which outlive the calls that began them
	stop    context.CancelFunc
	flights sync.WaitGroup
}

// New makes a cache. It fetches nothing yet.
func New(source Source, o Options) *Cache {
	o.TTL = cmp.Or(max(o.TTL, 0), 5*time.Minute)
	o.MaxStale = max(cmp.Or(o.MaxStale, time.Hour), 0)
	o.Timeout = cmp.Or(max(o.Timeout, 0), 10*time.Second)
	o.Size = cmp.Or(max(o.Size, 0), 1024)
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Cache{source: source, o: o}
	c.entries.Store(&map[string]*entry{})
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

// ErrClosed is the error of a cache that was closed.
var ErrClosed = errors.New("the cache of secrets is closed")

// Close ends what is being fetched, and waits for that.
func (c *Cache) Close() {
	c.mu.Lock()
	c.stop()
	c.mu.Unlock()
	c.flights.Wait()
}

// Get is the current version of a secret, by its name or ARN. A hit allocates nothing.
func (c *Cache) Get(ctx context.Context, id string) (*Secret, error) {
	e := c.entry(id)
	now := c.o.Now()
	if h := e.held.Load(); h != nil {
		e.touch(now)
		if now.Before(h.freshUntil) {
			return h.secret, nil
		}
		if now.Before(h.servedUntil) {
			c.fly(e, false, now)
			return h.secret, nil
		}
	}
	return c.fetch(ctx, e, now)
}

// Cached is what the cache has of a secret, if it has it. It never waits; a secret that has
// reached its TTL is fetched in the background.
func (c *Cache) Cached(id string) (*Secret, bool) {
	e := (*c.entries.Load())[id]
	if e == nil {
		return nil, false
	}
	h, now := e.held.Load(), c.o.Now()
	if h == nil {
		return nil, false
	}
	e.touch(now)
	if !now.Before(h.freshUntil) {
		c.fly(e, false, now)
	}
	return h.secret, true
}

// RefreshNow fetches a secret, from Secrets Manager itself. What others are fetching is
// shared if they began after this call.
func (c *Cache) RefreshNow(ctx context.Context, id string) (*Secret, error) {
	e := c.entry(id)
	asked := c.o.Now()
	for {
		f := c.fly(e, true, time.Time{})
		s, err := f.wait(ctx)
		if f.fresh && !f.began.Before(asked) || ctx.Err() != nil || c.ctx.Err() != nil {
			return s, err
		} // else it was under way before, and may have read what was then current
	}
}

// again is how long the answer is taken for the newest, a failure too, after somebody was
// refused. A refusal that no rotation causes would else become a call each.
const again = time.Second

// Newer is for who was refused with a version: another one if there is, else the same. It
// fetches only what nobody else has fetched meanwhile, at most once a second.
func (c *Cache) Newer(ctx context.Context, id, refused string) (*Secret, error) {
	e := c.entry(id)
	for {
		now := c.o.Now()
		if h := e.held.Load(); h != nil && (h.secret.Version != refused || h.sure && now.Sub(h.landed) < again) {
			return h.secret, nil
		}
		if f := e.lastFailure(); f != nil && f.fresh && now.Sub(f.landed) < again {
			return nil, f.err
		}
		f := c.fly(e, true, time.Time{})
		s, err := f.wait(ctx)
		if f.fresh || ctx.Err() != nil || c.ctx.Err() != nil {
			return s, err
		} // else it was under way before, and may be from a cache that the source has
	}
}

// fetch waits for a secret that is not there, or too old.
func (c *Cache) fetch(ctx context.Context, e *entry, now time.Time) (*Secret, error) {
	f := c.fly(e, false, now)
	s, err := f.wait(ctx)
	if err == nil {
		return s, nil
	}
	if h := e.held.Load(); h != nil && passing(err) && c.o.Now().Before(h.freshUntil.Add(c.o.MaxStale)) {
		return h.secret, nil
	}
	return nil, err
}

// passing tells a failure that says nothing of the secret.
func passing(err error) bool {
	return errors.Is(err, rotation.ErrUnreachable) || errors.Is(err, rotation.ErrThrottled) ||
		errors.Is(err, rotation.ErrVendor) || errors.Is(err, rotation.ErrTLS)
}

// entry is the place of a secret.
func (c *Cache) entry(id string) *entry {
	if e := (*c.entries.Load())[id]; e != nil {
		return e
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known := *c.entries.Load()
	if e := known[id]; e != nil {
		return e
	}
	all := maps.Clone(known)
	for len(all) >= c.o.Size {
		delete(all, oldest(all))
	}
	e := &entry{id: id}
	e.touch(c.o.Now())
	all[id] = e
	c.entries.Store(&all)
	return e
}

func oldest(all map[string]*entry) (id string) {
	least := int64(0)
	for name, e := range all {
		if used := e.used.Load(); id == "" || used < least {
			id, least = name, used
		}
	}
	return id
}

// fly begins to fetch a secret, or joins those who do. With a time, a fetch that failed a
// moment ago is not repeated.
func (c *Cache) fly(e *entry, fresh bool, now time.Time) *flight {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.flight != nil {
		return e.flight
	}
	if !now.IsZero() && now.Before(e.notBefore) {
		return e.failed
	}
	f := &flight{done: make(chan struct{}), began: c.o.Now(), fresh: fresh}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		f.err = ErrClosed
		close(f.done)
		return f
	}
	e.flight = f
	c.flights.Go(func() { c.land(e, f) })
	return f
}

// land carries a flight out.
func (c *Cache) land(e *entry, f *flight) {
	ctx, cancel := context.WithTimeout(c.ctx, c.o.Timeout)
	defer cancel()
	s, err := c.source.Fetch(ctx, e.id, f.fresh)
	if err != nil {
		f.err = fmt.Errorf("fetching the secret %s: %w", e.id, err)
	}
	if c.ctx.Err() != nil {
		f.err = ErrClosed
	}
	now := c.o.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	if f.err == nil {
		f.secret = s
		ttl := c.o.TTL - time.Duration(rand.Int64N(int64(c.o.TTL)/10+1)) //nolint:gosec // when to ask again is nobody's secret
		e.held.Store(&held{
			secret: s, landed: now, sure: f.fresh,
			freshUntil: now.Add(ttl), servedUntil: now.Add(ttl + min(c.o.TTL, c.o.MaxStale)),
		})
		e.failures, e.notBefore, e.failed = 0, time.Time{}, nil
	} else {
		e.failures++
		e.notBefore, e.failed = now.Add(pause(e.failures)), f
		if h := e.held.Load(); h != nil {
			e.held.Store(h.after(f.err, e.notBefore, c.o))
		}
	}
	e.flight, f.landed = nil, now
	close(f.done)
}

// after is what is held when a fetch has failed. What is gone or forbidden is served no more;
// else nobody waits for the next try, which is made at a time.
func (h held) after(err error, next time.Time, o Options) *held {
	if !passing(err) {
		return nil
	}
	h.servedUntil = next.Add(o.TTL)
	if last := h.freshUntil.Add(o.MaxStale); last.Before(h.servedUntil) {
		h.servedUntil = last
	}
	return &h
}

// pause after failures in a row: 0.5 to 1 second, twice that, … at most a minute.
func pause(failures int) time.Duration {
	most := min(time.Second<<min(failures-1, 10), time.Minute)
	return most/2 + time.Duration(rand.Int64N(int64(most)/2)) //nolint:gosec // when to ask again is nobody's secret
}

// entry is one secret in the cache.
type entry struct {
	id   string
	held atomic.Pointer[held]
	used atomic.Int64 // seconds

	mu        sync.Mutex
	flight    *flight // under way
	failures  int     // in a row
	failed    *flight // the last one, if it failed
	notBefore time.Time
}

func (e *entry) lastFailure() *flight {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.failed
}

func (e *entry) touch(now time.Time) {
	if s := now.Unix(); e.used.Load() != s {
		e.used.Store(s)
	}
}

// held is what the cache has of a secret.
type held struct {
	secret      *Secret
	landed      time.Time
	sure        bool // it did not come from a cache of the source's
	freshUntil  time.Time
	servedUntil time.Time // while it is fetched in the background
}

// flight is one fetch that callers wait for.
type flight struct {
	began time.Time
	fresh bool

	done   chan struct{}
	landed time.Time
	secret *Secret
	err    error
}

func (f *flight) wait(ctx context.Context) (*Secret, error) {
	select {
	case <-f.done:
		return f.secret, f.err
	default:
	}
	select {
	case <-f.done:
		return f.secret, f.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
