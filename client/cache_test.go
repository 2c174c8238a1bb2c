package client_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/rekey-aws/rekey/client"
	"github.com/rekey-aws/rekey/shared/rotation"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// vault is a source whose versions, failures and slowness the test decides.
type vault struct {
	mu      sync.Mutex
	version int
	err     error
	takes   time.Duration
	fetched map[string]int
}

func (v *vault) Fetch(ctx context.Context, id string, _ bool) (*client.Secret, error) {
	v.mu.Lock()
	if v.fetched == nil {
		v.fetched = map[string]int{}
	}
	v.fetched[id]++
	version, err, takes := v.version, v.err, v.takes
	v.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return nil, fmt.Errorf("no answer: %w", rotation.ErrUnreachable)
	}
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf(`{"password": "value-%d"}`, version)
	return client.NewSecret("arn:"+id, fmt.Sprint(version), rotation.TextValue(text), time.Now()), nil
}

func (v *vault) set(change func(*vault)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change(v)
}

func (v *vault) calls(id string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.fetched[id]
}

// caching runs a test in time of its own.
func caching(t *testing.T, o client.Options, test func(t *testing.T, v *vault, c *client.Cache)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		v := &vault{version: 1}
		c := client.New(v, o)
		defer c.Close()
		test(t, v, c)
	})
}

func version(t *testing.T, c *client.Cache, want string) {
	t.Helper()
	s, err := c.Get(t.Context(), "a")
	if err != nil || s.Version != want {
		t.Fatalf("got %+v, %v, want version %s", s, err, want)
	}
}

func TestFetchedOnceWhileFresh(t *testing.T) {
	caching(t, client.Options{}, func(t *testing.T, v *vault, c *client.Cache) {
		v.takes = time.Second
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { version(t, c, "1") })
		}
		wg.Wait()
		time.Sleep(4 * time.Minute)
		version(t, c, "1")
		if n := v.calls("a"); n != 1 {
			t.Errorf("fetched %d times, want once", n)
		}
	})
}

// At its TTL a secret is fetched behind the callers' backs, by one; nobody waits.
func TestRenewedInTheBackground(t *testing.T) {
	caching(t, client.Options{TTL: time.Minute}, func(t *testing.T, v *vault, c *client.Cache) {
		version(t, c, "1")
		v.set(func(v *vault) { v.version, v.takes = 2, 5*time.Second })
		time.Sleep(time.Minute)
		before := time.Now()
		for range 10 {
			version(t, c, "1")
		}
		if waited := time.Since(before); waited > 0 {
			t.Errorf("waited %v", waited)
		}
		time.Sleep(6 * time.Second)
		version(t, c, "2")
		if n := v.calls("a"); n != 2 {
			t.Errorf("fetched %d times, want twice", n)
		}
	})
}

// What nobody asked for is not served from long ago.
func TestFetchedBeforeItIsServedAfterTwoTTLs(t *testing.T) {
	caching(t, client.Options{TTL: time.Minute}, func(t *testing.T, v *vault, c *client.Cache) {
		version(t, c, "1")
		v.set(func(v *vault) { v.version = 2 })
		time.Sleep(2 * time.Minute)
		version(t, c, "2")
	})
}

