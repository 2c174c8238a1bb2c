package apikey_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

// bench is a secret, its vendor and a machine over both.
type bench struct {
	*testing.T
	vendor  *vendor
	store   *rotationtest.Store
	machine *rotation.Machine
	clock   time.Time
	fault   *fault // of a diagnosis
}

// fault is one that a test has planned.
type fault struct {
	at   int
	fate rotationtest.Fate
}

const grace = 24 * time.Hour

func setUp(t *testing.T, traits apikey.Traits, change ...func(*vendor)) *bench {
	b := &bench{T: t, clock: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	now := func() time.Time { return b.clock }
	traits.Fields = []string{"secret"}
	if traits.Lists || traits.Revokes {
		traits.ID = "id"
	}
	b.vendor = &vendor{t: t, traits: traits, now: now, orders: map[string]*issued{}, usedUp: map[string]bool{}}
	for _, c := range change {
		c(b.vendor)
	}
	b.vendor.plant("id-0", "secret-0")
	exclusive := ""
	if traits.Lists && !traits.Named {
		exclusive = `, "exclusive": true`
	}
	b.store = rotationtest.NewStore(t, rotation.TextValue(`{"provider": "test"`+exclusive+`, "secret": "secret-0", "id": "id-0", "team": "payments"}`))
	engine := &apikey.Engine{Providers: b.vendor, Grace: grace, Now: now}
	b.machine = &rotation.Machine{Store: b.store, Engine: engine, RetireAfter: grace, RetireFirst: true, Now: now}
	b.clock = b.clock.Add(30 * 24 * time.Hour)
	return b
}

func (b *bench) secret(stage string) string {
	_, v := b.store.Labelled(stage)
	d, err := rotation.ParseDocument(v)
	if err != nil {
		b.Fatalf("%s: %v", stage, err)
	}
	raw, _ := d.Raw("secret")
	return strings.Trim(string(raw), `"`)
}

// works tells whether the key of a version is accepted.
func (b *bench) works(stage string) bool {
	k := b.vendor.find(b.secret(stage))
	return k != nil && !k.ended
}

// retire has the old key ended after the grace period.
func (b *bench) retire() error {
	b.clock = b.clock.Add(grace + time.Minute)
	current, _ := b.store.Labelled(rotation.Current)
	previous, _ := b.store.Labelled(rotation.Previous)
	return b.machine.Handle(context.Background(), rotation.Retirement{
		SecretID: rotationtest.SecretID, Token: current, Old: previous, At: b.clock, Try: 1,
	}.Event())
}

var classes = map[string]struct {
	traits apikey.Traits
	probes bool
}{
	"dual":         {traits: apikey.Traits{Class: apikey.Dual, Lists: true, Revokes: true, Named: true, LastUsed: true}},
	"dual of two":  {traits: apikey.Traits{Class: apikey.Dual, Lists: true, Revokes: true, Named: true, Limit: 2}},
	"no names":     {traits: apikey.Traits{Class: apikey.Dual, Lists: true, Revokes: true, Limit: 2}},
	"idempotent":   {traits: apikey.Traits{Class: apikey.Dual, Lists: true, Revokes: true, Named: true, Limit: 2, Idempotent: true}},
	"replace once": {traits: apikey.Traits{Class: apikey.Replace, Once: true}, probes: true},
	"refresh":      {traits: apikey.Traits{Class: apikey.Refresh, Once: true}},
}

func TestRotationsInARow(t *testing.T) {
	t.Parallel()
	for name, c := range classes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setUp(t, c.traits, func(v *vendor) { v.probes = c.probes })
			for n := range 3 {
				if err := rotationtest.Run(t.Context(), b.machine, b.store.Begin()); err != nil {
					t.Fatal(err)
				}
				if got, want := b.secret(rotation.Current), fmt.Sprintf("secret-%d", n+1); got != want || !b.works(rotation.Current) {
					t.Fatalf("current is %s, want %s; it works: %v", got, want, b.works(rotation.Current))
				}
				if overlaps := c.traits.Class == apikey.Dual; overlaps != b.works(rotation.Previous) && c.traits.Class != apikey.Refresh {
					t.Errorf("the old key works: %v", !overlaps)
				}
				if err := b.retire(); err != nil {
					t.Fatal(err)
				}
				if c.traits.Class == apikey.Dual && (b.works(rotation.Previous) || len(b.vendor.live()) != 1) {
					t.Errorf("after retiring %d keys live", len(b.vendor.live()))
				}
				b.clock = b.clock.Add(29 * 24 * time.Hour)
			}
			if _, v := b.store.Labelled(rotation.Current); !strings.Contains(v.Reveal(), `"team": "payments"`) {
				t.Error("a key of the document was lost")
			}
		})
	}
}

