package mysql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// parseGrants reads one row of SHOW GRANTS, as a session without ANSI_QUOTES and
// with sql_quote_show_create gets it:
//
//	GRANT SELECT (`a`, `b`), INSERT ON `d`.`t` TO `u`@`h` WITH GRANT OPTION
//	GRANT EXECUTE ON PROCEDURE `d`.`p` TO `u`@`h`
//	GRANT BACKUP_ADMIN,ROLE_ADMIN ON *.* TO `u`@`h`
//	GRANT `r`@`%`,`s`@`%` TO `u`@`h` WITH ADMIN OPTION
//	GRANT PROXY ON `p`@`h` TO `u`@`h` WITH GRANT OPTION
//	REVOKE SELECT ON `mysql`.* FROM `u`@`h`             (MySQL, a partial revoke)
//	SET DEFAULT ROLE `r` FOR `u`@`h`                    (MariaDB)
//
// MariaDB puts the verifier, REQUIRE and the limits behind the account of the
// first row; they are skipped here, and never part of an error.
//
// https://dev.mysql.com/doc/refman/8.4/en/show-grants.html
// https://mariadb.com/kb/en/show-grants/
func parseGrants(row string) ([]grant, error) {
	p := &grantParser{tokens: lex(row)}
	var found []grant
	switch {
	case p.words("GRANT", "PROXY", "ON"):
		found = []grant{{kind: proxyGrant, what: p.account()}}
		p.expect("TO")
	case p.words("GRANT"):
		found = p.grants()
	case p.words("REVOKE"):
		found = p.privileges("FROM")
		for i := range found {
			found[i].kind = restriction
		}
	case p.words("SET", "DEFAULT", "ROLE"):
		found = []grant{{kind: defaultRole, what: p.account()}}
		p.expect("FOR")
	default:
		p.failed = true
	}
	if p.failed {
		return nil, fmt.Errorf("reading grants: SHOW GRANTS answered in an unknown form: %w", rotation.ErrVendor)
	}
	return found, nil
}

// token is a word, a punctuation mark, or what stood in quotes.
type token struct {
	text   string
	quoted bool
}

// lex splits a row. Inside backticks only a doubled backtick is special; inside
// single quotes a backslash is too.
func lex(s string) []token {
	var tokens []token
	for s != "" {
		switch {
		case s[0] == ' ':
			s = s[1:]
		case s[0] == '`' || s[0] == '\'':
			q := s[:1]
			text, rest, ok := cutQuoted(s)
			if !ok { // cut short: a token that no rule takes
				return append(tokens, token{text: s})
			}
			s = rest
			tokens = append(tokens, token{strings.ReplaceAll(text, q+q, q), true})
		case strings.IndexByte(",().@", s[0]) >= 0:
			tokens = append(tokens, token{text: s[:1]})
			s = s[1:]
		default:
			n := strings.IndexAny(s, " `',().@")
			if n < 0 {
				n = len(s)
			}
			tokens = append(tokens, token{text: s[:n]})
			s = s[n:]
		}
	}
	return tokens
}

// grantParser takes tokens from the front. Once failed it stays so.
type grantParser struct {
	tokens []token
	failed bool
}

func (p *grantParser) next() token {
	if len(p.tokens) == 0 {
		p.failed = true
		return token{}
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

// words takes these words, or nothing.
func (p *grantParser) words(words ...string) bool {
	if len(p.tokens) < len(words) {
		return false
	}
	for i, w := range words {
		if p.tokens[i].quoted || p.tokens[i].text != w {
			return false
		}
	}
	p.tokens = p.tokens[len(words):]
	return true
}

func (p *grantParser) expect(word string) {
	if !p.words(word) {
		p.failed = true
	}
}

func (p *grantParser) quoted() string {
	t := p.next()
	if !t.quoted {
		p.failed = true
	}
	return t.text
}

// account is a user or role: `name`@`host`, or `name` alone for MariaDB's roles.
func (p *grantParser) account() string {
	name := identifier(p.quoted())
	if p.words("@") {
		name += "@" + identifier(p.quoted())
	}
	return name
}

// grants are what follows GRANT: roles, which are quoted, or privileges.
func (p *grantParser) grants() []grant {
	if len(p.tokens) == 0 || !p.tokens[0].quoted {
		return p.privileges("TO")
	}
	var roles []grant
	for more := true; more && !p.failed; more = p.words(",") {
		roles = append(roles, grant{kind: roleGrant, what: p.account()})
	}
	p.expect("TO")
	if p.option("ADMIN") {
		for _, r := range roles {
			r.kind = roleAdmin
			roles = append(roles, r)
		}
	}
	return roles
}

// privileges are "SELECT (`a`, `b`), CREATE USER ON object TO account …".
func (p *grantParser) privileges(to string) []grant {
	var found []grant
	for more := true; more && !p.failed; more = p.words(",") {
		var words []string
		for len(p.tokens) > 0 && !p.tokens[0].quoted && !slices.Contains([]string{",", "(", "ON"}, p.tokens[0].text) {
			words = append(words, p.next().text)
		}
		g := grant{what: strings.Join(words, " ")}
		p.failed = p.failed || g.what == ""
		if !p.words("(") {
			found = append(found, g)
			continue
		}
		for more := true; more && !p.failed; more = p.words(",") {
			g.column = p.quoted()
			p.failed = p.failed || g.column == ""
			found = append(found, g)
		}
		p.expect(")")
	}
	p.expect("ON")
	on := p.object()
	p.expect(to)
	return placed(found, on, p.option("GRANT"))
}

// placed puts privileges on their object. USAGE is the name of none. The grant
// option belongs to the object, but to each dynamic privilege on its own.
func placed(privileges []grant, on object, grantable bool) []grant {
	var found []grant
	static := false
	for _, g := range privileges {
		g.on = on
		static = static || !g.dynamic()
		if g.what != "USAGE" {
			found = append(found, g)
		}
		if grantable && g.dynamic() {
			g.what += withGrantOption
			found = append(found, g)
		}
	}
	if grantable && static {
		found = append(found, grant{what: grantOption, on: on})
	}
	return found
}

// object is "*.*", "`d`.*", "`d`.`t`", or a routine: "PROCEDURE `d`.`p`".
func (p *grantParser) object() object {
	var on object
	var kinds []string
	for len(p.tokens) > 0 && !p.tokens[0].quoted && p.tokens[0].text != "*" && !p.failed {
		word := p.next().text
		p.failed = p.failed || word == "" || strings.ContainsFunc(word, func(c rune) bool { return c < 'A' || c > 'Z' })
		kinds = append(kinds, word)
	}
	on.kind = strings.Join(kinds, " ")
	on.schema = p.part()
	p.expect(".")
	on.name = p.part()
	p.failed = p.failed || on.schema == "" && on.name != "" || on.kind != "" && on.name == ""
	return on
}

// part is one side of an object's dot; "" stands for the asterisk.
func (p *grantParser) part() string {
	if p.words("*") {
		return ""
	}
	name := p.quoted()
	p.failed = p.failed || name == ""
	return name
}

// option looks for WITH … GRANT OPTION or ADMIN OPTION behind the account, past
// what MariaDB writes there.
func (p *grantParser) option(which string) bool {
	for i := 0; i+1 < len(p.tokens); i++ {
		a, b := p.tokens[i], p.tokens[i+1]
		if !a.quoted && !b.quoted && a.text == which && b.text == "OPTION" {
			return true
		}
	}
	return false
}
