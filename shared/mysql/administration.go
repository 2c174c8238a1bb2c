package mysql

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// administration is a session that manages other users.
type administration struct {
	*session
	mariadb bool
	version int    // of MySQL, 8.0.21 is 80021
	rounds  int    // of new caching_sha2 verifiers
	admin   string // the session's own account, as SQL
	user    string // and its user
	changes []string
}

// Versions of MySQL that account settings came with.
//
// https://dev.mysql.com/doc/relnotes/mysql/8.0/en/
const (
	mysqlLocking    = 80019 // FAILED_LOGIN_ATTEMPTS, PASSWORD_LOCK_TIME
	mysqlAttributes = 80021 // COMMENT, ATTRIBUTE
)

// administer prepares the session. Statements are made, and answers read, under
// one set of rules, whatever the server's configuration: text in UTF-8, the
// backslash an escape, names in backticks. MariaDB would create a user that is
// gone when something is granted to it, if its mode did not forbid that.
//
// The time-out is for a function that vanishes without a word: its session, and
// with it the lock on the pair, end soon after.
//
// https://dev.mysql.com/doc/refman/8.4/en/sql-mode.html
// https://mariadb.com/kb/en/sql-mode/#no_auto_create_user
func (s *session) administer(ctx context.Context) (*administration, error) {
	settings, err := s.settings(ctx)
	if err != nil {
		return nil, translate(ctx, err)
	}
	if settings["read_only"] == "ON" || settings["innodb_read_only"] == "ON" {
		return nil, errReadOnly()
	}
	a := &administration{session: s, rounds: 5000, mariadb: strings.Contains(settings["version"], "MariaDB")}
	if n, err := strconv.Atoi(settings["caching_sha2_password_digest_rounds"]); err == nil {
		a.rounds = n
	}
	mode := ""
	if a.mariadb {
		mode = "NO_AUTO_CREATE_USER"
	} else {
		a.version = versionNumber(settings["version"])
	}
	if err := s.exec(ctx, "SET NAMES utf8mb4, SESSION sql_mode = '"+mode+"', SESSION sql_quote_show_create = 1, SESSION wait_timeout = 60"); err != nil {
		return nil, translate(ctx, err)
	}
	var self string
	if err := s.db.QueryRowContext(ctx, "SELECT CURRENT_USER()").Scan(&self); err != nil {
		return nil, translate(ctx, err)
	}
	at := max(0, strings.LastIndexByte(self, '@'))
	a.user = self[:at]
	a.admin = quote(a.user) + "@" + quote(strings.TrimPrefix(self[at:], "@"))
	return a, nil
}

func versionNumber(version string) int {
	var major, minor, patch int
	_, _ = fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch) // unreadable: 0, the oldest
	return major*10000 + minor*100 + patch
}

// stored is a user's name as the servers keep it: what three bytes of UTF-8
// cannot hold becomes a question mark, on creation and at each login.
//
// https://dev.mysql.com/doc/refman/8.4/en/charset-metadata.html
func stored(name string) string {
	return strings.Map(func(c rune) rune {
		if c > 0xFFFF {
			return '?'
		}
		return c
	}, name)
}

// do runs a statement that changes something, and notes what.
func (a *administration) do(ctx context.Context, statement, change string) error {
	if err := a.exec(ctx, statement); err != nil {
		return err
	}
	if change != "" {
		a.changes = append(a.changes, change)
	}
	return nil
}

