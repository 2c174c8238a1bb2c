package mysql

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// account is one 'user'@'host' as it is stored. What two accounts should have in
// common is kept as the SQL that sets it, every setting named: equal accounts
// have equal text.
type account struct {
	name, host string
	plugins    []string // more than one in MariaDB: any of them lets in
	socket     string   // MariaDB: the alternatives without a password, as SQL
	role       bool     // MariaDB: not a user; MySQL: others have it as a role
	locked     bool
	secondary  bool           // MySQL: an older password is valid too
	factors    bool           // MySQL: it takes more than a password
	attributes map[string]any // MySQL: comment and attributes
	settings   [3]string      // REQUIRE …, WITH limits, PASSWORD …
	grants     grantSet
}

// at is the account in a statement.
func (x account) at() string { return quote(x.name) + "@" + quote(x.host) }

// accounts are those of a user on all hosts, in a stable order; of none, none.
// They are read from the tables that hold them: SHOW CREATE USER does not escape
// all that it quotes (a subject's quote, say), and loses characters outside the
// server's system character set.
func (a *administration) accounts(ctx context.Context, name string) ([]account, error) {
	read := a.readMySQL
	if a.mariadb {
		read = a.readMariaDB
	}
	found, err := read(ctx, name)
	if err != nil {
		return nil, a.mayRead(ctx, name, err)
	}
	slices.SortFunc(found, func(x, y account) int { return strings.Compare(x.host, y.host) })
	for i := range found {
		if a.mariadb && found[i].role {
			continue
		}
		if found[i].grants, err = a.grantsOf(ctx, found[i].at()); err != nil {
			return nil, a.mayRead(ctx, name, err)
		}
		if !a.mariadb {
			err = a.readDefaultRoles(ctx, found[i])
		}
		if err != nil {
			return nil, a.mayRead(ctx, name, err)
		}
	}
	return found, nil
}

// mayRead explains a refusal to read another user's account.
func (a *administration) mayRead(ctx context.Context, name string, err error) error {
	switch number(err) {
	case 0:
		if rotation.KindName(err) != "internal" {
			return err // known already
		}
	case 1142, 1044, 1227:
		return rotation.WithHint(fmt.Errorf("reading the account of %q: %w", name, translate(ctx, err)),
			"The administrator must read accounts: GRANT SELECT ON mysql.* TO "+a.admin+".")
	}
	return fmt.Errorf("reading the account of %q: %w", name, translate(ctx, err))
}

