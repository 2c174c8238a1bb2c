package mysql

import (
	"context"
	"fmt"
	"strings"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// mariadbAccount is an account and what it authenticates by.
type mariadbAccount struct {
	name string // quoted
	all  []alternative
}

func parseMariaDB(definition string) (mariadbAccount, error) {
	all, err := mariadbAlternatives(definition)
	return mariadbAccount{accountName(definition), all}, err
}

// changeMariaDB replaces all passwords of the account in one statement, which
// does not depend on those it has: running it again, or twice at once, does no
// harm. KeepPassword must not come in between, for it takes away what this adds.
func (s *session) changeMariaDB(ctx context.Context, password string, keep bool) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	own, others, err := s.mariadbAccounts(ctx, password)
	if err != nil {
		return err
	}
	for _, other := range others {
		err := s.alterMariaDB(ctx, other, s.both(password, keep))
		if needsCreateUser(err) {
			return errOtherHosts(other.name)
		}
		if err != nil {
			return translate(ctx, err)
		}
	}
	if err := own.check(); err != nil {
		return err
	}
	return s.changeOwnMariaDB(ctx, own, password, keep)
}

// mariadbAccounts are the session's own, and those on other hosts that have the
// password of the login or another that is given.
func (s *session) mariadbAccounts(ctx context.Context, password string) (own mariadbAccount, others []mariadbAccount, err error) {
	if others, err = s.mariadbOtherHosts(ctx, password); err != nil {
		return own, nil, err
	}
	definition, err := s.definition(ctx, "CURRENT_USER()")
	if err != nil {
		return own, nil, translate(ctx, err)
	}
	own, err = parseMariaDB(definition)
	return own, others, err
}

// both are the passwords that an account gets: the new one, and the login's
// beside it.
func (s *session) both(password string, keep bool) []string {
	if keep {
		return []string{password, s.login.Password.Reveal()}
	}
	return []string{password}
}

func (s *session) changeOwnMariaDB(ctx context.Context, own mariadbAccount, password string, keep bool) error {
	passwords := own.passwords()
	switch {
	case !keep && len(passwords) == 1:
		// Every account may run this for itself, and it takes a verifier.
		// https://mariadb.com/kb/en/set-password/
		return translate(ctx, s.exec(ctx, "SET PASSWORD = '"+mariadbVerifier(passwords[0], password)+"'"))
	case keep && passwords[0] != nativePlugin:
		return onePasswordMariaDB(own.name, passwords[0])
	}
	err := s.alterMariaDB(ctx, own, s.both(password, keep))
	switch {
	case !needsCreateUser(err):
		return translate(ctx, err)
	case keep:
		return onePasswordMariaDB(own.name, nativePlugin)
	}
	return own.mayNotReplace()
}

func (m mariadbAccount) mayNotReplace() error {
	return rotation.WithHint(fmt.Errorf("replacing the %d passwords of %s: CREATE USER is not granted to it: %w", len(m.passwords()), m.name, rotation.ErrDenied),
		"GRANT CREATE USER ON *.* TO "+m.name+"; or keep one authentication method that has a password: ALTER USER … IDENTIFIED VIA ….")
}

// alterMariaDB gives an account these passwords and no other. Its error is the
// driver's.
//
// The account goes by its name: of several alternatives, ALTER USER
// CURRENT_USER() stores only the last. Methods without a password come after
// those with one: many clients follow a single change of method in a login, and
// from one native password to another costs that one.
func (s *session) alterMariaDB(ctx context.Context, account mariadbAccount, passwords []string) error {
	plugin := account.passwords()[0]
	var methods []string
	for _, p := range passwords {
		methods = append(methods, plugin+" USING '"+mariadbVerifier(plugin, p)+"'")
	}
	for _, a := range account.all {
		if !hasPassword(a) {
			methods = append(methods, a.text)
		}
	}
	return s.exec(ctx, "ALTER USER "+account.name+" IDENTIFIED VIA "+strings.Join(methods, " OR "))
}

// passwords are the plugins of the account's passwords.
func (m mariadbAccount) passwords() []string {
	var plugins []string
	for _, a := range m.all {
		if hasPassword(a) {
			plugins = append(plugins, a.plugin)
		}
	}
	return plugins
}

// check refuses an account unless it has one password or, both native, two: what
// a rotation with dual passwords leaves.
func (m mariadbAccount) check() error {
	passwords := m.passwords()
	switch strings.Join(passwords, " ") {
	case nativePlugin, ed25519Plugin, nativePlugin + " " + nativePlugin:
		return nil
	}
	var all []string
	for _, a := range m.all {
		all = append(all, a.plugin)
	}
	if len(passwords) < 2 {
		return errPlugin(strings.Join(all, " or "))
	}
	return rotation.WithHint(fmt.Errorf("reading the account: it has %d passwords (%s): %w", len(passwords), strings.Join(all, " or "), rotation.ErrConfig),
		"Keep one authentication method that has a password: ALTER USER … IDENTIFIED VIA ….")
}

// hasPassword tells the methods that a password is part of from those of the
// operating system.
func hasPassword(a alternative) bool { return a.plugin != "unix_socket" }

func mariadbVerifier(plugin, password string) string {
	if plugin == ed25519Plugin {
		return ed25519Verifier(password)
	}
	return nativeVerifier(password)
}

// onePasswordMariaDB is why the account cannot keep its old password.
func onePasswordMariaDB(account, plugin string) *dbuser.OnePasswordError {
	if plugin != nativePlugin {
		return &dbuser.OnePasswordError{
			Kind: rotation.ErrConfig, Reason: account + " authenticates by " + plugin + ", and with two such passwords many clients cannot log in with the second",
			Remedy: "ALTER USER " + account + " IDENTIFIED VIA mysql_native_password USING '…';",
		}
	}
	return &dbuser.OnePasswordError{
		Kind: rotation.ErrDenied, Reason: "CREATE USER is not granted to " + account,
		Remedy: "GRANT CREATE USER ON *.* TO " + account + ";",
	}
}
