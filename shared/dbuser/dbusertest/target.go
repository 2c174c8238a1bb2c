// Package dbusertest is one suite for every [dbuser.Driver], run against real
// servers: [Exercise] is what a driver must pass.
package dbusertest

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

// Target is a kind of server that a driver is exercised on.
type Target struct {
	// Engine is the secret's "engine".
	Engine string
	// Server and Version choose the real server.
	Server  database.Engine
	Version string
	// Driver makes the driver, with the authority of a server's certificate.
	Driver func(roots *x509.CertPool) dbuser.Driver
	// CreateUser are the statements that make a user with a password, both
	// already quoted as literals or identifiers by Quote.
	CreateUser func(user, password string) []string
	// Dual: the users that CreateUser makes may keep their old password.
	Dual bool
	// CreateAdmin are the statements that make an administrator who may manage a
	// user and no more: the strategy is alternating then.
	CreateAdmin func(admin, password, user string) []string
	// Alike asks the server whether the two of a pair have the same rights.
	Alike func(ctx context.Context, server *database.Server, base, clone string) error
	// ChangePassword changes it behind the secret's back.
	ChangePassword func(user, password string) string

	// Front stands between clients and the server, or is nil. It is asked once for
	// each user, and answers the same for the same server.
	Front func(t testing.TB, server *database.Server) Front
	// Options are the server's, beside Engine and Version.
	Options func(database.Options) database.Options
	// MaxUsername is the server's, if it is less than the driver's rules have; in bytes.
	MaxUsername int
	// NewPasswords are odd ones that the server takes; nil: those of most.
	NewPasswords []string

	shared *database.Server // of all tests of one Exercise
}

// Front is what clients reach in place of a server.
type Front struct {
	Port  int
	CAPEM []byte // of the authority of its certificate
	// Log is what it has seen of clients.
	Log func() string
}

func (t Target) front(tb testing.TB, server *database.Server) Front {
	if t.Front == nil {
		return Front{Port: server.Port, CAPEM: server.CAPEM(), Log: func() string { return "" }}
	}
	return t.Front(tb, server)
}

// start starts a server of the target's kind for one test.
func (t Target) start(tb testing.TB, o database.Options) *database.Server {
	tb.Helper()
	o.Engine, o.Version = t.Server, t.Version
	if t.Options != nil {
		o = t.Options(o)
	}
	return databasetest.Start(tb, o)
}

// strategy is the best that the users are allowed.
func (t Target) strategy() dbuser.Strategy {
	switch {
	case t.CreateAdmin != nil:
		return dbuser.Alternating
	case t.Dual:
		return dbuser.Dual
	}
	return dbuser.Single
}

// noWindow: the previous credential stays valid.
func (t Target) noWindow() bool { return t.strategy() != dbuser.Single }

// Bench is one user on one server, its secret, and the machine that rotates it.
type Bench struct {
	target   Target
	server   *database.Server
	front    Front
	original rotation.Value // the secret before any rotation
	store    *rotationtest.Store
	machine  *rotation.Machine
	driver   *counted
	seen     []string // the passwords that were current
	logs     *logs
	planner  *rotationtest.Planner // of a bench that retires; and its clock
	now      *time.Time
}

// logs are what the machine logged.
type logs struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

// Logs is what the machine has logged.
func (b *Bench) Logs() string {
	b.logs.mu.Lock()
	defer b.logs.mu.Unlock()
	return b.logs.all.String()
}

// sharedBench is NewBench on the server that the tests of an Exercise share.
func sharedBench(t *testing.T, target Target, user, password string, extra ...map[string]any) *Bench {
	t.Helper()
	return NewBench(t, target, target.shared, user, password, extra...)
}

// NewBench makes a user with a password on a server, and its secret. Extra keys
// of the secret win over the usual ones.
func NewBench(t *testing.T, target Target, server *database.Server, user, password string, extra ...map[string]any) *Bench {
	t.Helper()
	if err := server.Exec(t.Context(), target.CreateUser(user, password)...); err != nil {
		t.Fatalf("creating the user: %v", err)
	}
	admin := map[string]any{}
	if target.CreateAdmin != nil {
		admin["masterarn"] = adminARN
	}
	front := target.front(t, server)
	secret := secretOf(target, server.Host, front.Port, user, password, append(extra, admin)...)
	b := &Bench{front: front, original: secret, seen: []string{password}, target: target, server: server, store: rotationtest.NewStore(t, secret), logs: &logs{}}
	b.driver = &counted{Driver: target.Driver(front.roots()), bare: target.CreateAdmin != nil}
	if target.CreateAdmin != nil {
		b.createAdmin(t, user, extra...)
	}
	b.machine = &rotation.Machine{Store: b.store, Log: slog.New(slog.NewJSONHandler(b.logs, nil)), Engine: &dbuser.Engine{
		Drivers: map[string]dbuser.Driver{target.Engine: b.driver},
		Policy:  policy(t, nil),
	}}
	return b
}

const adminARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:admin-AbCdEf"

// createAdmin makes the administrator of a user, and its secret.
func (b *Bench) createAdmin(t *testing.T, user string, extra ...map[string]any) {
	t.Helper()
	admin, password := "adm_"+user, "Password-of-the-admin-of-"+user
	if err := b.server.Exec(t.Context(), b.target.CreateAdmin(admin, password, user)...); err != nil {
		t.Fatalf("creating the administrator: %v", err)
	}
	b.store.Others = map[string]rotation.Value{adminARN: secretOf(b.target, b.server.Host, b.front.Port, admin, password, extra...)}
	b.seen = append(b.seen, password)
}

// With is the bench, as it stands, whose secret gets further keys and whose user
// is of another target.
func (b *Bench) With(t *testing.T, target Target, extra map[string]any) *Bench {
	t.Helper()
	next := *b
	next.target = target
	next.original = secretOf(target, b.server.Host, b.front.Port, field(t, b.original, "username"), b.Password(t, rotation.Current), extra)
	id, _ := b.store.Labelled(rotation.Current)
	b.store.Plant(id, next.original, rotation.Current)
	return &next
}

// Roots is the authority of a server's certificate.
func Roots(server *database.Server) *x509.CertPool {
	return Front{CAPEM: server.CAPEM()}.roots()
}

func (f Front) roots() *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(f.CAPEM)
	return roots
}

