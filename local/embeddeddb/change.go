package main

import (
	"crypto/sha1"
	"crypto/subtle"
	"fmt"
	"regexp"

	"github.com/dolthub/go-mysql-server/sql/mysql_db"
	"github.com/dolthub/vitess/go/mysql"
)

// change is a password change that a statement asks for.
type change struct {
	operation  string // for errors
	of         account
	ifExists   bool
	plugin     string // empty: the account's own
	password   string // plaintext
	hash       string // what a client computed, instead of password
	hashed     bool
	replace    string // the current password, if hasReplace
	hasReplace bool
}

// parser reads a statement's tokens from the front. A method that does not find
// what it looks for takes nothing.
type parser struct {
	tokens  []token
	current account
}

func (p *parser) words(words ...string) bool {
	if len(p.tokens) < len(words) {
		return false
	}
	for i, w := range words {
		if !p.tokens[i].is(w) {
			return false
		}
	}
	p.tokens = p.tokens[len(words):]
	return true
}

// take returns the next token if it is of one of the kinds.
func (p *parser) take(kinds ...kind) (string, bool) {
	if len(p.tokens) > 0 {
		for _, k := range kinds {
			if t := p.tokens[0]; t.kind == k {
				p.tokens = p.tokens[1:]
				return t.value, true
			}
		}
	}
	return "", false
}

func (p *parser) atEnd() bool {
	return len(p.tokens) == 0 || len(p.tokens) == 1 && p.tokens[0].is(";")
}

// account reads 'user'@'host', 'user', USER() or CURRENT_USER[()].
func (p *parser) account() (account, bool) {
	switch {
	case p.words("CURRENT_USER", "(", ")"), p.words("USER", "(", ")"), p.words("CURRENT_USER"):
		return p.current, true
	}
	user, ok := p.take(text, name, word)
	if !ok {
		return account{}, false
	}
	if !p.words("@") {
		return account{user, "%"}, true
	}
	host, ok := p.take(text, name, word)
	return account{user, host}, ok
}

// change reads ALTER USER … IDENTIFIED … and SET PASSWORD, for one account.
func (p *parser) change() (c change, ok bool) {
	switch {
	case p.words("ALTER", "USER"):
		c.operation = "ALTER USER"
		c.ifExists = p.words("IF", "EXISTS")
		if c.of, ok = p.account(); !ok || !p.words("IDENTIFIED") || !p.identified(&c) {
			return c, false
		}
	case p.words("SET", "PASSWORD"):
		c.operation, c.of = "SET PASSWORD", p.current
		if p.words("FOR") {
			if c.of, ok = p.account(); !ok {
				return c, false
			}
		}
		if !p.words("=") {
			return c, false
		}
		if c.password, ok = p.take(text); !ok {
			return c, false
		}
	default:
		return c, false
	}
	if p.words("REPLACE") {
		if c.replace, c.hasReplace = p.take(text); !c.hasReplace {
			return c, false
		}
	}
	return c, p.atEnd()
}

// identified reads BY 'password', WITH plugin BY 'password', WITH plugin AS 'hash'.
func (p *parser) identified(c *change) (ok bool) {
	if p.words("WITH") {
		if c.plugin, ok = p.take(text, name, word); !ok {
			return false
		}
		if p.words("AS") {
			c.hashed = true
			c.hash, ok = p.take(text, binary)
			return ok
		}
	}
	if !p.words("BY") {
		return false
	}
	c.password, ok = p.take(text)
	return ok
}

// authString is what the account holds after the change.
func (c change) authString(plugin string) (string, error) {
	if !c.hashed {
		return hashPassword(plugin, c.password)
	}
	var form *regexp.Regexp
	switch plugin {
	case string(mysql.MysqlNativePassword):
		form = nativeForm
	case string(mysql.CachingSha2Password):
		form = cachingSHA2Form
	default:
		return "", errPlugin(plugin)
	}
	if !form.MatchString(c.hash) {
		return "", mysql.NewSQLError(1827, "HY000", "The password hash doesn't have the expected format.")
	}
	return c.hash, nil
}

// The forms of hashes: for caching_sha2_password the digest's name, a thousandth of
// its rounds, 20 bytes of salt, 43 of digest.
var (
	nativeForm      = regexp.MustCompile(`^\*[0-9A-F]{40}$`)
	cachingSHA2Form = regexp.MustCompile(`(?s)^\$A\$[0-9A-F]{3}\$[\x00-\x7f]{20}[./0-9A-Za-z]{43}$`)
)

func errPlugin(plugin string) error {
	return mysql.NewSQLError(1524, "HY000", "Plugin '%s' is not loaded", plugin)
}

// hashPassword hashes as the server does for a password that it is told.
func hashPassword(plugin, password string) (string, error) {
	switch {
	case plugin != string(mysql.MysqlNativePassword) && plugin != string(mysql.CachingSha2Password):
		return "", errPlugin(plugin)
	case password == "":
		return "", nil
	case plugin == string(mysql.MysqlNativePassword):
		once := sha1.Sum([]byte(password))
		return fmt.Sprintf("*%X", sha1.Sum(once[:])), nil
	}
	salt, err := mysql.NewSalt()
	if err != nil {
		return "", err
	}
	hash, err := mysql.SerializeCachingSha2PasswordAuthString(password, salt, mysql.DefaultCachingSha2PasswordHashIterations)
	return string(hash), err
}

// passwordIs checks a password against an account.
func passwordIs(user mysql_db.User, password string) bool {
	same := func(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
	if user.AuthString == "" || password == "" {
		return user.AuthString == password
	}
	if user.Plugin == string(mysql.MysqlNativePassword) {
		hash, err := hashPassword(user.Plugin, password)
		return err == nil && same(hash, user.AuthString)
	}
	_, rounds, salt, _, err := mysql.DeserializeCachingSha2PasswordAuthString([]byte(user.AuthString))
	if err != nil {
		return false
	}
	hash, err := mysql.SerializeCachingSha2PasswordAuthString(password, salt, rounds)
	return err == nil && same(string(hash), user.AuthString)
}
