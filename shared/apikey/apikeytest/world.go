package apikeytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/local/vendorapi"
	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/declarative"
	"github.com/rekey-aws/rekey/shared/apikey/outbound"
	"github.com/rekey-aws/rekey/shared/apikey/providers"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

// Grace is how long old keys live in a [World].
const Grace = 24 * time.Hour

// Lane is a provider that one [World] after another uses: compiling its file takes
// longer than a rotation.
type Lane struct {
	Case
	provider *declarative.Provider
	world    *World
	// wrap and replace stand between the engine, the provider and the machine, to break
	// what they do; nil: nothing does.
	wrap    func(*declarative.Provider) apikey.Provider
	replace func(*apikey.Engine) rotation.Engine
	crowded bool // somebody else has a key there, names or not
}

// NewLane compiles the provider of a case.
func NewLane(t testing.TB, c Case) *Lane {
	l := &Lane{Case: c}
	content, err := providers.Files.ReadFile(c.Provider + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	l.provider, err = declarative.New(c.Provider+".yaml", content, declarative.Config{
		Client: l,
		Now:    func() time.Time { return l.world.Clock.Now() },
		Sleep:  func(ctx context.Context, d time.Duration) bool { return l.world.Clock.Sleep(ctx, d) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *Lane) engine() rotation.Engine {
	e := &apikey.Engine{Providers: l, Grace: Grace, Now: l.world.Clock.Now}
	if l.replace != nil {
		return l.replace(e)
	}
	return e
}

// Do implements [declarative.Sender].
func (l *Lane) Do(ctx context.Context, r *http.Request) (outbound.Answer, error) {
	return l.world.toVendor(ctx, r)
}

// Provider implements [apikey.Directory].
func (l *Lane) Provider(name string) (apikey.Provider, error) {
	if name != l.Case.Provider {
		return nil, fmt.Errorf("no provider %q: %w", name, rotation.ErrConfig)
	}
	if l.wrap != nil {
		return l.wrap(l.provider), nil
	}
	return l.provider, nil
}

// World is one secret whose key is at a vendor, and everything that rotates it.
type World struct {
	Case
	Clock   *Clock
	Vendor  *vendorapi.Account
	Store   *rotationtest.Store
	Planner *rotationtest.Planner

	t      testing.TB
	lane   *Lane
	line   line
	log    bytes.Buffer
	read   *[2]string      // the last document of AWSCURRENT and its key
	put    map[string]bool // keys that were ever stored
	made   *vendorapi.Key  // by a person, to be submitted
	others []string        // ids of keys that are not the secret's
	wrong  []string        // what must not be, as it was seen
}

// NewWorld has one key at the vendor, which AWSCURRENT holds, and one of somebody else
// where keys have names.
func (l *Lane) NewWorld(t testing.TB) *World {
	clock := NewClock()
	w := &World{Case: l.Case, Clock: clock, Vendor: vendorapi.Vendors()[l.Case.Provider].Open(clock.Now), t: t, lane: l, put: map[string]bool{}}
	l.world = w
	old := w.Vendor.Mint("made by a person")
	if l.provider.Traits().Named || l.crowded {
		w.others = append(w.others, w.Vendor.Mint("somebody else's").ID)
	}
	w.Store = rotationtest.NewStore(t, w.Document(w.Vendor, old))
	if admin := w.AdminDocument(w.Vendor); admin.Len() > 0 {
		w.Store.Others = map[string]rotation.Value{AdminID: admin}
	}
	w.Planner = rotationtest.NewPlanner(t)
	w.line.after = w.look
	return w
}

// machine is a process of the function: nothing of it outlives a step.
func (w *World) machine() *rotation.Machine {
	return &rotation.Machine{
		Store: store{w}, Engine: w.lane.engine(), Planner: planner{w}, RetireAfter: Grace, RetireFirst: true,
		Log: slog.New(slog.NewJSONHandler(&w.log, nil)), Function: "rotate-apikey", Now: w.Clock.Now,
	}
}

// fail plans a fault at the nth effect from now, and forgets the effects before.
func (w *World) fail(n int, fate Fate) {
	w.line.effects, w.line.at, w.line.fate, w.line.met = nil, n, fate, false
}

// handle has the function handle an event, in a process and a time of its own.
func (w *World) handle(e rotation.Event) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w.line.throttled = ""
	w.line.cancel = cancel
	w.line.again = func() {
		w.line.quiet++
		_ = rotationtest.RunEvent(context.Background(), w.machine(), e) // whether it fails is the other's affair
		w.line.quiet--
	}
	return rotationtest.RunEvent(ctx, w.machine(), e)
}

// rotate carries out the four steps. Where a person makes the keys, one does.
func (w *World) rotate(r rotation.Rotation) error {
	for _, step := range []rotation.Step{rotation.CreateSecret, rotation.SetSecret, rotation.TestSecret, rotation.FinishSecret} {
		err := w.handle(rotation.Event{Step: step, SecretID: r.SecretID, Token: r.Token, RotationToken: r.RotationToken})
		if step == rotation.CreateSecret && errors.Is(err, rotation.ErrWaiting) && w.traits().Class == apikey.Assisted {
			w.submit(r)
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// submit is what rekey submit does: a person's new key becomes the pending value. Who
// has made one that is not current yet hands it over again.
func (w *World) submit(r rotation.Rotation) {
	if _, pending := w.Store.Labelled(rotation.Pending); pending.Len() > 0 {
		return
	}
	if w.made == nil || w.made.Secret == w.current() {
		k := w.Vendor.Mint("made by a person")
		w.made = &k
	}
	w.Store.Plant(r.Token, w.Document(w.Vendor, *w.made))
}

func (w *World) traits() apikey.Traits { return w.lane.provider.Traits() }

// overlaps: the old key works while the new one does.
func (w *World) overlaps() bool {
	return w.traits().Class != apikey.Replace && w.traits().Class != apikey.Refresh
}

// current is the text of the key in AWSCURRENT.
func (w *World) current() string {
	_, v := w.Store.Labelled(rotation.Current)
	text := v.Reveal()
	if w.read == nil || w.read[0] != text {
		w.read = &[2]string{text, w.secretOf(v)}
	}
	return w.read[1]
}

// look is taken after every effect: what holds always must hold now.
func (w *World) look(name string) {
	if w.overlaps() && !w.traits().Ends && !w.Vendor.Works(w.current()) {
		w.note("after %s AWSCURRENT does not work", name)
	}
	if w.traits().Chosen && !w.stored() {
		w.note("after %s the vendor has a value that no version holds", name)
	}
	for _, id := range w.others {
		if !w.lives(id) {
			w.note("after %s somebody else's key had ended", name)
		}
	}
	if w.Vendor.Limit > 0 && w.Vendor.MostLive() > w.Vendor.Limit {
		w.note("after %s there were %d keys of %d", name, w.Vendor.MostLive(), w.Vendor.Limit)
	}
}

// stored: of values that we choose, the vendor has one that is stored.
func (w *World) stored() bool {
	live := w.Vendor.Live()
	newest := live[len(live)-1].Secret
	return newest == w.current() || w.put[newest]
}

func (w *World) note(format string, args ...any) {
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

func (w *World) lives(id string) bool {
	for _, k := range w.Vendor.Live() {
		if k.ID == id {
			return true
		}
	}
	return false
}

// orphans are living keys that are neither in AWSCURRENT nor somebody else's, nor end
// by themselves.
func (w *World) orphans() []string {
	var found []string
	for _, k := range w.Vendor.Live() {
		if k.Secret != w.current() && k.Expires.IsZero() && !contains(w.others, k.ID) {
			found = append(found, k.ID)
		}
	}
	return found
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

// leaks are the names of secrets that the log has.
func (w *World) leaks() []string {
	var found []string
	text := w.log.String()
	look := func(what, secret string) {
		for line := range strings.Lines(secret) {
			if line = strings.TrimSpace(line); len(line) > 12 && !strings.HasPrefix(line, "-----") && strings.Contains(text, line) {
				found = append(found, what)
				return
			}
		}
	}
	for _, k := range w.Vendor.Keys() {
		look("key "+k.ID, k.Secret)
		look("refresh token of "+k.ID, k.Fields["refresh"])
	}
	if w.Admin != nil {
		for name, v := range w.Admin(w.Vendor) {
			if strings.Contains(strings.ToLower(name), "secret") || strings.Contains(strings.ToLower(name), "token") && !strings.Contains(name, "Url") || strings.Contains(name, "Key") {
				look("the administrator's "+name, v)
			}
		}
	}
	return found
}
