package dbsecret_test

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/rekey-aws/rekey/client/dbsecret"
	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// The service under load: fifty connections through a hundred rotations, each of them made
// anew every second.
const (
	connections = 50
	lifetime    = time.Second // of a connection
	rotations   = 100
	think       = 20 * time.Millisecond // between two queries of a client: else it is a test of the server
)

func TestServiceNeverNoticesARotation(t *testing.T) {
	if testing.Short() {
		t.Skip("needs database servers")
	}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			server := databasetest.Start(t, database.Options{Engine: k.server, Version: k.ver, Settings: map[string]string{"max_connections": "200"}})
			unleaked(t)
			b := newBenchOn(t, k, server)
			b.disconnects()
			_, db := b.open(dbsecret.Options{Drain: 100 * time.Millisecond, Patience: time.Minute})
			db.SetMaxOpenConns(connections)
			db.SetMaxIdleConns(connections)
			db.SetConnMaxLifetime(lifetime)
			served, stop := serve(t, db)
			for n := range rotations {
				before := served.Load()
				b.rotate()
				for served.Load() < before+connections/5 && !t.Failed() { // the service works between rotations
					time.Sleep(time.Millisecond)
				}
				if t.Failed() {
					t.Fatalf("after %d rotations", n+1)
				}
			}
			stop()
			t.Logf("%d queries during %d rotations, no error", served.Load(), rotations)
		})
	}
}

// serve has clients use the pool until stop.
func serve(t *testing.T, db *sql.DB) (served *atomic.Int64, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	served = &atomic.Int64{}
	for range connections {
		wg.Go(func() {
			for ctx.Err() == nil {
				var one int
				if err := db.QueryRowContext(ctx, "SELECT 1").Scan(&one); err == nil {
					served.Add(1)
				} else if ctx.Err() == nil {
					t.Errorf("the service met: %v", err)
					return
				}
				time.Sleep(think)
			}
		})
	}
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	return served, stop
}

// who is the user that a query of the pool runs as.
func who(t *testing.T, db *sql.DB, k kind) string {
	t.Helper()
	query := "SELECT session_user"
	if k.server != database.Postgres {
		query = "SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1)"
	}
	var user string
	if err := db.QueryRowContext(t.Context(), query).Scan(&user); err != nil {
		t.Fatal(err)
	}
	return user
}

// Connections of the user who was replaced are given up when they are idle.
func TestDrainsConnectionsOfAReplacedUser(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		if k.admin == nil {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, k)
			cache, db := b.open(dbsecret.Options{Drain: -1})
			if got := who(t, db, k); got != b.user {
				t.Fatalf("connected as %s", got)
			}
			b.rotate()
			if got := who(t, db, k); got != b.user {
				t.Errorf("the pool knew of the rotation before the cache: %s", got)
			}
			if _, err := cache.RefreshNow(t.Context(), b.secret); err != nil {
				t.Fatal(err)
			}
			if got := who(t, db, k); got != b.user+"_clone" {
				t.Errorf("still connected as %s", got)
			}
			if n := db.Stats().OpenConnections; n != 1 {
				t.Errorf("%d connections are open", n)
			}
		})
	}
}

// A refused login fetches the secret anew, once, and succeeds with it.
func TestRefusedLoginFetchesAgain(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, k)
			_, db := b.open(dbsecret.Options{})
			db.SetMaxIdleConns(-1) // every query makes a connection
			who(t, db, k)
			for range 2 { // after two, no password of before is left
				b.rotate()
			}
			who(t, db, k)
		})
	}
}

// A password that was changed by hand is told, with what to do.
func TestRefusedForGood(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, k)
			if k.server == database.Postgres {
				b.exec("ALTER ROLE " + b.user + " PASSWORD 'Another-Password'")
			} else {
				b.exec("ALTER USER " + b.user + "@'%' IDENTIFIED BY 'Another-Password'")
			}
			_, db := b.open(dbsecret.Options{Patience: -1})
			err := db.PingContext(t.Context())
			if err == nil || !strings.Contains(err.Error(), "there is no newer one") || strings.Contains(err.Error(), "First-Password") || !strings.Contains(rotation.Hint(err), "changed by hand") {
				t.Errorf("got %v (%s)", err, rotation.Hint(err))
			}
		})
	}
}

func TestBadSecrets(t *testing.T) {
	t.Parallel()
	b := newBench(t, kinds[0])
	for wrong, doc := range map[string]map[string]any{
		`"host"`:     {"engine": "postgres", "username": "u", "password": "planted"},
		`"oracle"`:   {"engine": "oracle", "host": "h", "username": "u", "password": "planted"},
		"a colon":    {"engine": "mysql", "host": "h", "username": "u:v", "password": "planted"},
		"no such ke": {"engine": "mysql", "host": "h", "username": "u"},
	} {
		secret := b.store("bad-"+strings.Trim(wrong, `"`)[:1]+b.user, doc)
		cache, _ := b.open(dbsecret.Options{})
		_, err := dbsecret.New(cache, secret, kinds[0].driver, dbsecret.Options{}).Connect(t.Context())
		if err == nil || !strings.Contains(err.Error(), wrong) || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

// The driver's own connection can be had.
func TestUnwrap(t *testing.T) {
	t.Parallel()
	b := newBench(t, kinds[1])
	_, db := b.open(dbsecret.Options{})
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(c any) error {
		if _, own := dbsecret.Unwrap(c).(*stdlib.Conn); !own {
			t.Errorf("%T is unwrapped to %T", c, dbsecret.Unwrap(c))
		}
		if other := dbsecret.Unwrap("other"); other != "other" {
			t.Errorf("what is not of this package is unwrapped to %v", other)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
