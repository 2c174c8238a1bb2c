package mysql

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// KeepPassword makes the login's password the only one.
func (s *session) KeepPassword(ctx context.Context, due func(context.Context) error) (only bool, err error) {
	of, err := s.account(ctx)
	if err != nil {
		return false, err
	}
	if err := s.lock(ctx); err != nil {
		return false, err
	}
	if err := due(ctx); err != nil {
		return false, err
	}
	if of.mariadb {
		return s.keepMariaDB(ctx)
	}
	return false, s.keepMySQL(ctx, of) // MySQL tells an account nothing of its second password
}

// keepMySQL ends the other password of each account. That of the login is made
// the primary one first: it is not where a half-done rotation was cleared away,
// and DISCARD would end it.
func (s *session) keepMySQL(ctx context.Context, of ownAccount) error {
	a, accounts, err := s.alteration(ctx, of, s.login.Password.Reveal())
	if err != nil {
		return err
	}
	for _, account := range accounts {
		if err := a.set(ctx, account, a.password, retain); err != nil {
			switch one := onePassword(err, account.name); {
			case one != nil && account.own:
				return one
			case one != nil:
				return errOtherHosts(account.name)
			}
			return translate(ctx, err)
		}
		if err := a.exec(ctx, "ALTER USER "+a.target(account)+" DISCARD OLD PASSWORD"); err != nil {
			return translate(ctx, err)
		}
	}
	return nil
}

// keepMariaDB leaves each account the one password. Nothing is written where
// there is only one.
func (s *session) keepMariaDB(ctx context.Context) (only bool, err error) {
	password := s.login.Password.Reveal()
	own, others, err := s.mariadbAccounts(ctx, password)
	if err != nil {
		return false, err
	}
	if err := own.check(); err != nil {
		return false, err
	}
	only = true
	for _, account := range append(others, own) {
		if len(account.passwords()) < 2 {
			continue
		}
		only = false
		err := s.alterMariaDB(ctx, account, []string{password})
		if needsCreateUser(err) {
			return false, account.mayNotReplace()
		}
		if err != nil {
			return false, translate(ctx, err)
		}
	}
	return only, nil
}

// lock keeps other invocations that change the user's password out until the
// session ends. Taking it again does nothing.
func (s *session) lock(ctx context.Context) error {
	seconds := 30
	if deadline, ok := ctx.Deadline(); ok {
		seconds = max(1, int(time.Until(deadline).Seconds()))
	}
	// If this function vanishes without a word, the server ends the session, and
	// with it the lock, soon after.
	if err := s.exec(ctx, fmt.Sprintf("SET SESSION wait_timeout = %d", seconds+1)); err != nil {
		return translate(ctx, err)
	}
	var got *int
	name := fmt.Sprintf("rekey %x", sha256.Sum256([]byte(s.login.Username)))[:38]
	if err := s.db.QueryRowContext(ctx, fmt.Sprintf("SELECT GET_LOCK('%s', %d)", name, seconds)).Scan(&got); err != nil {
		return translate(ctx, err)
	}
	if got == nil || *got != 1 {
		return rotation.WithHint(fmt.Errorf("waiting for another invocation that is changing the password: no end in the time there was: %w", rotation.ErrUnreachable),
			"Run the rotation again.")
	}
	return nil
}
