package mysql

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// translate gives an error of the driver its kind. Nothing of the original is
// wrapped. Syntax errors are told without the server's message, which quotes
// the statement.
//
// https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
// https://mariadb.com/kb/en/mariadb-error-code-reference/
func translate(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, mysql.ErrNoTLS) {
		return rotation.WithHint(fmt.Errorf("the server does not offer TLS: %w", rotation.ErrTLS),
			`Turn TLS on in the server. Plaintext needs "ssl": false in the secret and the host in the function's ALLOW_PLAINTEXT_HOSTS.`)
	}
	if errors.Is(err, errPasswordInPlaintext) {
		return rotation.WithHint(fmt.Errorf("setting the password: the account may not set a verifier, and without TLS a password is not sent: %w", rotation.ErrDenied),
			"Turn TLS on, or grant CREATE USER to the account.")
	}
	var server *mysql.MySQLError
	if !errors.As(err, &server) {
		return translateOwn(ctx, err)
	}
	said := fmt.Sprintf("%s (error %d)", server.Message, server.Number)
	switch server.Number {
	case 1045, 1698, 3891: // ER_ACCESS_DENIED_ERROR, ER_ACCESS_DENIED_NO_PASSWORD_ERROR, ER_INCORRECT_CURRENT_PASSWORD
		return fmt.Errorf("%s: %w", said, rotation.ErrRefused)
	case 3118, 4151: // ER_ACCOUNT_HAS_BEEN_LOCKED of MySQL and MariaDB
		return rotation.WithHint(fmt.Errorf("%s: %w", said, rotation.ErrDenied), "Unlock the account: ALTER USER … ACCOUNT UNLOCK.")
	case 1862, 1820: // ER_MUST_CHANGE_PASSWORD_LOGIN, ER_MUST_CHANGE_PASSWORD
		return rotation.WithHint(fmt.Errorf("the password has expired: %s: %w", said, rotation.ErrDenied), "Set AWSCURRENT's password again as an administrator, then rotate.")
	case 1044, 1142, 1143, 1370, 1227, 1410, 1130, 3159, 3955: // no access to the database, the table, the column, the routine, the operation; no right to grant; from this host; without TLS; user management locked
		return fmt.Errorf("%s: %w", said, rotation.ErrDenied)
	case 1049: // ER_BAD_DB_ERROR
		return rotation.WithHint(fmt.Errorf("%s: %w", said, rotation.ErrConfig), `Correct "dbname" in the secret.`)
	case 1819, 3638: // ER_NOT_VALID_PASSWORD, ER_CREDENTIALS_CONTRADICT_TO_HISTORY
		return rotation.WithHint(fmt.Errorf("%s: %w", said, rotation.ErrConfig), "Make the function's password settings (PASSWORD_LENGTH, EXCLUDE_…) meet the server's password policy.")
	case 1699: // ER_SET_PASSWORD_AUTH_PLUGIN of MariaDB
		return rotation.WithHint(fmt.Errorf("%s: %w", said, rotation.ErrConfig), "Put the account's method that has a password first: ALTER USER … IDENTIFIED VIA mysql_native_password … OR unix_socket.")
	case 1290, 1836: // ER_OPTION_PREVENTS_STATEMENT, ER_READ_ONLY_MODE
		if strings.Contains(server.Message, "read-only") || strings.Contains(server.Message, "read_only") || server.Number == 1836 {
			return errReadOnly()
		}
		return rotation.WithHint(fmt.Errorf("%s: %w", said, rotation.ErrConfig), "The server was started with an option that forbids this: start it without.")
	case 1040, 1203, 1226, 1129, 1053, 3168: // too many connections, user limits, host blocked, shutting down, not ready
		return fmt.Errorf("%s: %w", said, rotation.ErrUnreachable)
	case 1064: // ER_PARSE_ERROR
		return fmt.Errorf("the server did not understand a statement (error 1064): %w", rotation.ErrVendor)
	}
	return fmt.Errorf("%s: %w", said, rotation.ErrVendor)
}

// translateOwn is for errors that the driver raised before the server answered.
func translateOwn(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, mysql.ErrInvalidConn):
		if ctx.Err() == nil {
			return fmt.Errorf("the server closed the connection: %w", rotation.ErrUnreachable)
		}
	case errors.Is(err, mysql.ErrCleartextPassword), errors.Is(err, mysql.ErrOldPassword), errors.Is(err, mysql.ErrUnknownPlugin), errors.Is(err, mysql.ErrNativePassword):
		return rotation.WithHint(fmt.Errorf("the account's authentication plugin is not one this function speaks: %w", rotation.ErrConfig),
			"Use caching_sha2_password (MySQL), mysql_native_password or ed25519 (MariaDB).")
	}
	if known, ok := dbuser.Classify(ctx, err); ok {
		return known
	}
	return fmt.Errorf("the MySQL driver failed in an unknown way (%T): %w", err, rotation.ErrVendor)
}

// errPasswordInPlaintext is that a statement would carry a password, and the
// connection has no TLS.
var errPasswordInPlaintext = errors.New("a password over plaintext")

func errReadOnly() error {
	return rotation.WithHint(fmt.Errorf("the server is read-only, a replica: %w", rotation.ErrConfig),
		`Put the writer's endpoint into "host" of the secret.`)
}

// needsCreateUser is the refusal of a verifier from an ordinary account
// (ER_SPECIFIC_ACCESS_DENIED_ERROR).
func needsCreateUser(err error) bool { return number(err) == 1227 }

// needsCurrentPassword is the demand of PASSWORD REQUIRE CURRENT
// (ER_MISSING_CURRENT_PASSWORD).
func needsCurrentPassword(err error) bool { return number(err) == 3892 }

// unseen is the refusal to read the table of accounts, or its absence
// (ER_BAD_FIELD_ERROR, ER_TABLEACCESS_DENIED_ERROR, ER_COLUMNACCESS_DENIED_ERROR,
// ER_NO_SUCH_TABLE, and the database's).
func unseen(err error) bool {
	switch number(err) {
	case 1044, 1054, 1142, 1143, 1146, 1227:
		return true
	}
	return false
}

func number(err error) uint16 {
	var server *mysql.MySQLError
	if errors.As(err, &server) {
		return server.Number
	}
	return 0
}
