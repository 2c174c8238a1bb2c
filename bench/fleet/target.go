package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// targets are the databases: a user and its password for each secret, and pauses in place of
// work. It is a [dbuser.Driver].
type targets struct {
	pauses Pauses

	mu        sync.Mutex
	passwords map[string]string
	logins    int
	refused   int
}

func newTargets(p Pauses) *targets { return &targets{pauses: p, passwords: map[string]string{}} }

// add makes a user, and returns the document of its secret.
func (t *targets) add(user string) (document string) {
	password := "First-" + user
	t.mu.Lock()
	defer t.mu.Unlock()
	t.passwords[user] = password
	return fmt.Sprintf(`{"engine":"postgres","host":"db.example.com","port":5432,"dbname":"app","username":%q,"password":%q}`, user, password)
}

// accepts says whether a secret's document logs in.
func (t *targets) accepts(user, document string) bool {
	var d struct{ Username, Password string }
	if json.Unmarshal([]byte(document), &d) != nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return d.Username == user && d.Password == t.passwords[user]
}

// Rules are PostgreSQL's.
func (*targets) Rules() dbuser.Rules {
	return dbuser.Rules{
		DefaultPort: 5432, DefaultDatabase: "postgres", MaxUsername: 63, UsernameLength: func(s string) int { return len(s) }, MaxPassword: 99,
	}
}

// Login is of [dbuser.Driver].
func (t *targets) Login(_ context.Context, l dbuser.Login) (dbuser.Session, error) {
	time.Sleep(t.pauses.Login)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.logins++
	if p, known := t.passwords[l.Username]; !known || p != l.Password.Reveal() {
		t.refused++
		return nil, fmt.Errorf("password authentication failed: %w", rotation.ErrRefused)
	}
	return &session{t, l.Username}, nil
}

type session struct {
	targets *targets
	user    string
}

func (s *session) SetPassword(_ context.Context, password rotation.Value) error {
	time.Sleep(s.targets.pauses.Query)
	s.targets.mu.Lock()
	defer s.targets.mu.Unlock()
	s.targets.passwords[s.user] = password.Reveal()
	return nil
}

func (s *session) Try(_ context.Context, statements []string) error {
	for _, one := range statements {
		time.Sleep(s.targets.pauses.Query)
		if !strings.HasPrefix(one, "SELECT ") {
			return errors.New("the simulated database takes SELECT only")
		}
	}
	return nil
}

// Inspect is of [dbuser.Session]. Rotations do not ask it.
func (*session) Inspect(context.Context) (dbuser.Inspection, error) {
	return dbuser.Inspection{}, errors.New("the simulated database is not inspected")
}

func (*session) Close() error { return nil }