func TestTTLsDiffer(t *testing.T) {
	ends := map[time.Duration]bool{}
	caching(t, client.Options{TTL: 1000 * time.Second}, func(t *testing.T, v *vault, c *client.Cache) {
		for i := range 50 {
			id := fmt.Sprint(i)
			begun := time.Now()
			for v.calls(id) < 2 {
				if _, err := c.Get(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				time.Sleep(time.Second)
			}
			age := time.Since(begun)
			if age < 900*time.Second || age > 1002*time.Second {
				t.Errorf("fetched again after %v", age)
			}
			ends[age] = true
		}
	})
	if len(ends) < 10 {
		t.Errorf("of 50 secrets, fetched again after %d different times", len(ends))
	}
}

func TestServedStaleForSoLong(t *testing.T) {
	for _, kind := range []error{rotation.ErrUnreachable, rotation.ErrThrottled, rotation.ErrVendor, rotation.ErrTLS} {
		caching(t, client.Options{TTL: time.Minute, MaxStale: 10 * time.Minute}, func(t *testing.T, v *vault, c *client.Cache) {
			version(t, c, "1")
			v.set(func(v *vault) { v.err = fmt.Errorf("down: %w", kind) })
			for range 10 * 60 {
				time.Sleep(time.Second)
				version(t, c, "1")
			}
			if n := v.calls("a"); n > 30 {
				t.Errorf("asked %d times in ten minutes of failure", n)
			}
			time.Sleep(2 * time.Minute)
			if s, err := c.Get(t.Context(), "a"); !errors.Is(err, kind) {
				t.Errorf("after MaxStale: %v, %v", s, err)
			}
			v.set(func(v *vault) { v.err, v.version = nil, 2 })
			time.Sleep(time.Minute)
			version(t, c, "2")
		})
	}
}

// Without MaxStale, what is older than its TTL is not served.
func TestNotServedStale(t *testing.T) {
	caching(t, client.Options{TTL: time.Minute, MaxStale: -1}, func(t *testing.T, v *vault, c *client.Cache) {
		version(t, c, "1")
		v.set(func(v *vault) { v.version, v.takes = 2, time.Second })
		time.Sleep(time.Minute)
		version(t, c, "2")
		v.set(func(v *vault) { v.err = fmt.Errorf("down: %w", rotation.ErrUnreachable) })
		time.Sleep(time.Minute)
		if s, err := c.Get(t.Context(), "a"); !errors.Is(err, rotation.ErrUnreachable) {
			t.Errorf("got %+v, %v", s, err)
		}
	})
}

// Where Secrets Manager does not answer, one caller finds out. Later ones get what there is,
// and do not wait for each try.
func TestOneWaitsWhileThereIsNoAnswer(t *testing.T) {
	caching(t, client.Options{TTL: time.Minute, Timeout: 10 * time.Second}, func(t *testing.T, v *vault, c *client.Cache) {
		version(t, c, "1")
		v.set(func(v *vault) { v.takes = time.Hour })
		time.Sleep(3 * time.Minute)
		begun := time.Now()
		version(t, c, "1")
		if waited := time.Since(begun); waited != 10*time.Second {
			t.Errorf("the first waited %v", waited)
		}
		begun = time.Now()
		for range 20 * 60 {
			version(t, c, "1")
			time.Sleep(time.Second)
		}
		if waited := time.Since(begun) - 20*time.Minute; waited > 0 {
			t.Errorf("others waited %v", waited)
		}
	})
}

// A secret that is gone or forbidden is not served from the cache.
func TestNotServedWhenGoneOrForbidden(t *testing.T) {
	for _, kind := range []error{rotation.ErrNotFound, rotation.ErrDenied, rotation.ErrConfig} {
		caching(t, client.Options{TTL: time.Minute}, func(t *testing.T, v *vault, c *client.Cache) {
			version(t, c, "1")
			v.set(func(v *vault) { v.err = fmt.Errorf("no: %w", kind) })
			time.Sleep(time.Minute)
			version(t, c, "1") // it is being asked
			synctest.Wait()
			if s, err := c.Get(t.Context(), "a"); !errors.Is(err, kind) {
				t.Errorf("got %v, %v, want %v", s, err, kind)
			}
		})
	}
}

// A secret that cannot be had is not asked for by every call.
func TestFailuresAreNotRepeatedAtOnce(t *testing.T) {
	caching(t, client.Options{}, func(t *testing.T, v *vault, c *client.Cache) {
		v.err = fmt.Errorf("no: %w", rotation.ErrDenied)
		for range 100 {
			if _, err := c.Get(t.Context(), "a"); !errors.Is(err, rotation.ErrDenied) || !strings.Contains(err.Error(), "fetching the secret a") {
				t.Fatal(err)
			}
		}
		if n := v.calls("a"); n != 1 {
			t.Errorf("asked %d times at once", n)
		}
		time.Sleep(time.Second)
		v.set(func(v *vault) { v.err = nil })
		version(t, c, "1")
	})
}

// Fifty who were refused with the same version cause one fetch, and one a second at most.
func TestNewer(t *testing.T) {
	caching(t, client.Options{TTL: time.Hour}, func(t *testing.T, v *vault, c *client.Cache) {
		version(t, c, "1")
		v.set(func(v *vault) { v.version, v.takes = 2, time.Second })
		newer := func(refused, want string) {
			t.Helper()
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					if s, err := c.Newer(t.Context(), "a", refused); err != nil || s.Version != want {
						t.Errorf("got %+v, %v, want version %s", s, err, want)
					}
				})
			}
			wg.Wait()
		}
		newer("1", "2")
		newer("1", "2")
		newer("2", "2") // there is none yet
		if n := v.calls("a"); n != 2 {
			t.Errorf("fetched %d times, want twice", n)
		}
		time.Sleep(time.Second)
		newer("2", "2")
		if n := v.calls("a"); n != 3 {
			t.Errorf("fetched %d times, want three times", n)
		}
	})
}

