package mysql

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// alteration is one change of password in MySQL: of the session's own account,
// and of the user's accounts on other hosts that have the same password.
type alteration struct {
	*session
	rounds   int    // of new caching_sha2 verifiers
	password string // the new one
	masked   bool   // the account may not set verifiers: see setMasked
}

// mysqlAccount is one account of the user.
type mysqlAccount struct {
	name   string // quoted
	plugin string
	own    bool // the session's
}

func (s *session) changeMySQL(ctx context.Context, of ownAccount, password string, keep bool) error {
	a, accounts, err := s.alteration(ctx, of, password)
	if err != nil {
		return err
	}
	for _, account := range accounts {
		if err := a.change(ctx, account, keep); err != nil {
			return err
		}
	}
	return nil
}

// alteration prepares one, and lists the accounts to be changed. The session's
// own comes last: as long as it takes the login of before, a further try begins
// at the beginning.
func (s *session) alteration(ctx context.Context, of ownAccount, password string) (*alteration, []mysqlAccount, error) {
	plugin, err := mysqlPlugin(of.definition)
	if err != nil {
		return nil, nil, err
	}
	switch plugin {
	case cachingSHA2Plugin, nativePlugin, sha256Plugin:
	default:
		return nil, nil, errPlugin(plugin)
	}
	a := &alteration{session: s, rounds: 5000, password: password} // the default, and all there was before 8.0.24
	if n, err := strconv.Atoi(of.rounds); err == nil {
		a.rounds = n
	}
	others, err := a.otherHosts(ctx)
	return a, append(others, mysqlAccount{name: accountName(of.definition), plugin: plugin, own: true}), err
}

// change gives an account the new password: beside the login's, or alone.
func (a *alteration) change(ctx context.Context, account mysqlAccount, keep bool) error {
	err := a.add(ctx, account)
	var one *dbuser.OnePasswordError
	switch {
	case errors.As(err, &one) && !account.own:
		return errOtherHosts(account.name)
	case errors.As(err, &one) && !keep:
		err = translate(ctx, a.set(ctx, account, a.password, ""))
	}
	if err != nil || keep {
		return err
	}
	if one != nil && errors.Is(one.Kind, rotation.ErrDenied) {
		return nil // an old one that is alive all the same, this account may not end
	}
	err = a.exec(ctx, "ALTER USER "+a.target(account)+" DISCARD OLD PASSWORD")
	if one != nil && (needsCreateUser(err) || number(err) == 1064) {
		return nil // as before, or the server knows of no second one
	}
	return translate(ctx, err)
}

// retain keeps the primary password of an account as its secondary, and evicts
// the secondary of before.
//
// https://dev.mysql.com/doc/refman/8.4/en/password-management.html#dual-passwords
const retain = " RETAIN CURRENT PASSWORD"

// add makes the account's passwords the new one (primary) and the login's
// (secondary), whatever they were: new and login after a reply that was lost; a
// half-done rotation's and login; login and one from before; login alone.
//
// A single RETAIN would, in the first two states, evict the login's password,
// which consumers use. So the login's password is made the primary first. It is
// valid before, between and after the two statements; so is the new one, if it
// was before. Nothing needs to be known of the account's state, and nothing needs
// a login to find it out. Only another invocation must not come in between.
func (a *alteration) add(ctx context.Context, account mysqlAccount) error {
	if a.one != nil && account.own {
		return a.one
	}
	if err := a.lock(ctx); err != nil {
		return err
	}
	if err := a.set(ctx, account, a.login.Password.Reveal(), retain); err != nil {
		if one := onePassword(err, account.name); one != nil {
			a.one = one
			return one
		}
		return translate(ctx, err)
	}
	return translate(ctx, a.set(ctx, account, a.password, retain))
}