// Each side effect meets each fate; then the rotation is run again, as Secrets
// Manager does, later, until it is done or a person is needed.
func TestCrashes(t *testing.T) {
	t.Parallel()
	for name, c := range classes {
		for _, fate := range slices.Concat(rotationtest.Faults, []rotationtest.Fate{rotationtest.Throttled}) {
			t.Run(name+"/"+fate.String(), func(t *testing.T) {
				t.Parallel()
				for n := 0; ; n++ {
					b := setUp(t, c.traits, func(v *vendor) { v.probes = c.probes })
					b.vendor.faults.FailAt(n, fate)
					r := b.store.Begin()
					_ = rotationtest.Run(t.Context(), b.machine, r)
					if len(b.vendor.faults.Effects()) <= n {
						break
					}
					b.mustRecover(fmt.Sprintf("vendor's call %d", n), r)
				}
				for n := 0; ; n++ {
					b := setUp(t, c.traits, func(v *vendor) { v.probes = c.probes })
					b.store.Faults.FailAt(n, fate)
					r := b.store.Begin()
					_ = rotationtest.Run(t.Context(), b.machine, r)
					if len(b.store.Faults.Effects()) <= n {
						break
					}
					b.mustRecover(fmt.Sprintf("store's write %d", n), r)
				}
			})
		}
	}
}

// mustRecover runs the rotation again and asserts the promises.
func (b *bench) mustRecover(where string, r rotation.Rotation) {
	b.Helper()
	class := b.vendor.traits.Class
	if class != apikey.Replace && !b.works(rotation.Current) {
		b.Errorf("%s: AWSCURRENT does not work", where)
	}
	b.vendor.faults.FailAt(0, rotationtest.Healthy)
	b.store.Faults.FailAt(0, rotationtest.Healthy)
	var err error
	for range 3 {
		b.clock = b.clock.Add(20 * time.Minute)
		if err = rotationtest.Run(context.Background(), b.machine, r); err == nil {
			break
		}
	}
	if b.vendor.replayed {
		b.Errorf("%s: a credential was used twice", where)
	}
	if b.vendor.traits.Once && err != nil {
		// The answer was lost, and the vendor has no more of it: a person is told.
		if !strings.Contains(err.Error(), "by hand") {
			b.Errorf("%s: the error tells no person what to do: %v", where, err)
		}
		return
	}
	if err != nil {
		b.Errorf("%s: %v", where, err)
		return
	}
	if !b.works(rotation.Current) || b.secret(rotation.Current) == "secret-0" {
		b.Errorf("%s: AWSCURRENT is %s; it works: %v", where, b.secret(rotation.Current), b.works(rotation.Current))
	}
	if err := b.retire(); err != nil {
		b.Errorf("%s: retiring: %v", where, err)
	}
	if live := len(b.vendor.live()); class == apikey.Dual && live != 1 {
		b.Errorf("%s: %d keys live, want 1", where, live)
	}
	if most := b.vendor.traits.Limit; most > 0 && b.vendor.most > most {
		b.Errorf("%s: %d keys lived, the limit is %d", where, b.vendor.most, most)
	}
}

// A person takes AWSPENDING away at each point; the rotation after it finishes,
// and nothing is left over.
func TestRotationsPutAside(t *testing.T) {
	t.Parallel()
	steps := []rotation.Step{rotation.CreateSecret, rotation.SetSecret, rotation.TestSecret}
	for name, c := range classes {
		for until := range steps {
			t.Run(fmt.Sprintf("%s/after %s", name, steps[until]), func(t *testing.T) {
				t.Parallel()
				b := setUp(t, c.traits, func(v *vendor) { v.probes = c.probes })
				aside := b.store.Begin()
				for _, step := range steps[:until+1] {
					if err := rotationtest.RunStep(t.Context(), b.machine, aside, step); err != nil {
						t.Fatal(err)
					}
				}
				b.store.Unlabel(rotation.Pending)
				b.clock = b.clock.Add(20 * time.Minute)
				b.mustRecover("put aside", b.store.Begin())
				if c.traits.Once && !b.works(rotation.Current) {
					t.Error("the key that was put aside was not taken")
				}
			})
		}
	}
}

