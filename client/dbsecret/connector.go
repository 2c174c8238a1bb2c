package dbsecret

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rekey-aws/rekey/client"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Options of a [Connector]. The zero value connects over verified TLS.
type Options struct {
	// Params of the driver, added to its connection string: "sslrootcert" or
	// "application_name" of PostgreSQL's drivers, "tls" or "parseTime" of MySQL's. TLS is
	// verified unless one says otherwise: sslmode=verify-full, tls=true.
	Params map[string]string
	// Database in place of the secret's dbname.
	Database string
	// Patience is how long a new connection waits for the secret's next version, when the
	// current one is refused. With one password per user that is the moment between two
	// steps of a rotation. 5 seconds if 0; none if negative.
	Patience time.Duration
	// Drain is the time within which connections of a user who was replaced are given up, at
	// random moments so that they are not all made anew at once. 30 seconds if 0; at once if
	// negative.
	Drain time.Duration
}

// Connector is a [driver.Connector]: sql.OpenDB makes a pool of it. It is safe for several
// goroutines and keeps none of its own.
type Connector struct {
	cache  *client.Cache
	secret string
	driver driver.Driver
	o      Options

	mu   sync.Mutex
	last *trial
}

// New makes a connector. drv is *pq.Driver, *stdlib.Driver of pgx (stdlib.GetDefaultDriver)
// or *mysql.MySQLDriver. Nothing is fetched before the first connection.
func New(cache *client.Cache, secret string, drv driver.Driver, o Options) *Connector {
	o.Params = maps.Clone(o.Params)
	o.Patience = max(cmp.Or(o.Patience, 5*time.Second), 0)
	o.Drain = max(cmp.Or(o.Drain, 30*time.Second), 0)
	return &Connector{cache: cache, secret: secret, driver: drv, o: o}
}

// idle bounds how long a connection that nobody uses is kept: one that is not used cannot
// find out that its user was replaced.
const idle = 5 * time.Minute

// Open makes a pool of a new connector. It does not connect.
func Open(cache *client.Cache, secret string, drv driver.Driver, o Options) *sql.DB {
	db := sql.OpenDB(New(cache, secret, drv, o))
	db.SetConnMaxIdleTime(idle)
	return db
}

// Driver implements [driver.Connector].
func (c *Connector) Driver() driver.Driver { return c.driver }

// Connect implements [driver.Connector]. A driver's error is passed on as it is, so that its
// type and code can be looked at, unless it holds the password.
func (c *Connector) Connect(ctx context.Context) (driver.Conn, error) {
	secret, err := c.cache.Get(ctx, c.secret)
	if err != nil {
		return nil, err
	}
	until := time.Now().Add(c.o.Patience)
	for {
		conn, refused, err := c.attempt(ctx, secret)
		if refused == nil {
			return conn, err
		}
		newer, err := c.newer(ctx, secret.Version, until)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%w; and looking for a newer version of the secret: %w", refused, err)
		case newer.Version == secret.Version:
			return nil, rotation.WithHint(
				fmt.Errorf("version %s of the secret %s is refused, and there is no newer one: %w", newer.Version, c.secret, refused),
				"See in the rotation's log where it stands, and run it again. Was the password changed by hand?")
		}
		secret = newer
	}
}

// trial is the first login with a version, or one that was refused. Fifty connections that are
// made at once shall not be fifty refused logins, for which servers lock accounts: they wait
// for the first one's outcome.
type trial struct {
	version string
	done    chan struct{}
	at      time.Time // of the refusal, as err; both before done is closed
	err     error     // nil: not refused
}

const (
	once     = time.Second     // how long a version that was refused is not tried again
	hesitate = 5 * time.Second // at most, for a first login that gets no answer
)

// try is what is known of a version: its trial, which is the caller's if nobody made one.
func (c *Connector) try(version string) (t *trial, own bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last != nil && c.last.version == version && !c.last.over() {
		return c.last, false
	}
	c.last = &trial{version: version, done: make(chan struct{})}
	return c.last, true
}

