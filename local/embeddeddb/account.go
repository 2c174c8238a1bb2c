package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/mysql_db"
	"github.com/dolthub/vitess/go/mysql"
	"github.com/dolthub/vitess/go/sqltypes"
	querypb "github.com/dolthub/vitess/go/vt/proto/query"
)

// account is 'user'@'host'.
type account struct{ user, host string }

func (a account) String() string { return "'" + a.user + "'@'" + a.host + "'" }

func (a account) key() mysql_db.UserPrimaryKey {
	return mysql_db.UserPrimaryKey{User: a.user, Host: a.host}
}

// accountStatements are the statements that go-mysql-server lacks or does in
// another way than MySQL 8: SHOW CREATE USER, SET PASSWORD, and ALTER USER with
// CURRENT_USER(), with a hash in hexadecimal, with REPLACE, and keeping the
// account's plugin.
type accountStatements struct {
	db            *mysql_db.MySQLDb
	defaultPlugin string
}

// MySQL's own errors: https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html
func errNeeds(privilege string) error {
	return mysql.NewSQLError(1227, "42000", "Access denied; you need (at least one of) the %s privilege(s) for this operation", privilege)
}

func errNoAccount(operation string, a account) error {
	return mysql.NewSQLError(1396, "HY000", "Operation %s failed for %s", operation, a)
}

// accountStatement tells whether answer may take a statement.
func accountStatement(tokens []token) bool {
	p := &parser{tokens: tokens}
	return p.words("SHOW", "CREATE", "USER") || p.words("ALTER", "USER") || p.words("SET", "PASSWORD")
}

// answer runs a statement about accounts for whoever asks. One that it does not
// know is not handled: go-mysql-server takes it, or refuses it.
func (s *accountStatements) answer(asks account, tokens []token) (result *sqltypes.Result, handled bool, err error) {
	p := &parser{tokens: tokens, current: asks}
	if p.words("SHOW", "CREATE", "USER") {
		of, ok := p.account()
		if !ok || !p.atEnd() {
			return nil, false, nil
		}
		result, err = s.showCreate(asks, of)
		return result, true, err
	}
	change, ok := p.change()
	if !ok {
		return nil, false, nil
	}
	return &sqltypes.Result{}, true, s.apply(asks, change)
}

// showCreate is SHOW CREATE USER: one's own, or anyone's for who may read mysql.*.
//
// https://dev.mysql.com/doc/refman/8.0/en/show-create-user.html
func (s *accountStatements) showCreate(asks, of account) (*sqltypes.Result, error) {
	reader := s.db.Reader()
	defer reader.Close()
	asking, ok := reader.GetUser(asks.key())
	if asks != of && (!ok || !asking.IsSuperUser && !asking.PrivilegeSet.Has(sql.PrivilegeType_Select)) {
		return nil, mysql.NewSQLError(1044, "42000", "Access denied for user %s to database 'mysql'", asks)
	}
	user, ok := reader.GetUser(of.key())
	if !ok {
		return nil, errNoAccount("SHOW CREATE USER", of)
	}
	lock := "UNLOCK"
	if user.Locked {
		lock = "LOCK"
	}
	as := ""
	if user.AuthString != "" {
		as = " AS " + literal(user.AuthString)
	}
	statement := fmt.Sprintf("CREATE USER %s@%s IDENTIFIED WITH '%s'%s REQUIRE NONE PASSWORD EXPIRE DEFAULT ACCOUNT %s "+
		"PASSWORD HISTORY DEFAULT PASSWORD REUSE INTERVAL DEFAULT PASSWORD REQUIRE CURRENT DEFAULT",
		identifier(of.user), identifier(of.host), user.Plugin, as, lock)
	return &sqltypes.Result{
		Fields: []*querypb.Field{{Name: "CREATE USER for " + of.user + "@" + of.host, Type: sqltypes.VarChar, Charset: mysql.CharacterSetUtf8}},
		Rows:   [][]sqltypes.Value{{sqltypes.NewVarChar(statement)}},
	}, nil
}

func identifier(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

func literal(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`, "\n", `\n`, "\r", `\r`, "\x1a", `\Z`).Replace(s) + "'"
}

// apply is ALTER USER and SET PASSWORD.
//
// https://dev.mysql.com/doc/refman/8.0/en/alter-user.html#alter-user-authentication
func (s *accountStatements) apply(asks account, c change) error {
	editor := s.db.Editor()
	defer editor.Close()
	asking, ok := editor.GetUser(asks.key())
	if !ok {
		return mysql.NewSQLError(1045, "28000", "Access denied for user %s", asks)
	}
	// Anyone may change the own password, but not how it is checked.
	manager := asking.IsSuperUser || asking.PrivilegeSet.Has(sql.PrivilegeType_CreateUser)
	if !manager && (c.of != asks || c.plugin != "") {
		return errNeeds("CREATE USER")
	}
	found, ok := editor.GetUser(c.of.key())
	if !ok {
		if c.ifExists {
			return nil
		}
		return errNoAccount(c.operation, c.of)
	}
	user := *found
	if c.hasReplace && (c.of != asks || !passwordIs(user, c.replace)) {
		return mysql.NewSQLError(3892, "HY000", "Incorrect current password. Specify the correct password which has to be replaced.")
	}
	if c.plugin != "" {
		user.Plugin = c.plugin
	}
	authString, err := c.authString(user.Plugin)
	if err != nil {
		return err
	}
	user.AuthString, user.PasswordLastChanged = authString, time.Now().UTC()
	editor.RemoveUser(c.of.key()) // PutUser alone would keep the old entry beside the new
	editor.PutUser(&user)
	return nil
}

// withDefaultPlugin gives CREATE USER … IDENTIFIED BY the plugin that MySQL 8 would
// choose; go-mysql-server's own choice is the one before that.
func (s *accountStatements) withDefaultPlugin(query string, tokens []token) string {
	if p := (&parser{tokens: tokens}); !p.words("CREATE", "USER") {
		return query
	}
	var changed strings.Builder
	from := 0
	for i, t := range tokens {
		if t.is("BY") && i > 0 && tokens[i-1].is("IDENTIFIED") {
			changed.WriteString(query[from:t.start] + "WITH " + s.defaultPlugin + " ")
			from = t.start
		}
	}
	return changed.String() + query[from:]
}