// rows runs a query and gives each row to a function.
func (a *administration) rows(ctx context.Context, query string, each func(scan func(...any) error) error) error {
	rows, err := a.db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// grantsOf is all that SHOW GRANTS says of an account; of this session, with the
// roles that are active in it, if the account is "".
func (a *administration) grantsOf(ctx context.Context, at string) (grantSet, error) {
	query := "SHOW GRANTS"
	if at != "" {
		query += " FOR " + at
	}
	set := grantSet{}
	err := a.rows(ctx, query, func(scan func(...any) error) error {
		var row string
		if err := scan(&row); err != nil {
			return err
		}
		grants, err := parseGrants(row)
		for _, g := range grants {
			set[g] = true
		}
		return err
	})
	return set, err
}

// readMySQL reads the table of accounts.
//
// https://dev.mysql.com/doc/refman/8.4/en/grant-tables.html#grant-tables-user-db
func (a *administration) readMySQL(ctx context.Context, name string) ([]account, error) {
	var found []account
	err := a.rows(ctx, `SELECT User, Host, plugin, account_locked, ssl_type, ssl_cipher, x509_issuer, x509_subject,
		max_questions, max_updates, max_connections, max_user_connections,
		password_lifetime, Password_reuse_history, Password_reuse_time, Password_require_current, User_attributes,
		EXISTS (SELECT 1 FROM mysql.role_edges WHERE FROM_USER = User AND FROM_HOST = Host)
		FROM mysql.user WHERE User = `+quote(name), func(scan func(...any) error) error {
		var x account
		var plugin, locked, tls, cipher, issuer, subject string
		var limits [4]int64
		var lifetime, history, reuse sql.NullInt64
		var current, attributes sql.NullString
		if err := scan(&x.name, &x.host, &plugin, &locked, &tls, &cipher, &issuer, &subject,
			&limits[0], &limits[1], &limits[2], &limits[3], &lifetime, &history, &reuse, &current, &attributes, &x.role); err != nil {
			return err
		}
		if x.name != name {
			return nil // equal but for spaces behind it
		}
		x.plugins, x.locked = []string{plugin}, locked == "Y"
		x.settings[0] = require(tls, cipher, issuer, subject)
		x.settings[1] = fmt.Sprintf("WITH MAX_QUERIES_PER_HOUR %d MAX_UPDATES_PER_HOUR %d MAX_CONNECTIONS_PER_HOUR %d MAX_USER_CONNECTIONS %d",
			limits[0], limits[1], limits[2], limits[3])
		x.settings[2] = expiry(lifetime) + " PASSWORD HISTORY " + orDefault(history, "") +
			" PASSWORD REUSE INTERVAL " + orDefault(reuse, " DAY") +
			" PASSWORD REQUIRE CURRENT" + map[string]string{"": " DEFAULT", "N": " OPTIONAL", "Y": ""}[current.String]
		if err := x.readAttributes(attributes.String, a.version); err != nil {
			return err
		}
		found = append(found, x)
		return nil
	})
	return found, err
}

// readAttributes takes what it knows from the column User_attributes.
func (x *account) readAttributes(column string, version int) error {
	var known struct {
		Metadata   map[string]any `json:"metadata"`
		Additional *string        `json:"additional_password"`
		Factors    []any          `json:"multi_factor_authentication"`
		Locking    struct {
			Attempts int `json:"failed_login_attempts"`
			Days     int `json:"password_lock_time_days"`
		} `json:"Password_locking"`
	}
	d := json.NewDecoder(strings.NewReader(column))
	d.UseNumber() // an attribute's number may be longer than a float's
	if column != "" && d.Decode(&known) != nil {
		return fmt.Errorf("understanding User_attributes in mysql.user: %w", rotation.ErrVendor)
	}
	x.attributes, x.secondary, x.factors = known.Metadata, known.Additional != nil, len(known.Factors) > 0
	if version >= mysqlLocking {
		days := fmt.Sprint(known.Locking.Days)
		if known.Locking.Days < 0 {
			days = "UNBOUNDED"
		}
		x.settings[2] += fmt.Sprintf(" FAILED_LOGIN_ATTEMPTS %d PASSWORD_LOCK_TIME %s", known.Locking.Attempts, days)
	}
	return nil
}

// readDefaultRoles adds what MySQL's SHOW GRANTS leaves out.
func (a *administration) readDefaultRoles(ctx context.Context, x account) error {
	return a.rows(ctx, "SELECT default_role_user, default_role_host FROM mysql.default_roles WHERE user = "+quote(x.name)+
		" AND host = "+quote(x.host), func(scan func(...any) error) error {
		var role, host string
		if err := scan(&role, &host); err != nil {
			return err
		}
		x.grants[grant{kind: defaultRole, what: identifier(role) + "@" + identifier(host)}] = true
		return nil
	})
}

// readMariaDB reads the table of accounts, one JSON document each.
//
// https://mariadb.com/kb/en/mysqlglobal_priv-table/
func (a *administration) readMariaDB(ctx context.Context, name string) ([]account, error) {
	var found []account
	err := a.rows(ctx, "SELECT User, Host, Priv FROM mysql.global_priv WHERE User = "+quote(name), func(scan func(...any) error) error {
		var x account
		var document string
		if err := scan(&x.name, &x.host, &document); err != nil {
			return err
		}
		if x.name != name {
			return nil // equal but for spaces behind it
		}
		var p globalPriv
		if json.Unmarshal([]byte(document), &p) != nil {
			return fmt.Errorf("understanding Priv in mysql.global_priv: %w", rotation.ErrVendor)
		}
		x.role = p.Role
		p.fill(&x)
		found = append(found, x)
		return nil
	})
	return found, err
}

type globalPriv struct {
	Role bool `json:"is_role"`
	globalPrivPlugin
	// Alternatives has an empty document where the plugin above comes.
	Alternatives []globalPrivPlugin `json:"auth_or"`
	Locked       bool               `json:"account_locked"`
	TLS          int                `json:"ssl_type"`
	Cipher       string             `json:"ssl_cipher"`
	Issuer       string             `json:"x509_issuer"`
	Subject      string             `json:"x509_subject"`
	Questions    int64              `json:"max_questions"`
	Updates      int64              `json:"max_updates"`
	Connections  int64              `json:"max_connections"`
	AtOnce       int64              `json:"max_user_connections"`
	Statement    json.Number        `json:"max_statement_time"`
	Lifetime     *int64             `json:"password_lifetime"`
}

type globalPrivPlugin struct {
	Plugin   string `json:"plugin"`
	Verifier string `json:"authentication_string"`
}

func (p globalPriv) fill(x *account) {
	x.locked = p.Locked
	if len(p.Alternatives) == 0 {
		p.Alternatives = []globalPrivPlugin{p.globalPrivPlugin}
	}
	for _, m := range p.Alternatives {
		if m.Plugin == "" {
			m = p.globalPrivPlugin
		}
		if m.Plugin == "unix_socket" {
			x.socket = " OR unix_socket"
			if m.Verifier != "" {
				x.socket += " USING " + quote(m.Verifier)
			}
			continue
		}
		x.plugins = append(x.plugins, m.Plugin)
	}
	types := []string{"", "ANY", "X509", "SPECIFIED"}
	x.settings[0] = require(types[min(max(p.TLS, 0), 3)], p.Cipher, p.Issuer, p.Subject)
	seconds, _ := p.Statement.Float64() // absent: 0, without limit
	x.settings[1] = fmt.Sprintf("WITH MAX_QUERIES_PER_HOUR %d MAX_UPDATES_PER_HOUR %d MAX_CONNECTIONS_PER_HOUR %d MAX_USER_CONNECTIONS %d MAX_STATEMENT_TIME %f",
		p.Questions, p.Updates, p.Connections, p.AtOnce, seconds)
	var lifetime sql.NullInt64
	if p.Lifetime != nil && *p.Lifetime >= 0 {
		lifetime = sql.NullInt64{Int64: *p.Lifetime, Valid: true}
	}
	x.settings[2] = expiry(lifetime)
}

// require is what an account asks of the connection.
func require(kind, cipher, issuer, subject string) string {
	switch kind {
	case "ANY":
		return "REQUIRE SSL"
	case "X509":
		return "REQUIRE X509"
	case "SPECIFIED":
		var parts []string
		for _, p := range []struct{ name, value string }{{"CIPHER", cipher}, {"ISSUER", issuer}, {"SUBJECT", subject}} {
			if p.value != "" {
				parts = append(parts, p.name+" "+quote(p.value))
			}
		}
		return "REQUIRE " + strings.Join(parts, " AND ")
	}
	return "REQUIRE NONE"
}

// expiry is how long a password lives, in days.
func expiry(days sql.NullInt64) string {
	switch {
	case !days.Valid:
		return "PASSWORD EXPIRE DEFAULT"
	case days.Int64 == 0:
		return "PASSWORD EXPIRE NEVER"
	}
	return fmt.Sprintf("PASSWORD EXPIRE INTERVAL %d DAY", days.Int64)
}

func orDefault(n sql.NullInt64, unit string) string {
	if !n.Valid {
		return "DEFAULT"
	}
	return fmt.Sprint(n.Int64) + unit
}