// over tells a refusal that says nothing any more.
func (t *trial) over() bool {
	select {
	case <-t.done:
		return t.err != nil && time.Since(t.at) >= once
	default:
		return false
	}
}

// wait is for another's trial. The first result is that of a refusal.
func (t *trial) wait(ctx context.Context) (refused, err error) {
	select {
	case <-t.done:
		return t.err, nil
	case <-time.After(hesitate):
		return nil, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// refuse notes that a version was refused that had been let in before.
func (c *Connector) refuse(version string, err error) {
	t := &trial{version: version, done: make(chan struct{}), at: time.Now(), err: err}
	close(t.done)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = t
}

// newer waits for another version than the one that was refused.
func (c *Connector) newer(ctx context.Context, refused string, until time.Time) (*client.Secret, error) {
	for {
		s, err := c.cache.Newer(ctx, c.secret, refused)
		left := time.Until(until)
		if err != nil || s.Version != refused || left <= 0 {
			return s, err
		}
		select {
		case <-time.After(min(left, pause())):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// pause between two looks for a newer version; the cache fetches once a second at most.
func pause() time.Duration {
	return 100*time.Millisecond + time.Duration(rand.Int64N(int64(100*time.Millisecond))) //nolint:gosec // nobody's secret
}

// attempt makes one connection. The middle result is the server's word that user and
// password are refused, now or a moment ago.
func (c *Connector) attempt(ctx context.Context, s *client.Secret) (_ driver.Conn, refused, err error) {
	t, own := c.try(s.Version)
	if own {
		defer close(t.done)
	} else if refused, err = t.wait(ctx); refused != nil || err != nil {
		return nil, refused, err
	}
	l, err := c.read(s)
	if err != nil {
		return nil, nil, err
	}
	conn, err := l.connect(ctx, c.driver)
	if err == nil {
		return &connection{Conn: conn, of: c, user: l.user}, nil, nil
	}
	isRefused := l.dialect.refused(err) // also if the password is a word of what the server says
	err = l.redacted(err)
	switch {
	case !isRefused:
		return nil, nil, err
	case own:
		t.at, t.err = time.Now(), err
	default:
		c.refuse(s.Version, err)
	}
	return nil, err, nil
}

// read takes the login out of the secret.
func (c *Connector) read(s *client.Secret) (*login, error) {
	l := &login{params: c.o.Params}
	text := map[string]string{}
	for _, name := range []string{"engine", "host", "username", "password", "port", "dbname"} {
		v, err := s.Field(name)
		if err != nil && (name == "port" || name == "dbname") {
			continue
		}
		if err != nil {
			return nil, err
		}
		text[name] = v.Reveal()
	}
	engine := strings.ToLower(text["engine"])
	var known bool
	if l.dialect, known = dialects[engine]; !known {
		return nil, rotation.WithHint(
			fmt.Errorf("reading the secret %s: its engine is %q: %w", c.secret, engine, rotation.ErrConfig),
			"It must be one of "+strings.Join(slices.Sorted(maps.Keys(dialects)), ", ")+".")
	}
	l.host, l.user, l.password = text["host"], text["username"], text["password"]
	if l.dialect.port == mysql.port && strings.Contains(l.user, ":") {
		return nil, rotation.WithHint(fmt.Errorf("reading the secret %s: its username has a colon: %w", c.secret, rotation.ErrConfig),
			"go-sql-driver/mysql takes no such name in its connection string: use another user.")
	}
	l.port = cmp.Or(text["port"], l.dialect.port)
	l.database = cmp.Or(c.o.Database, text["dbname"], l.dialect.database)
	return l, nil
}

// replaced tells whether a connection's user is another than the secret's current one.
func (c *Connector) replaced(user string) bool {
	s, has := c.cache.Cached(c.secret)
	if !has {
		return false
	}
	current, err := s.Field("username")
	return err == nil && current.Reveal() != user
}

// errRedacted is the error of a driver whose own holds the password.
var errRedacted = errors.New("the driver's error is not shown: it holds the password")