// Who is refused while another is already looking takes what that one finds.
func TestNewerIsShared(t *testing.T) {
	caching(t, client.Options{TTL: time.Hour}, func(t *testing.T, v *vault, c *client.Cache) {
		version(t, c, "1")
		v.set(func(v *vault) { v.version, v.takes = 2, time.Second })
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if s, err := c.Newer(t.Context(), "a", "1"); err != nil || s.Version != "2" {
					t.Errorf("got %+v, %v", s, err)
				}
			})
			time.Sleep(50 * time.Millisecond)
		}
		wg.Wait()
		if n := v.calls("a"); n != 2 {
			t.Errorf("fetched %d times, want twice", n)
		}
	})
}

// Refusals while Secrets Manager throttles, or the secret is gone, are no call each either.
func TestNewerWhileNoneCanBeHad(t *testing.T) {
	for _, kind := range []error{rotation.ErrThrottled, rotation.ErrNotFound} {
		caching(t, client.Options{TTL: time.Hour}, func(t *testing.T, v *vault, c *client.Cache) {
			version(t, c, "1")
			v.set(func(v *vault) { v.err = fmt.Errorf("no: %w", kind) })
			for range 100 {
				if s, err := c.Newer(t.Context(), "a", "1"); !errors.Is(err, kind) {
					t.Errorf("got %+v, %v", s, err)
				}
				time.Sleep(20 * time.Millisecond)
			}
			if n := v.calls("a"); n > 1+2 {
				t.Errorf("fetched %d times, want once and once a second", n)
			}
			v.set(func(v *vault) { v.err, v.version = nil, 2 })
			time.Sleep(time.Second)
			if s, err := c.Newer(t.Context(), "a", "1"); err != nil || s.Version != "2" {
				t.Errorf("afterwards: %+v, %v", s, err)
			}
		})
	}
}

// RefreshNow does not take what was already under way when it was called.
func TestRefreshNowIsOfNow(t *testing.T) {
	caching(t, client.Options{TTL: time.Minute}, func(t *testing.T, v *vault, c *client.Cache) {
		v.takes = 10 * time.Second
		go func() { _, _ = c.Get(t.Context(), "a") }()
		time.Sleep(time.Second)
		v.set(func(v *vault) { v.version = 2 })
		if s, err := c.RefreshNow(t.Context(), "a"); err != nil || s.Version != "2" {
			t.Errorf("got %+v, %v", s, err)
		}
	})
}

