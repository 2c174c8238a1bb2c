package redshift

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// DataAPI runs statements through the Redshift Data API. It is safe for several
// goroutines; errors wrap one sentinel of package rotation, those of a statement
// that failed are [Failure]'s.
//
// https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html
type DataAPI interface {
	// Run runs one statement on the server of a login, in its database, and waits
	// for the end: rows as text, NULL is "". The login is by the secret of
	// l.API.SecretARN, or as l.Username by temporary credentials. name is the
	// statement's in the history. When ctx ends first, the statement is cancelled.
	Run(ctx context.Context, l dbuser.Login, statement, name string) ([][]string, error)
	// Finished are the statements of a name that ended without an error, the
	// newest first. The service keeps them for a day.
	Finished(ctx context.Context, l dbuser.Login, name string) ([]string, error)
}

// overAPI runs statements through the Data API. There is no connection: each is a
// login of its own.
type overAPI struct {
	api   DataAPI
	login dbuser.Login
}

// open proves that the login is accepted, and is the one that was asked for: a
// serverless workgroup derives the user from the function's role.
func (a *overAPI) open(ctx context.Context) error {
	rows, err := a.run(ctx, "SELECT current_user")
	if err != nil {
		return err
	}
	if len(rows) == 1 && len(rows[0]) == 1 && (rows[0][0] == a.login.Username || a.login.Token && strings.TrimPrefix(rows[0][0], "IAM:") == a.login.Username) {
		return nil
	}
	as := "nobody"
	if len(rows) == 1 && len(rows[0]) == 1 {
		as = rows[0][0]
	}
	return rotation.WithHint(fmt.Errorf("the Data API logs in as %q and not as %q: %w", as, a.login.Username, rotation.ErrConfig),
		`Through temporary credentials a serverless workgroup takes the function's role for the user: put that user into "adminUser" ("IAMR:" and the role's name), and make it a superuser. A secret must name its user in "username".`)
}

func (a *overAPI) run(ctx context.Context, statement string) ([][]string, error) {
	name := "rekey"
	if user, ok := changesPasswordOf(statement); ok {
		name = nameOf(user)
	}
	return a.api.Run(ctx, a.login, statement, name)
}

// atOnce is how many queries run at once: each takes a few tenths of a second, and
// an account may run a few hundred.
const atOnce = 8

func (a *overAPI) read(ctx context.Context, queries []string) ([][][]string, error) {
	tables, errs := make([][][]string, len(queries)), make([]error, len(queries))
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, q := range queries {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			tables[i], errs[i] = a.run(ctx, q)
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err // the first: the others are of the same cause, or of the next try
		}
	}
	return tables, nil
}

func (a *overAPI) in(_ context.Context, database string) (runner, error) {
	next := *a
	next.login.Database = database
	return &next, nil
}

func (a *overAPI) try(ctx context.Context, statements []string) error {
	for i, s := range statements {
		if _, err := a.run(ctx, s); err != nil {
			return fmt.Errorf("running statement %d: %w", i, err)
		}
	}
	return nil
}

func (a *overAPI) close() error { return nil }

// changesPasswordOf takes a statement of passwordStatement's apart.
func changesPasswordOf(statement string) (quoted string, ok bool) {
	rest, ok := strings.CutPrefix(statement, "ALTER USER ")
	quoted, _, found := strings.Cut(rest, " PASSWORD '")
	return quoted, ok && found && strings.HasPrefix(quoted, `"`)
}

// nameOf is what the statements that change a user's password are called in the
// history: all of them, and no other's.
func nameOf(quoted string) string {
	sum := sha256.Sum256([]byte(quoted))
	return "rekey password " + hex.EncodeToString(sum[:12])
}

// witness proves a password that cannot log in through the API, because the API
// takes none: it reads passwords from Secrets Manager, and of a secret only
// AWSCURRENT. What can be known is the last change of the password that was made
// through the API by this function's role, and that Redshift took it.
func (d Driver) witness(ctx context.Context, l dbuser.Login) (dbuser.Session, error) {
	admin := *l.API.Witness
	admin.Database = l.Database
	a := &overAPI{api: d.API, login: admin}
	if err := a.open(ctx); err != nil {
		return nil, err
	}
	rows, err := a.run(ctx, "SELECT usesysid FROM pg_user WHERE usename = "+text(l.Username))
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("there is no such user: %w", rotation.ErrRefused)
	}
	made, err := d.API.Finished(ctx, admin, nameOf(identifier(l.Username)))
	if err != nil {
		return nil, err
	}
	if len(made) == 0 {
		return nil, rotation.WithHint(fmt.Errorf("the history of the Data API has no change of the user's password: %w", rotation.ErrRefused),
			"It is kept for a day. Set the password in the database to the one in AWSCURRENT, then rotate again.")
	}
	_, rest, _ := strings.Cut(made[0], " PASSWORD '")
	verifier, _, _ := strings.Cut(rest, "'")
	if !verifies(verifier, l.Password.Reveal(), l.Username) {
		return nil, fmt.Errorf("the history of the Data API has another password of the user's: %w", rotation.ErrRefused)
	}
	return &witnessed{session: d.session(a, admin), user: l.Username}, nil
}

// witnessed is a session of an administrator that stands for a user's, whose
// password is proven.
type witnessed struct {
	*session
	user string
}

// Try implements [dbuser.Session]. An administrator runs no statement of the
// secret's: secrets that have some are refused before.
func (w *witnessed) Try(context.Context, []string) error { return nil }

// SetPassword implements [dbuser.Session].
func (w *witnessed) SetPassword(ctx context.Context, password rotation.Value) error {
	return w.SetPasswordOf(ctx, w.user, password)
}