// set sends a verifier if the account may do that, which takes CREATE USER;
// else it does what every account may for itself. Its error is the driver's.
func (a *alteration) set(ctx context.Context, account mysqlAccount, password, clause string) error {
	if account.own && (a.masked || account.plugin == sha256Plugin) {
		return a.setMasked(ctx, password, clause)
	}
	verifier := "'" + nativeVerifier(password) + "'"
	if account.plugin == cachingSHA2Plugin {
		verifier = fmt.Sprintf("0x%x", cachingSHA2Verifier(password, newSalt(), a.rounds))
	}
	err := a.exec(ctx, "ALTER USER "+a.target(account)+" IDENTIFIED WITH "+account.plugin+" AS "+verifier+clause)
	if account.own && needsCreateUser(err) {
		a.masked = true
		return a.setMasked(ctx, password, clause)
	}
	return err
}

// target names the account in a statement. One's own goes by the function: that
// is allowed where its name is not.
func (a *alteration) target(account mysqlAccount) string {
	switch {
	case !account.own:
		return account.name
	case a.masked || account.plugin == sha256Plugin:
		return "USER()"
	}
	return "CURRENT_USER()"
}

// setMasked is how an account without CREATE USER changes its own password. The
// statement carries the password, over verified TLS; the server replaces it in
// everything that it logs (general, slow and binary log, performance_schema).
//
// https://dev.mysql.com/doc/refman/8.4/en/password-logging.html
func (a *alteration) setMasked(ctx context.Context, password, clause string) error {
	if a.login.Plaintext {
		return errPasswordInPlaintext
	}
	if strings.Contains(password+a.login.Password.Reveal(), `\`) {
		// The server's sql_mode decides what a backslash means in a literal.
		if err := a.exec(ctx, "SET SESSION sql_mode = ''"); err != nil {
			return err
		}
	}
	err := a.exec(ctx, "ALTER USER USER() IDENTIFIED BY "+quote(password)+clause)
	if needsCurrentPassword(err) && clause == "" {
		err = a.exec(ctx, "ALTER USER USER() IDENTIFIED BY "+quote(password)+" REPLACE "+quote(a.login.Password.Reveal()))
	}
	return err
}

// onePassword is why the account cannot keep its old password, if that is what
// the first RETAIN failed for.
func onePassword(err error, account string) *dbuser.OnePasswordError {
	if errors.Is(err, errPasswordInPlaintext) {
		return &dbuser.OnePasswordError{
			Kind: rotation.ErrDenied, Reason: "without TLS, and without CREATE USER for " + account + ", a password is not sent",
			Remedy: "Turn TLS on.",
		}
	}
	return onePasswordBecause(number(err), account)
}

// The refusals of RETAIN CURRENT PASSWORD.
const (
	notGranted      = 1227 // ER_SPECIFIC_ACCESS_DENIED_ERROR
	notKnown        = 1064 // ER_PARSE_ERROR
	againstHistory  = 3638 // ER_CREDENTIALS_CONTRADICT_TO_HISTORY
	tooWeak         = 1819 // ER_NOT_VALID_PASSWORD
	currentRequired = 3892 // ER_MISSING_CURRENT_PASSWORD
)

// onePasswordBecause is onePassword by the number of the server's error.
func onePasswordBecause(refusal uint16, account string) *dbuser.OnePasswordError {
	switch refusal {
	case notGranted:
		return &dbuser.OnePasswordError{
			Kind: rotation.ErrDenied, Reason: "APPLICATION_PASSWORD_ADMIN is not granted to " + account,
			Remedy: "GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO " + account + ";",
		}
	case notKnown:
		return &dbuser.OnePasswordError{
			Kind: rotation.ErrConfig, Reason: "the server does not know RETAIN CURRENT PASSWORD, as MySQL does from 8.0.14 on",
			Remedy: "Upgrade the server.",
		}
	case againstHistory, tooWeak:
		return &dbuser.OnePasswordError{
			Kind: rotation.ErrConfig, Reason: "the server's password policy (history, reuse interval or strength) does not let " + account + " set its current password once more",
			Remedy: "ALTER USER " + account + " PASSWORD HISTORY 0 PASSWORD REUSE INTERVAL 0 DAY;",
		}
	case currentRequired:
		return &dbuser.OnePasswordError{
			Kind: rotation.ErrConfig, Reason: account + " has PASSWORD REQUIRE CURRENT",
			Remedy: "ALTER USER " + account + " PASSWORD REQUIRE CURRENT OPTIONAL;",
		}
	}
	return nil
}