// Invocations overlap: at every point of one, another runs all steps it can.
func TestInvokedTwiceAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range classes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := 0; ; n++ {
				b := setUp(t, c.traits, func(v *vendor) { v.probes = c.probes })
				r := b.store.Begin()
				calls, within := 0, false
				b.machine.Store = &interrupted{Store: b.store, before: func() {
					if calls++; calls != n+1 || within {
						return
					}
					within = true
					_ = rotationtest.Run(context.Background(), b.machine, r)
					within = false
				}}
				_ = rotationtest.Run(t.Context(), b.machine, r)
				if calls <= n {
					break
				}
				b.machine.Store = b.store
				b.mustRecover(fmt.Sprintf("twice at once, at call %d of the store", n), r)
				if !b.works(rotation.Current) {
					t.Errorf("twice at once, at call %d of the store: AWSCURRENT does not work", n)
				}
			}
		})
	}
}

// interrupted calls out before each call.
type interrupted struct {
	*rotationtest.Store
	before func()
}

func (s *interrupted) Get(ctx context.Context, id string, v rotation.Version) (rotation.Stored, error) {
	s.before()
	return s.Store.Get(ctx, id, v)
}

func (s *interrupted) Put(ctx context.Context, r rotation.Rotation, v rotation.Value) error {
	s.before()
	return s.Store.Put(ctx, r, v)
}

func (s *interrupted) Claim(ctx context.Context, r rotation.Rotation, id string, v rotation.Value) error {
	s.before()
	return s.Store.Claim(ctx, r, id, v)
}

func TestOldKeysInUseAreKept(t *testing.T) {
	t.Parallel()
	b := setUp(t, classes["dual"].traits)
	if err := rotationtest.Run(t.Context(), b.machine, b.store.Begin()); err != nil {
		t.Fatal(err)
	}
	b.vendor.find("secret-0").LastUsed = b.clock.Add(grace)
	if err := b.retire(); !errors.Is(err, rotation.ErrBusy) && !b.works(rotation.Previous) {
		t.Errorf("a key in use was ended: %v", err)
	}
	b.clock = b.clock.Add(2 * time.Hour)
	if err := b.retire(); err != nil || b.works(rotation.Previous) {
		t.Errorf("an idle key was kept: %v", err)
	}
}

// Foreign keys fill the account: nothing is ended, and the error says why.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	for name, exclusive := range map[string]bool{"dual of two": false, "no names": true} {
		b := setUp(t, classes[name].traits)
		b.vendor.plant("id-f", "foreign").Name = "rekey-0123456789-0123456789-t00000abcd"
		if exclusive {
			b.store.Plant("original-version-00000000000000000000", rotation.TextValue(`{"provider": "test", "secret": "secret-0", "id": "id-0"}`))
		}
		err := rotationtest.Run(t.Context(), b.machine, b.store.Begin())
		if !errors.Is(err, apikey.ErrLimit) || len(b.vendor.live()) != 2 || !strings.Contains(err.Error(), "2 of 2") {
			t.Errorf("%s: %v, and %d keys live", name, err, len(b.vendor.live()))
		}
	}
}

// A second rotation within the grace period must not end the first's old key.
func TestNoRoomWithinTheGracePeriod(t *testing.T) {
	t.Parallel()
	b := setUp(t, classes["dual of two"].traits)
	if err := rotationtest.Run(t.Context(), b.machine, b.store.Begin()); err != nil {
		t.Fatal(err)
	}
	b.clock = b.clock.Add(time.Hour)
	r := b.store.Begin()
	err := rotationtest.Run(t.Context(), b.machine, r)
	if !errors.Is(err, rotation.ErrBusy) || !strings.Contains(err.Error(), "grace period") || !b.works(rotation.Previous) {
		t.Errorf("got %v", err)
	}
	b.clock = b.clock.Add(grace)
	if err := rotationtest.Run(t.Context(), b.machine, r); err != nil {
		t.Errorf("after the grace period: %v", err)
	}
}

func TestPendingOfAnotherAccountIsRefused(t *testing.T) {
	t.Parallel()
	for name, doc := range map[string]string{
		"provider": `{"provider": "other", "secret": "x", "id": "y"}`,
		"admin":    `{"provider": "test", "adminSecretArn": "arn:other", "secret": "x", "id": "y"}`,
		"no key":   `{"provider": "test", "id": "y"}`,
	} {
		b := setUp(t, classes["dual"].traits)
		r := b.store.Begin()
		b.store.Plant(r.Token, rotation.TextValue(doc), rotation.Pending)
		err := rotationtest.RunStep(t.Context(), b.machine, r, rotation.SetSecret)
		if !errors.Is(err, rotation.ErrConfig) || len(b.vendor.faults.Effects()) > 0 {
			t.Errorf("%s: got %v, after %v", name, err, b.vendor.faults.Effects())
		}
	}
}