func TestOneCallerGivesUpAlone(t *testing.T) {
	caching(t, client.Options{}, func(t *testing.T, v *vault, c *client.Cache) {
		v.takes = 5 * time.Second
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { version(t, c, "1") })
		for _, get := range []func(context.Context, string) (*client.Secret, error){c.Get, c.RefreshNow} {
			if _, err := get(short, "a"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		}
		wg.Wait()
	})
}

func TestTimeoutOfAFetch(t *testing.T) {
	caching(t, client.Options{Timeout: time.Second}, func(t *testing.T, v *vault, c *client.Cache) {
		v.takes = time.Hour
		begun := time.Now()
		if _, err := c.Get(t.Context(), "a"); !errors.Is(err, rotation.ErrUnreachable) || time.Since(begun) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}

// Those that were not used for longest go.
func TestSize(t *testing.T) {
	caching(t, client.Options{Size: 3, TTL: time.Hour}, func(t *testing.T, v *vault, c *client.Cache) {
		for _, id := range []string{"a", "b", "c", "a", "d", "a", "c", "d"} {
			if _, err := c.Get(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		for id, want := range map[string]bool{"a": true, "b": false, "c": true, "d": true} {
			if _, has := c.Cached(id); has != want {
				t.Errorf("%s is kept: %v", id, has)
			}
		}
		if n := v.calls("a") + v.calls("b") + v.calls("c") + v.calls("d"); n != 4 {
			t.Errorf("fetched %d times", n)
		}
	})
}

func TestCachedNeverWaits(t *testing.T) {
	caching(t, client.Options{TTL: time.Minute}, func(t *testing.T, v *vault, c *client.Cache) {
		if s, has := c.Cached("a"); has {
			t.Errorf("it has %v before it was asked", s)
		}
		version(t, c, "1")
		v.set(func(v *vault) { v.version, v.takes = 2, time.Second })
		time.Sleep(10 * time.Minute)
		if s, has := c.Cached("a"); !has || s.Version != "1" {
			t.Errorf("got %v", s)
		}
		time.Sleep(2 * time.Second)
		if s, has := c.Cached("a"); !has || s.Version != "2" {
			t.Errorf("got %v after it was fetched", s)
		}
	})
}

func TestClosed(t *testing.T) {
	caching(t, client.Options{}, func(t *testing.T, v *vault, c *client.Cache) {
		v.takes = time.Hour
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.Get(t.Context(), "a"); !errors.Is(err, client.ErrClosed) {
				t.Errorf("under way: %v", err)
			}
		})
		synctest.Wait()
		c.Close()
		wg.Wait()
		for _, get := range []func(context.Context, string) (*client.Secret, error){c.Get, c.RefreshNow} {
			if _, err := get(t.Context(), "b"); !errors.Is(err, client.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		}
	})
}

func TestFields(t *testing.T) {
	s := client.NewSecret("arn:a", "1", rotation.TextValue(`{"username": "app", "port": 5432, "password": "pass-\u00e9", "none": null}`), time.Now())
	for name, want := range map[string]string{"username": "app", "port": "5432", "password": "pass-é"} {
		if v, err := s.Field(name); err != nil || v.Reveal() != want {
			t.Errorf("%s: %q, %v", name, v.Reveal(), err)
		}
	}
	for _, name := range []string{"none", "other"} {
		if _, err := s.Field(name); !errors.Is(err, rotation.ErrConfig) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	plain := client.NewSecret("arn:a", "1", rotation.TextValue(`hidden-value`), time.Now())
	if _, err := plain.Field("password"); !errors.Is(err, rotation.ErrConfig) || strings.Contains(err.Error(), "hidden") {
		t.Errorf("no object: %v", err)
	}
	for _, text := range []string{fmt.Sprint(plain), fmt.Sprintf("%+v %#v", *plain, plain)} {
		if strings.Contains(text, "hidden") {
			t.Errorf("it prints as %s", text)
		}
	}
}
