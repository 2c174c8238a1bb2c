package iamkey_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/local/iam"
	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/iamkey"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

const (
	owner = "deploy"
	grace = 24 * time.Hour
)

// world is a user of IAM whose key is rotated.
type world struct {
	*testing.T
	iam     *iam.Server
	store   *rotationtest.Store
	planner *rotationtest.Planner
	machine *rotation.Machine
	log     bytes.Buffer
	url     string // of IAM and STS

	mu      sync.Mutex
	now     time.Time
	waited  time.Duration
	calls   int
	failAt  int
	fault   iam.Fault
	secrets []string
}

func (w *world) Provider(name string) (apikey.Provider, error) {
	if name != iamkey.Name {
		return nil, rotation.ErrConfig
	}
	return iamkey.New(w.settings, w.sleep)
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) sleep(_ context.Context, d time.Duration) bool {
	w.advance(d)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waited += d
	return w.waited < time.Minute
}

func (w *world) settings(name string) (string, bool) {
	v, ok := map[string]string{
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIDFUNCTION", "AWS_SECRET_ACCESS_KEY": "example",
		"AWS_ENDPOINT_URL": w.url, "AWS_MAX_ATTEMPTS": "1",
	}[name]
	return v, ok
}

func newWorld(t *testing.T, extra map[string]any) *world {
	t.Helper()
	w := &world{T: t, now: time.Now().Truncate(time.Second), failAt: -1} // signatures are of the real time
	w.iam = iam.New(iam.Options{Now: w.clock, Lag: 5 * time.Second, Fault: func(string, int) iam.Fault {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.calls++
		if w.calls == w.failAt+1 {
			return w.fault
		}
		return iam.None
	}})
	web := httptest.NewServer(w.iam)
	t.Cleanup(web.Close)
	w.url = web.URL
	id, secret := w.iam.AddUser(owner)
	doc := map[string]any{"provider": iamkey.Name, "userName": owner, "accessKeyId": id, "secretAccessKey": secret, "exclusive": true, "team": "payments"}
	for key, value := range extra {
		doc[key] = value
	}
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	w.store, w.planner = rotationtest.NewStore(t, rotation.TextValue(string(text))), rotationtest.NewPlanner(t)
	w.machine = &rotation.Machine{
		Store: w.store, Engine: &apikey.Engine{Providers: w, Grace: grace, Now: w.clock},
		Planner: w.planner, RetireAfter: grace, RetireFirst: true, Now: w.clock, Log: slog.New(slog.NewJSONHandler(&w.log, nil)),
	}
	return w
}

// key is the one of a version.
func (w *world) key(label string) (id, secret string) {
	w.Helper()
	_, v := w.store.Labelled(label)
	var doc map[string]any
	if err := json.Unmarshal([]byte(v.Reveal()), &doc); err != nil {
		w.Fatal(err)
	}
	secret = fmt.Sprint(doc["secretAccessKey"])
	w.secrets = append(w.secrets, secret)
	return fmt.Sprint(doc["accessKeyId"]), secret
}

// consistent asserts promise 1, the limit, and that nothing leaks.
func (w *world) consistent() {
	w.Helper()
	if !w.iam.Valid(w.key(rotation.Current)) {
		w.Error("locked out: AWSCURRENT is no valid key")
	}
	if n := w.iam.Peak(owner); n > 2 {
		w.Errorf("the user had %d keys at once", n)
	}
	for _, s := range w.secrets {
		if strings.Contains(w.log.String(), s) {
			w.Errorf("a secret key is in the log:\n%s", w.log.String())
		}
	}
}

// retire lets the planned retirements come, until none is planned any more.
func (w *world) retire() {
	w.Helper()
	for range 12 {
		plans := w.planner.Take()
		if len(plans) == 0 {
			return
		}
		w.mu.Lock()
		w.now, w.waited = plans[0].At, 0
		w.mu.Unlock()
		if err := rotationtest.RunEvent(w.Context(), w.machine, plans[0].Event()); err != nil {
			w.Errorf("retiring: %v", err)
		}
		w.consistent()
	}
	w.Error("retiring does not end")
}

func TestRotation(t *testing.T) {
	w := newWorld(t, nil)
	for range 3 {
		old, oldSecret := w.key(rotation.Current)
		if err := rotationtest.Run(t.Context(), w.machine, w.store.Begin()); err != nil {
			t.Fatal(err)
		}
		w.consistent()
		if !w.iam.Valid(old, oldSecret) {
			t.Error("the old key ended before the grace period was over")
		}
		plan := w.planner.Take()[0]
		w.advance(plan.At.Sub(w.clock()))
		if err := rotationtest.RunEvent(t.Context(), w.machine, plan.Event()); err != nil {
			t.Fatal(err)
		}
		if _, active := w.iam.Keys(owner); !slices.Equal(active, []bool{false, true}) {
			t.Errorf("after the first try: %v, want the old one inactive", active)
		}
		w.retire()
		if ids, _ := w.iam.Keys(owner); len(ids) != 1 || ids[0] == old {
			t.Errorf("keys at the end: %v", ids)
		}
		w.mu.Lock()
		w.waited = 0
		w.mu.Unlock()
	}
	_, v := w.store.Labelled(rotation.Current)
	if !strings.Contains(v.Reveal(), `"team":"payments"`) {
		t.Error("an unknown key was lost")
	}
}

