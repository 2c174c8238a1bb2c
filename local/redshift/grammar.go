package redshift

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Redshift's parser is not PostgreSQL 15's. What a client says is taken apart
// here, held against the forms that Redshift documents, and put into words that
// PostgreSQL understands; anything else is refused as Redshift would.

// token is a piece of a statement.
type token struct {
	kind byte   // i: a quoted identifier, l: a literal, w: a word or number, p: punctuation
	text string // as it was written
}

var pieces = regexp.MustCompile(`^(?:("(?:[^"]|"")*")|('(?:[^']|'')*')|([A-Za-z_][A-Za-z0-9_$]*|[0-9]+)|(\s+)|(<>|<=|>=|!=|\|\||.))`)

func scan(statement string) ([]token, error) {
	var all []token
	word := false // the last piece is one, with nothing behind it
	for rest := statement; rest != ""; {
		m := pieces.FindStringSubmatch(rest)
		if m == nil {
			return nil, syntaxError(rest)
		}
		rest = rest[len(m[0]):]
		if word && m[2] != "" { // E'', B'', N''
			return nil, syntaxError(m[2])
		}
		word = m[3] != ""
		switch {
		case m[1] != "":
			all = append(all, token{'i', m[1]})
		case m[2] != "":
			if strings.Contains(m[2], `\`) {
				return nil, fmt.Errorf("a backslash in a literal, which is an escape or is not")
			}
			all = append(all, token{'l', m[2]})
		case m[3] != "":
			all = append(all, token{'w', m[3]})
		case m[5] != "":
			if strings.Contains(`"':;$\[]{}`+"`", m[5]) {
				return nil, syntaxError(rest)
			}
			all = append(all, token{'p', m[5]})
		}
	}
	return all, nil
}

// split takes statements apart that came in one message.
func split(statements string) (all []string) {
	start, quote := 0, byte(0)
	for i := 0; i < len(statements); i++ {
		switch c := statements[i]; {
		case quote != 0:
			if c == quote { // a doubled one opens again at once
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == ';':
			all = append(all, statements[start:i])
			start = i + 1
		}
	}
	all = append(all, statements[start:])
	for i, s := range all {
		all[i] = strings.TrimSpace(s)
	}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

func syntaxError(near string) error {
	return fmt.Errorf("syntax error at or near %q", near[:min(len(near), 20)])
}

// shape is a statement with I for identifiers and L for literals, and these in
// their order.
func shape(tokens []token) (form string, names, literals []string) {
	var words []string
	for _, t := range tokens {
		switch t.kind {
		case 'i':
			words = append(words, "I")
			names = append(names, t.text)
		case 'l':
			words = append(words, "L")
			literals = append(literals, t.text)
		default:
			words = append(words, strings.ToUpper(t.text))
		}
	}
	return strings.Join(words, " "), names, literals
}

// rule is a form that Redshift documents, and what PostgreSQL is told instead;
// nil: the same.
type rule struct {
	form    *regexp.Regexp
	page    string
	rewrite func(m, names, literals []string) (string, error)
}

func form(s, page string, rewrite func(m, names, literals []string) (string, error)) rule {
	return rule{regexp.MustCompile("^" + s + "$"), "https://docs.aws.amazon.com/redshift/latest/dg/" + page, rewrite}
}

var (
	md5Hash    = regexp.MustCompile(`^'md5[0-9a-f]{32}'$`)
	sha256Hash = regexp.MustCompile(`^'sha256\|[0-9a-f]{64}\|[0-9a-f]{64}'$`)
)

func call(function string, args ...string) (string, error) {
	return "SELECT redshift." + function + "(" + strings.Join(args, ", ") + ")", nil
}

// quote is an identifier's name as a literal.
func quote(identifier string) string {
	name := strings.ReplaceAll(identifier[1:len(identifier)-1], `""`, `"`)
	return "'" + strings.ReplaceAll(name, "'", "''") + "'"
}

func array(words []string) string {
	var quoted []string
	for _, w := range words {
		quoted = append(quoted, "'"+strings.ReplaceAll(strings.TrimSpace(w), "'", "''")+"'")
	}
	return "ARRAY[" + strings.Join(quoted, ", ") + "]"
}

var rules = []rule{
	form(`BEGIN( READ ONLY| READ WRITE)?`, "r_BEGIN.html", nil),
	form(`COMMIT`, "r_COMMIT.html", nil),
	form(`ROLLBACK`, "r_ROLLBACK.html", nil),
	form(`ALTER USER I PASSWORD L( VALID UNTIL L)?`, "r_ALTER_USER.html", alterPassword),
	form(`ALTER USER I (?:CREATEDB|NOCREATEDB)`, "r_ALTER_USER.html", nil),
	form(`ALTER USER I CONNECTION LIMIT (\d+|UNLIMITED)`, "r_ALTER_USER.html", func(m, names, _ []string) (string, error) {
		return "ALTER USER " + names[0] + " CONNECTION LIMIT " + strings.Replace(m[1], "UNLIMITED", "-1", 1), nil
	}),
	form(`ALTER USER I SYSLOG ACCESS (RESTRICTED|UNRESTRICTED)`, "r_ALTER_USER.html", func(m, names, _ []string) (string, error) {
		return call("note", quote(names[0]), "'syslog'", `'"`+m[1]+`"'`)
	}),
	form(`ALTER USER I SESSION TIMEOUT (\d+)`, "r_ALTER_USER.html", func(m, names, _ []string) (string, error) {
		return call("note", quote(names[0]), "'timeout'", "'"+m[1]+"'")
	}),
	form(`ALTER USER I RESET SESSION TIMEOUT`, "r_ALTER_USER.html", func(_, names, _ []string) (string, error) {
		return call("note", quote(names[0]), "'timeout'", "'0'")
	}),
	form(`ALTER USER I SET I TO (?:L|I( , I)*)`, "r_ALTER_USER.html", nil),
	form(`ALTER USER I RESET I`, "r_ALTER_USER.html", nil),
	form(`CREATE GROUP I`, "r_CREATE_GROUP.html", func(_, names, _ []string) (string, error) {
		return call("create_group", quote(names[0]), "'group'")
	}),
	form(`CREATE USER I PASSWORD DISABLE IN GROUP I`, "r_CREATE_USER.html", func(_, names, _ []string) (string, error) {
		return call("create_user", quote(names[0]), quote(names[1]))
	}),
	form(`ALTER GROUP I (?:ADD|DROP) USER I`, "r_ALTER_GROUP.html", nil),
	form(`(?:GRANT ROLE I(?: , ROLE I)* TO I(?: WITH ADMIN OPTION)?|REVOKE (?:ADMIN OPTION FOR )?ROLE I(?: , ROLE I)* FROM I)`, "r_GRANT.html", roles),
	form(`(GRANT|REVOKE) (EXPLAIN RLS|IGNORE RLS) (?:TO|FROM) I`, "r_GRANT.html", func(m, names, _ []string) (string, error) {
		return call("system_privilege", "'"+m[1]+"'", "'"+m[2]+"'", quote(names[0]))
	}),
	form(`(GRANT|REVOKE) ASSUMEROLE ON (L|DEFAULT|ALL) (?:TO|FROM) I FOR (ALL|COPY|UNLOAD|EXTERNAL FUNCTION|CREATE MODEL)`, "r_GRANT.html", func(m, names, literals []string) (string, error) {
		object := m[2]
		if len(literals) == 1 {
			object = literals[0]
		}
		return call("grants", "'"+m[1]+"'", array([]string{m[3]}), "'ASSUMEROLE'", array([]string{object}), "'"+names[0]+"'", "false")
	}),
	form(`(ATTACH|DETACH) RLS POLICY I ON TABLE I . I (?:TO|FROM) I`, "r_ATTACH_RLS_POLICY.html", func(m, names, _ []string) (string, error) {
		verb := map[string]string{"ATTACH": "GRANT", "DETACH": "REVOKE"}[m[1]]
		return call("grants", "'"+verb+"'", array([]string{"RLS"}), "'RLS'", array([]string{names[0] + " ON " + names[1] + "." + names[2]}), "'"+names[3]+"'", "false")
	}),
	form(`ALTER DEFAULT PRIVILEGES FOR USER I (?:IN SCHEMA I )?(?:GRANT|REVOKE(?: GRANT OPTION FOR)?) [A-Z]+(?: , [A-Z]+)* ON (?:TABLES|FUNCTIONS) (?:TO|FROM) (?:GROUP I|I|PUBLIC)(?: WITH GRANT OPTION)?`, "r_ALTER_DEFAULT_PRIVILEGES.html", nil),
}

// alterPassword takes verifiers. A password in clear text is what must not come.
func alterPassword(m, names, literals []string) (string, error) {
	until := ""
	if m[1] != "" {
		until = literals[1]
	}
	switch {
	case md5Hash.MatchString(literals[0]):
		s := "ALTER USER " + names[0] + " PASSWORD " + literals[0]
		if until != "" {
			s += " VALID UNTIL " + until
		}
		return s, nil
	case sha256Hash.MatchString(literals[0]):
		if until == "" {
			until = "''"
		}
		return call("set_digest", quote(names[0]), literals[0], until)
	}
	return "", fmt.Errorf("a password in clear text")
}

func roles(m, names, _ []string) (string, error) {
	verb, _, _ := strings.Cut(m[0], " ")
	option := fmt.Sprint(strings.Contains(m[0], "ADMIN OPTION"))
	var calls []string
	for _, name := range names[:len(names)-1] {
		calls = append(calls, fmt.Sprintf("redshift.grant_role('%s', %s, %s, %s)", verb, quote(name), quote(names[len(names)-1]), option))
	}
	return "SELECT " + strings.Join(calls, ", "), nil
}

// privileges of a kind of object that Redshift grants.
//
// https://docs.aws.amazon.com/redshift/latest/dg/r_GRANT.html
var grantable = map[string][]string{
	"TABLE":     {"SELECT", "INSERT", "UPDATE", "DELETE", "DROP", "REFERENCES", "ALTER", "TRUNCATE"},
	"DATABASE":  {"CREATE", "TEMPORARY", "TEMP", "ALTER", "USAGE"},
	"SCHEMA":    {"CREATE", "USAGE", "ALTER", "DROP"},
	"FUNCTION":  {"EXECUTE"},
	"PROCEDURE": {"EXECUTE"},
	"LANGUAGE":  {"USAGE"},
	"MODEL":     {"EXECUTE"},
	"DATASHARE": {"ALTER", "SHARE"},
}

var (
	grantOn  = regexp.MustCompile(`^(GRANT|REVOKE)( GRANT OPTION FOR)? (.+?) ON (TABLE|DATABASE|SCHEMA|FUNCTION|PROCEDURE|LANGUAGE|MODEL|DATASHARE) (.+?) (?:TO|FROM) (I)( WITH GRANT OPTION)?$`)
	grantFor = regexp.MustCompile(`^(GRANT|REVOKE)( GRANT OPTION FOR)? ([A-Z]+(?: , [A-Z]+)*) FOR (SCHEMAS|TABLES|FUNCTIONS|PROCEDURES|LANGUAGES) IN (SCHEMA|DATABASE) I (?:TO|FROM) I( WITH GRANT OPTION)?$`)
	column   = regexp.MustCompile(`^(SELECT|UPDATE) \( I \)$`)
	object   = map[string]*regexp.Regexp{
		"TABLE": regexp.MustCompile(`^I \. I$`), "MODEL": regexp.MustCompile(`^I \. I$`),
		"FUNCTION": regexp.MustCompile(`^I \. I \( .*\)$`), "PROCEDURE": regexp.MustCompile(`^I \. I \( .*\)$`),
		"DATABASE": regexp.MustCompile(`^I$`), "SCHEMA": regexp.MustCompile(`^I$`), "LANGUAGE": regexp.MustCompile(`^I$`), "DATASHARE": regexp.MustCompile(`^I$`),
	}
)

// rewrite puts a statement into PostgreSQL's words, or says why Redshift would
// not take it.
func rewrite(statement string) (string, error) {
	tokens, err := scan(statement)
	if err != nil {
		return "", err
	}
	said, names, literals := shape(tokens)
	if strings.HasPrefix(said, "SELECT ") {
		return readable(tokens)
	}
	for _, r := range rules {
		m := r.form.FindStringSubmatch(said)
		switch {
		case m == nil:
		case r.rewrite == nil:
			return statement, nil
		default:
			return r.rewrite(m, names, literals)
		}
	}
	if m := grantFor.FindStringSubmatch(said); m != nil {
		option := fmt.Sprint(m[2] != "" || m[6] != "")
		return call("grants", "'"+m[1]+"'", array(strings.Split(m[3], ",")), "'FOR "+m[4]+" IN "+m[5]+"'", array(names[:1]), "'"+names[1]+"'", option)
	}
	if m := grantOn.FindStringSubmatch(said); m != nil {
		return grantObjects(m, names)
	}
	return "", syntaxError(said)
}

const between = "\x00" // objects; it is in no statement

// grantObjects is GRANT and REVOKE on objects.
func grantObjects(m, names []string) (string, error) {
	next := func(form string) string { // its identifiers are the next ones
		parts := strings.Split(form, " ")
		for i, p := range parts {
			if p == "I" {
				parts[i], names = names[0], names[1:]
			}
		}
		return strings.Join(parts, " ")
	}
	kind := m[4]
	var privileges, objects []string
	for p := range strings.SplitSeq(m[3], " , ") {
		if !slices.Contains(grantable[kind], p) && !(kind == "TABLE" && column.MatchString(p)) {
			return "", syntaxError(p)
		}
		privileges = append(privileges, next(p))
	}
	list := strings.Split(strings.ReplaceAll(m[5]+" ", " , I ", between+"I "), between)
	for _, o := range list {
		o = strings.TrimSpace(o)
		if !object[kind].MatchString(o) || kind == "DATASHARE" && len(list) > 1 {
			return "", syntaxError(o)
		}
		objects = append(objects, strings.ReplaceAll(next(o), " . ", "."))
	}
	option := fmt.Sprint(m[2] != "" || m[7] != "")
	return call("grants", "'"+m[1]+"'", array(privileges), "'"+kind+"'", array(objects), "'"+names[0]+"'", option)
}