func policy(t *testing.T, environment map[string]string) dbuser.Policy {
	t.Helper()
	p, err := dbuser.PolicyFrom(func(name string) (string, bool) { v, ok := environment[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func secretOf(target Target, host string, port int, user, password string, extra ...map[string]any) rotation.Value {
	doc := map[string]any{
		"engine": target.Engine, "host": host, "port": port,
		"username": user, "password": password, "note": "kept as it is: <é>",
	}
	for _, e := range extra {
		maps.Copy(doc, e)
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return rotation.TextValue(string(raw))
}

// Password of the version with a label.
func (b *Bench) Password(t *testing.T, label string) string {
	t.Helper()
	_, v := b.store.Labelled(label)
	return field(t, v, "password")
}

func field(t *testing.T, v rotation.Value, key string) string {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal([]byte(v.Reveal()), &doc); err != nil {
		t.Fatalf("the secret is not JSON: %v", err)
	}
	s, _ := doc[key].(string)
	return s
}

// logsIn asks the server, with a login of its own that the count leaves out.
func (b *Bench) logsIn(t *testing.T, label string) error {
	t.Helper()
	_, v := b.store.Labelled(label)
	session, err := b.driver.Driver.Login(t.Context(), b.loginOf(t, v))
	if err != nil {
		return err
	}
	return session.Close()
}

func (b *Bench) loginOf(t *testing.T, v rotation.Value) dbuser.Login {
	t.Helper()
	database := field(t, v, "dbname")
	if database == "" {
		database = b.driver.Rules().DefaultDatabase
	}
	return dbuser.Login{
		Host: b.server.Host, Port: b.front.Port, ServerName: b.server.Host, Database: database,
		Username: field(t, v, "username"), Password: rotation.TextValue(field(t, v, "password")),
	}
}

// Rotate carries out a whole rotation, with a deadline like Lambda's.
func (b *Bench) Rotate(t *testing.T) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	return rotationtest.Run(ctx, b.machine, b.store.Begin())
}

// RotateTo is Rotate with a pending password that someone chose.
func (b *Bench) RotateTo(t *testing.T, password string) error {
	t.Helper()
	r := b.store.Begin()
	pending, err := rotation.ParseDocument(b.original)
	if err != nil {
		t.Fatal(err)
	}
	v, err := pending.With("password", password)
	if err != nil {
		t.Fatal(err)
	}
	b.store.Plant(r.Token, v, rotation.Pending)
	return rotationtest.Run(t.Context(), b.machine, r)
}

// MustNotBeLogged searches the server's logs and the machine's for every password
// that the secret had.
func (b *Bench) MustNotBeLogged(t *testing.T) {
	t.Helper()
	logs, err := b.server.Logs()
	if err != nil {
		t.Fatal(err)
	}
	user := field(t, b.original, "username")
	if !strings.Contains(logs, user) {
		t.Fatalf("the server's log does not speak of %q: it proves nothing", user)
	}
	passwords := append([]string{b.Password(t, rotation.Current), b.Password(t, rotation.Previous)}, b.seen...)
	noPasswordIn(t, "the server's log", logs, passwords...)
	noPasswordIn(t, "what clients sent", b.front.Log(), passwords...)
	noPasswordIn(t, "the machine's log", b.Logs(), passwords...)
}

// MustBeConsistent asserts promise 1: AWSCURRENT logs in; AWSPREVIOUS does if the
// strategy is dual, and only then; nothing older does; and the rest of the secret
// is as it was.
func (b *Bench) MustBeConsistent(t *testing.T) {
	t.Helper()
	if err := b.logsIn(t, rotation.Current); err != nil {
		t.Errorf("locked out: AWSCURRENT does not log in: %v", err)
	}
	switch err := b.logsIn(t, rotation.Previous); {
	case b.target.noWindow() && err != nil:
		t.Errorf("AWSPREVIOUS does not log in: %v", err)
	case !b.target.noWindow() && err == nil:
		t.Error("the old password still logs in")
	}
	b.mustHaveEnded(t, b.seen...)
	b.seen = append(b.seen, b.Password(t, rotation.Current))
	_, after := b.store.Labelled(rotation.Current)
	var x, y map[string]json.RawMessage
	if json.Unmarshal([]byte(b.original.Reveal()), &x) != nil || json.Unmarshal([]byte(after.Reveal()), &y) != nil {
		t.Fatal("the secret is not JSON")
	}
	for key, raw := range x {
		if key != "password" && string(raw) != string(y[key]) {
			t.Errorf("the key %q changed", key)
		}
	}
}

// mustHaveEnded asserts that passwords, unless they are current or previous, do
// not log in.
func (b *Bench) mustHaveEnded(t *testing.T, passwords ...string) {
	t.Helper()
	current, previous := b.Password(t, rotation.Current), b.Password(t, rotation.Previous)
	login := b.loginOf(t, b.original)
	for _, p := range passwords {
		if p == current || p == previous {
			continue
		}
		login.Password = rotation.TextValue(p)
		session, err := b.driver.Driver.Login(t.Context(), login)
		if err == nil {
			_ = session.Close()
			t.Error("a password from before AWSPREVIOUS still logs in")
		}
	}
}

// counted is a driver whose logins and changes are counted.
type counted struct {
	dbuser.Driver
	bare    bool // sessions are the driver's own, whose changes are not counted
	changes atomic.Int32
	mu      sync.Mutex
	logins  int
	refused int
}

func (c *counted) Login(ctx context.Context, l dbuser.Login) (dbuser.Session, error) {
	s, err := c.Driver.Login(ctx, l)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.refused++
		return nil, err
	}
	c.logins++
	if c.bare {
		return s, nil
	}
	if dual, ok := s.(dbuser.DualSession); ok {
		return &countedDual{countedSession{s, &c.changes}, dual}, nil
	}
	return &countedSession{s, &c.changes}, nil
}

type countedSession struct {
	dbuser.Session
	changes *atomic.Int32
}

func (s *countedSession) SetPassword(ctx context.Context, password rotation.Value) error {
	s.changes.Add(1)
	return s.Session.SetPassword(ctx, password)
}

type countedDual struct {
	countedSession
	dual dbuser.DualSession
}

func (s *countedDual) AddPassword(ctx context.Context, password rotation.Value) error {
	s.changes.Add(1)
	return s.dual.AddPassword(ctx, password)
}

func (s *countedDual) KeepPassword(ctx context.Context, due func(context.Context) error) (bool, error) {
	s.changes.Add(1)
	return s.dual.KeepPassword(ctx, due)
}

// noPasswordIn searches a text for passwords, in every form that a log may give
// them.
func noPasswordIn(t *testing.T, where, text string, passwords ...string) {
	t.Helper()
	for _, p := range passwords {
		quoted, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{p, string(quoted[1 : len(quoted)-1]), fmt.Sprintf("%x", p), strings.ReplaceAll(p, "'", "''"), strings.ReplaceAll(p, `\`, `\\`)} {
			if len(form) >= 8 && strings.Contains(text, form) {
				t.Errorf("a password is in %s", where)
				return
			}
		}
	}
}
