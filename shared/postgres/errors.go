package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/lib/pq"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/pgwire"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// translate gives an error of lib/pq its kind. Nothing of the original is
// wrapped; of the server's report only the code and the message are told, since
// its other fields can hold a statement.
//
// https://www.postgresql.org/docs/current/errcodes-appendix.html
func translate(ctx context.Context, err error) error {
	if errors.Is(err, pgwire.ErrNoTLS) {
		return rotation.WithHint(fmt.Errorf("the server does not offer TLS: %w", rotation.ErrTLS),
			`Turn TLS on in the server (ssl = on). Plaintext needs "ssl": false in the secret and the host in the function's ALLOW_PLAINTEXT_HOSTS.`)
	}
	var server *pq.Error
	if !errors.As(err, &server) {
		if known, ok := dbuser.Classify(ctx, err); ok {
			return known
		}
		return fmt.Errorf("the PostgreSQL driver failed in an unknown way (%T): %w", err, rotation.ErrVendor)
	}
	said := fmt.Sprintf("%s (SQLSTATE %s)", server.Message, server.Code)
	switch server.Code {
	case "28P01": // invalid_password
		return rotation.WithHint(fmt.Errorf("%s: %w", said, rotation.ErrRefused),
			"The password is another, the role's VALID UNTIL is past, or the role's stored password is of a kind that pg_hba.conf does not take.")
	case "28000": // invalid_authorization_specification
		return rotation.WithHint(fmt.Errorf("%s: %w", said, rotation.ErrDenied),
			"The role may not log in this way: check that it has LOGIN, and the lines of pg_hba.conf for this client, database and TLS.")
	case "42501": // insufficient_privilege
		return rotation.WithHint(fmt.Errorf("%s: %w", said, rotation.ErrDenied),
			"A role may change its own password unless the server forbids it: on RDS, rds.restrict_password_commands asks for membership in rds_password.")
	case "3D000": // invalid_catalog_name
		return rotation.WithHint(fmt.Errorf("%s: %w", said, rotation.ErrConfig), `Correct "dbname" in the secret.`)
	case "25006": // read_only_sql_transaction
		return rotation.WithHint(fmt.Errorf("%s: %w", said, rotation.ErrConfig),
			`Put the primary's (writer) endpoint into "host" of the secret. What stands in "testStatements" may only read.`)
	case "53300": // too_many_connections
		return rotation.WithHint(fmt.Errorf("%s: %w", said, rotation.ErrUnreachable), "The server has no free connection for this role or database: raise the limit or free one.")
	}
	switch server.Code.Class() {
	case "57", "08", "53": // operator_intervention, connection_exception, insufficient_resources
		return fmt.Errorf("%s: %w", said, rotation.ErrUnreachable)
	}
	return fmt.Errorf("%s: %w", said, rotation.ErrVendor)
}

func errReadOnly() error {
	return rotation.WithHint(fmt.Errorf("the server is a read-only replica: %w", rotation.ErrConfig),
		`Put the primary's (writer) endpoint into "host" of the secret.`)
}

// concurrent is how the server refuses the second of two ALTER ROLE at once.
func concurrent(err error) bool {
	var server *pq.Error
	return errors.As(err, &server) && server.Code == "XX000" && server.Message == "tuple concurrently updated"
}
