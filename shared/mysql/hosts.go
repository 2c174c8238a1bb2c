package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// A user may have several accounts, one per host: 'app'@'%' and 'app'@'10.%'.
// The server takes a login for one of them, and a session sees the others only
// if it may read the table of accounts. Those that have the secret's password
// are the secret's, and change with it; one that has another is someone else's.

// otherHosts are the accounts of the user on other hosts that have the password
// of the login or the new one. Nothing, if the session may not see them.
func (a *alteration) otherHosts(ctx context.Context) ([]mysqlAccount, error) {
	rows, err := a.db.QueryContext(ctx, `SELECT Host, plugin, authentication_string,
		COALESCE(JSON_UNQUOTE(JSON_EXTRACT(user_attributes, '$.additional_password')), '')
		FROM mysql.user WHERE User = ? AND Host <> SUBSTRING_INDEX(CURRENT_USER(), '@', -1)`, a.login.Username)
	if unseen(err) {
		return nil, nil
	}
	if err != nil {
		return nil, translate(ctx, err)
	}
	defer rows.Close()
	var accounts []mysqlAccount
	for rows.Next() {
		var host, plugin, primary, secondary string
		if err := rows.Scan(&host, &plugin, &primary, &secondary); err != nil {
			return nil, translate(ctx, err)
		}
		if a.knows(plugin, primary) || a.knows(plugin, secondary) {
			accounts = append(accounts, mysqlAccount{name: quoteAccount(a.login.Username, host), plugin: plugin})
		}
	}
	if err := rows.Err(); err != nil {
		return nil, translate(ctx, err)
	}
	return accounts, nil
}

// knows tells whether a verifier is of the login's password or the new one.
func (a *alteration) knows(plugin, verifier string) bool {
	return verifies(plugin, verifier, a.login.Password.Reveal()) || verifies(plugin, verifier, a.password)
}

// mariadbOtherHosts is otherHosts for MariaDB.
func (s *session) mariadbOtherHosts(ctx context.Context, password string) ([]mariadbAccount, error) {
	hosts, err := s.hosts(ctx)
	if unseen(err) {
		return nil, nil
	}
	if err != nil {
		return nil, translate(ctx, err)
	}
	var accounts []mariadbAccount
	for _, host := range hosts {
		d, err := s.definition(ctx, quoteAccount(s.login.Username, host))
		if unseen(err) {
			continue
		}
		if err != nil {
			return nil, translate(ctx, err)
		}
		account, err := parseMariaDB(d)
		known := slices.ContainsFunc(account.all, func(a alternative) bool {
			return verifies(a.plugin, a.verifier, s.login.Password.Reveal()) || verifies(a.plugin, a.verifier, password)
		})
		if err == nil && known && account.check() == nil {
			accounts = append(accounts, account)
		}
	}
	return accounts, nil
}

func (s *session) hosts(ctx context.Context) ([]string, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT Host FROM mysql.global_priv
		WHERE User = ? AND Host <> SUBSTRING_INDEX(CURRENT_USER(), '@', -1)`, s.login.Username)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var hosts []string
	for rows.Next() {
		var host string
		if err := rows.Scan(&host); err != nil {
			return nil, err
		}
		hosts = append(hosts, host)
	}
	return hosts, rows.Err()
}

// verifies tells whether a stored verifier is of a password.
func verifies(plugin, verifier, password string) bool {
	switch plugin {
	case nativePlugin:
		return strings.EqualFold(verifier, nativeVerifier(password))
	case ed25519Plugin:
		return verifier == ed25519Verifier(password)
	case cachingSHA2Plugin:
		var thousands int
		const head = len("$A$005$")
		if len(verifier) < head+cachingSHA2SaltLength {
			return false
		}
		if _, err := fmt.Sscanf(verifier[:head], "$A$%03X$", &thousands); err != nil {
			return false
		}
		salt := verifier[head : head+cachingSHA2SaltLength]
		return verifier == cachingSHA2Verifier(password, salt, thousands*1000)
	}
	return false
}

func errOtherHosts(account string) error {
	return rotation.WithHint(fmt.Errorf("changing %s too, which has the same password: CREATE USER is not granted: %w", account, rotation.ErrDenied),
		"Grant CREATE USER to the account, or give the one on the other host a secret and a password of its own.")
}