// lock keeps other invocations out of the pair until the session ends or unlock.
//
// https://dev.mysql.com/doc/refman/8.4/en/locking-functions.html#function_get-lock
func (a *administration) lock(ctx context.Context, base string) (unlock func(), err error) {
	seconds := 30
	if deadline, ok := ctx.Deadline(); ok {
		seconds = min(seconds, max(0, int(time.Until(deadline).Seconds())-1))
	}
	name := fmt.Sprintf("rekey:%x", sha256.Sum256([]byte(base)))[:38]
	var got sql.NullInt64
	if err := a.db.QueryRowContext(ctx, fmt.Sprintf("SELECT GET_LOCK('%s', %d)", name, seconds)).Scan(&got); err != nil {
		return nil, translate(ctx, err)
	}
	if got.Int64 != 1 {
		return nil, rotation.WithHint(fmt.Errorf("waiting for another rotation of the pair of %q: it did not end in %d s: %w", base, seconds, rotation.ErrUnreachable),
			"Run the rotation again.")
	}
	// If the reply is lost, the end of the session unlocks.
	return func() { _ = a.exec(ctx, "DO RELEASE_LOCK('"+name+"')") }, nil
}

// identified is how an account gets a password: by a verifier of the plugin.
func (a *administration) identified(plugin, password string) string {
	switch {
	case a.mariadb:
		return " IDENTIFIED VIA " + plugin + " USING '" + mariadbVerifier(plugin, password) + "'"
	case plugin == cachingSHA2Plugin:
		return fmt.Sprintf(" IDENTIFIED WITH %s AS 0x%x", plugin, cachingSHA2Verifier(password, newSalt(), a.rounds))
	}
	return " IDENTIFIED WITH " + plugin + " AS '" + nativeVerifier(password) + "'"
}

// verifiable refuses an account whose password cannot be set by a verifier.
func (a *administration) verifiable(x account) error {
	if x.factors {
		return rotation.WithHint(fmt.Errorf("reading %s: it takes more than a password (multi-factor authentication): %w", x.at(), rotation.ErrConfig),
			"Rotate accounts whose only factor is a password.")
	}
	if len(x.plugins) == 0 {
		return fmt.Errorf("reading %s: %w", x.at(), errPlugin("unix_socket"))
	}
	for _, plugin := range x.plugins {
		if plugin != nativePlugin && (a.mariadb && plugin != ed25519Plugin || !a.mariadb && plugin != cachingSHA2Plugin) {
			return rotation.WithHint(fmt.Errorf("reading %s: it authenticates by %s, for which an administrator cannot set a password without sending it: %w", x.at(), plugin, rotation.ErrConfig),
				"Change the account to caching_sha2_password or mysql_native_password (MySQL), mysql_native_password or ed25519 (MariaDB).")
		}
	}
	return nil
}

// setPassword gives all these accounts a password. What else lets in with one,
// an old password that was kept beside it, ends. Unlocking is part of the same
// statement: an account is never open with another password than this.
//
// In MySQL the statement is atomic over all accounts; in MariaDB each account
// has its own, and a run after a crash sets those that were left.
//
// https://dev.mysql.com/doc/refman/8.4/en/atomic-ddl.html
func (a *administration) setPassword(ctx context.Context, accounts []account, password rotation.Value, unlock bool) error {
	end := ""
	if unlock {
		end = " ACCOUNT UNLOCK"
	}
	var targets, old []string
	for _, x := range accounts {
		targets = append(targets, x.at()+a.identified(x.plugins[0], password.Reveal())+x.socket)
		if x.secondary {
			old = append(old, x.at()+" DISCARD OLD PASSWORD")
		}
	}
	statements := targets
	if !a.mariadb {
		statements = []string{strings.Join(targets, ", ")}
	}
	for _, statement := range statements {
		if err := a.exec(ctx, "ALTER USER "+statement+end); err != nil {
			return fmt.Errorf("setting the password of %q: %w", accounts[0].name, translate(ctx, err))
		}
	}
	// A plain change leaves the secondary password alive.
	// https://dev.mysql.com/doc/refman/8.4/en/password-management.html#dual-passwords
	for _, statement := range old {
		if err := a.exec(ctx, "ALTER USER "+statement); err != nil {
			return fmt.Errorf("ending the older password of %q: %w", accounts[0].name, translate(ctx, err))
		}
	}
	return nil
}

// nobodys is a password that nobody has: an account that waits for its real one
// must have a verifier, and one that is malformed is not taken by every server.
func nobodys() string { return rand.Text() + rand.Text() }