// Each call fails in each way, in the rotation and in the retirement; then it is run again.
func TestCrashes(t *testing.T) {
	healthy := newWorld(t, nil)
	if err := rotationtest.Run(t.Context(), healthy.machine, healthy.store.Begin()); err != nil {
		t.Fatal(err)
	}
	inRotation := healthy.calls
	healthy.retire()
	cases := 0
	for n := range healthy.calls {
		for _, fault := range []iam.Fault{iam.NotDone, iam.ReplyLost, iam.Throttled, iam.ServerError} {
			for _, newToken := range []bool{false, true} {
				cases++
				w := newWorld(t, nil)
				w.failAt, w.fault = n, fault
				r := w.store.Begin()
				first := rotationtest.Run(t.Context(), w.machine, r)
				w.consistent()
				for try := 0; n < inRotation && try < 3; try++ {
					w.advance(20 * time.Minute) // Secrets Manager tries again
					if first == nil {
						break
					}
					if newToken && try == 0 {
						w.store.Unlabel(rotation.Pending)
						r = w.store.Begin()
					}
					w.waited = 0
					first = rotationtest.Run(t.Context(), w.machine, r)
					w.consistent()
				}
				if first != nil {
					t.Errorf("fault %d at call %d, new token %v: stuck: %v", fault, n, newToken, first)
				}
				w.retireUntil(t, n, fault)
				w.consistent()
				if ids, _ := w.iam.Keys(owner); len(ids) != 1 {
					t.Errorf("fault %d at call %d, new token %v: keys at the end: %v\n%s", fault, n, newToken, ids, w.log.String())
				}
			}
		}
	}
	t.Logf("%d cases", cases)
}

// retireUntil is retire, whose tries may fail once.
func (w *world) retireUntil(t *testing.T, n int, fault iam.Fault) {
	t.Helper()
	failed := 0
	for range 12 {
		plans := w.planner.Take()
		if len(plans) == 0 {
			return
		}
		w.mu.Lock()
		w.now, w.waited = plans[0].At, 0
		w.mu.Unlock()
		if rotationtest.RunEvent(t.Context(), w.machine, plans[0].Event()) != nil {
			failed++
		}
		w.consistent()
	}
	t.Errorf("fault %d at call %d: retiring does not end, %d failures", fault, n, failed)
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		extra   map[string]any
		prepare func(w *world)
		kind    error
		says    string
	}{
		"another user's key": {map[string]any{"userName": "admin"}, func(w *world) { w.iam.AddUser("admin") }, rotation.ErrConfig, "not the user admin"},
		"no user":            {map[string]any{"userName": nil}, nil, rotation.ErrConfig, `"userName"`},
		"wrong secret key":   {map[string]any{"secretAccessKey": "example"}, nil, rotation.ErrRefused, "secret access key"},
		"unknown key":        {map[string]any{"accessKeyId": "AKIAEXAMPLE"}, nil, rotation.ErrRefused, "not known"},
		"an administrator": {map[string]any{"adminSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:admin-AbCdEf"}, func(w *world) {
			w.store.Others = map[string]rotation.Value{"arn:aws:secretsmanager:us-east-1:123456789012:secret:admin-AbCdEf": rotation.TextValue(`{"a":"b"}`)}
		}, rotation.ErrConfig, "adminSecretArn"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.extra)
			if c.prepare != nil {
				c.prepare(w)
			}
			err := rotationtest.Run(t.Context(), w.machine, w.store.Begin())
			var step *rotation.StepError
			if !errors.As(err, &step) || !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || step.Hint == "" {
				t.Errorf("got %v", err)
			}
			if slices.Contains(w.iam.Calls(), "iam:CreateAccessKey") {
				t.Error("a key was made")
			}
		})
	}
}

// A user who has two keys already, of which one is somebody's: nothing is ended.
func TestFull(t *testing.T) {
	w := newWorld(t, map[string]any{"exclusive": false})
	provider, err := w.Provider(iamkey.Name)
	if err != nil {
		t.Fatal(err)
	}
	id, secret := w.key(rotation.Current)
	account := apikey.Account{Settings: map[string]string{"userName": owner}, Current: apikey.Key{ID: id, Material: apikey.Material{
		"accessKeyId": rotation.TextValue(id), "secretAccessKey": rotation.TextValue(secret),
	}}}
	if _, err := provider.Issue(t.Context(), account, apikey.Order{}); err != nil {
		t.Fatal(err)
	}
	err = rotationtest.Run(t.Context(), w.machine, w.store.Begin())
	if !errors.Is(err, apikey.ErrLimit) {
		t.Errorf("got %v", err)
	}
	w.consistent()
	if ids, _ := w.iam.Keys(owner); len(ids) != 2 {
		t.Errorf("keys %v", ids)
	}
	if _, err := provider.Issue(t.Context(), account, apikey.Order{}); !errors.Is(err, apikey.ErrLimit) || !errors.Is(err, apikey.ErrNotSent) {
		t.Errorf("a third key: %v", err)
	}
}
