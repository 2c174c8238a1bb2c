package dbsecret_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	mysqldriver "github.com/go-sql-driver/mysql"

	"github.com/rekey-aws/rekey/client"
	"github.com/rekey-aws/rekey/client/dbsecret"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// doorman is a driver of MySQL that answers a login after a while, with what the test decides.
type doorman struct {
	logins atomic.Int64
	takes  time.Duration
	err    error
}

func (d *doorman) Open(string) (driver.Conn, error) {
	d.logins.Add(1)
	time.Sleep(d.takes)
	if d.err != nil {
		return nil, d.err
	}
	return door{}, nil
}

type door struct{ driver.Conn }

// constant is a source of one version.
type constant struct{}

func (constant) Fetch(context.Context, string, bool) (*client.Secret, error) {
	return client.NewSecret("arn:a", "1", rotation.TextValue(`{"engine":"mysql","host":"h","username":"app","password":"app"}`), time.Now()), nil
}

var errRefused = &mysqldriver.MySQLError{Number: 1045, SQLState: [5]byte([]byte("28000")), Message: "Access denied for user 'app'@'h'"}

// connecting runs a test in time of its own; many makes fifty connections at once.
func connecting(t *testing.T, d *doorman, test func(t *testing.T, many func() (failed int64))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cache := client.New(constant{}, client.Options{})
		defer cache.Close()
		connector := dbsecret.New(cache, "a", d, dbsecret.Options{Patience: -1})
		test(t, func() int64 {
			var failed atomic.Int64
			var wg sync.WaitGroup
			for range connections {
				wg.Go(func() {
					if _, err := connector.Connect(t.Context()); err != nil {
						failed.Add(1)
					}
				})
			}
			wg.Wait()
			return failed.Load()
		})
	})
}

// Servers lock accounts after so many refused logins.
func TestFiftyConnectionsAreOneRefusedLogin(t *testing.T) {
	d := &doorman{takes: 50 * time.Millisecond, err: errRefused}
	connecting(t, d, func(t *testing.T, many func() int64) {
		for second := range 3 {
			if failed := many(); failed != connections || d.logins.Load() != int64(second+1) {
				t.Errorf("%d connections failed after %d logins in %d seconds", failed, d.logins.Load(), second+1)
			}
			time.Sleep(time.Second)
		}
		d.err = nil
		begun := time.Now()
		if failed := many(); failed != 0 || time.Since(begun) > 2*d.takes {
			t.Errorf("it is let in again: %d connections failed, after %v", failed, time.Since(begun))
		}
		d.err = errRefused
		if failed := many(); failed != connections {
			t.Errorf("%d connections failed", failed)
		}
		before := d.logins.Load()
		if many(); d.logins.Load() != before {
			t.Errorf("%d logins with a version that was refused a moment ago", d.logins.Load()-before)
		}
	})
}

// A login that gets no answer does not keep others from theirs.
func TestConnectionsDoNotWaitForOneThatHangs(t *testing.T) {
	d := &doorman{takes: time.Minute, err: fmt.Errorf("dial: %w", context.DeadlineExceeded)}
	connecting(t, d, func(t *testing.T, many func() int64) {
		begun := time.Now()
		if failed := many(); failed != connections || d.logins.Load() != connections {
			t.Errorf("%d connections failed after %d logins", failed, d.logins.Load())
		}
		if waited := time.Since(begun) - d.takes; waited > 5*time.Second {
			t.Errorf("waited %v for another's", waited)
		}
	})
}

// Who gives up sooner than the patience is told so, and not that there is no newer version.
func TestGivesUpBeforeThePatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache := client.New(constant{}, client.Options{})
		defer cache.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := dbsecret.New(cache, "a", &doorman{err: errRefused}, dbsecret.Options{}).Connect(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "there is no newer one") {
			t.Errorf("got %v", err)
		}
	})
}
