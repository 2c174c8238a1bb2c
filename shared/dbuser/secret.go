package dbuser

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Secret is a database secret: the JSON of the official rotation templates.
//
//	engine, host, username, password   required
//	port, dbname                       optional; the engine's default
//	ssl                                optional; true (the default), or false where the deployment allows it
//	tlsServerName                      optional; the name in the server's certificate, if it is not the host
//	masterarn                          optional; the ARN of an administrator's secret: alternating users
//	adminAuth, adminUser               optional, in place of masterarn: "iam" and the administrator who logs in with a token
//	strategy                           optional; "single", "dual" or "alternating"; else the best that there is
//	adoptObjects                       optional; true gives the objects of a clone to its base user (PostgreSQL)
//	access                             optional; "wire" (the default), or "data-api" where the engine has an API
//	testStatements                     optional; SQL that the new credential must be able to run, read-only
//
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
type Secret struct {
	Login
	Engine   string
	Strategy Strategy // "": the best that server and account allow
	Admin    string   // ARN of the administrator's secret, or ""
	// AdminUser is the administrator who logs in with a token of IAM, or "".
	AdminUser string
	Adopt     bool     // see Pair
	Try       []string // statements that testSecret runs
	driver    Driver
	doc       rotation.Document
}

// parse reads the secret of one version, called by its staging label in errors.
// Every error is ErrConfig, names the key and says what is expected.
func (e *Engine) parse(v rotation.Value, label string) (Secret, error) {
	doc, err := rotation.ParseDocument(v)
	if err != nil {
		return Secret{}, fmt.Errorf("%s: %w", label, err)
	}
	p := &parser{doc: doc, label: label}
	s := Secret{doc: doc, Engine: p.text("engine", true)}
	if p.err == nil {
		var known bool
		if s.driver, known = e.Drivers[s.Engine]; !known {
			p.fail("engine", fmt.Sprintf("is %q", clip(s.Engine)), "one of "+strings.Join(slices.Sorted(maps.Keys(e.Drivers)), ", "))
		}
	}
	if p.err != nil {
		return Secret{}, p.err
	}
	rules := s.driver.Rules()
	s.Host = strings.TrimSuffix(p.text("host", true), ".")
	s.Port = p.port(rules.DefaultPort)
	s.Database = p.text("dbname", false)
	if s.Database == "" {
		s.Database = rules.DefaultDatabase
	}
	s.Username = p.text("username", true)
	s.Password = rotation.TextValue(p.text("password", true))
	s.ServerName = p.text("tlsServerName", false)
	if s.ServerName == "" {
		s.ServerName = s.Host
	}
	s.Plaintext = !p.boolean("ssl", true)
	s.Admin = p.text("masterarn", false)
	s.AdminUser = p.adminUser(s, rules)
	s.API = p.access(s, rules)
	s.Strategy = p.strategy(s, rules)
	s.Adopt = p.boolean("adoptObjects", false)
	s.Try = p.texts("testStatements")
	if s.API != nil && len(s.Try) > 0 {
		// An administrator would run them, and they could make him do anything.
		p.fail("testStatements", `stands beside "access": "data-api"`, "absent: through the API no statement can be run as the new user")
	}
	p.check(s, rules)
	if p.err == nil && s.Plaintext && !e.plaintextAllowed(s.Host) {
		p.fail("ssl", "is false, and the function does not allow plaintext to "+clip(s.Host),
			"true; or name the host in the function's ALLOW_PLAINTEXT_HOSTS")
	}
	return s, p.err
}

// administered tells users whose passwords an administrator sets.
func (s Secret) administered() bool { return s.Admin != "" || s.AdminUser != "" }

// successor is the secret's value with the next user and its password.
func (s Secret) successor(password string) (rotation.Value, error) {
	v, err := s.doc.With("password", password)
	if err != nil || s.nextUser() == s.Username {
		return v, err
	}
	doc, err := rotation.ParseDocument(v)
	if err != nil {
		return rotation.Value{}, err
	}
	return doc.With("username", s.nextUser())
}

// sameTarget refuses a pending (or previous) value that speaks of another
// database or user than the current one: whoever could write it would have this
// function send passwords where it should not.
func (s Secret) sameTarget(other Secret, label string) error {
	for _, c := range []struct {
		key  string
		same bool
	}{
		{"engine", s.Engine == other.Engine},
		{"host", strings.EqualFold(s.Host, other.Host)},
		{"port", s.Port == other.Port},
		{"username", s.Username == other.Username},
		{"dbname", s.Database == other.Database},
		{"tlsServerName", strings.EqualFold(s.ServerName, other.ServerName)},
		{"ssl", s.Plaintext == other.Plaintext},
		{"access", (s.API == nil) == (other.API == nil)},
	} {
		if !c.same {
			return rotation.WithHint(
				fmt.Errorf("comparing %s with AWSCURRENT: the key %q differs: %w", label, c.key, rotation.ErrConfig),
				fmt.Sprintf("Only the password may differ. To move the secret to another %s, change AWSCURRENT first, then rotate.", c.key))
		}
	}
	return nil
}

// settable refuses a pending password that createSecret would not make. Beyond
// printable ASCII, clients differ in how they normalise and encode.
func (s Secret) settable() error {
	password, rules := s.Password.Reveal(), s.driver.Rules()
	said := fmt.Sprintf("It must be printable ASCII, at most %d long: let createSecret make the password.", rules.MaxPassword)
	bad := len(password) > rules.MaxPassword || strings.ContainsFunc(password, func(c rune) bool { return c < ' ' || c > '~' })
	if rules.MixedPassword || rules.NotInPassword != "" {
		said = fmt.Sprintf("It must be %d to %d characters of printable ASCII without %s, with a lower-case letter, an upper-case letter and a number: let createSecret make the password.",
			minPasswordLength, rules.MaxPassword, rules.NotInPassword)
		bad = bad || strings.ContainsAny(password, rules.NotInPassword) || len(password) < minPasswordLength ||
			!strings.ContainsAny(password, lowercase) || !strings.ContainsAny(password, uppercase) || !strings.ContainsAny(password, numbers)
	}
	if bad {
		return rotation.WithHint(fmt.Errorf("reading %s: the key \"password\" is not one that can be set: %w", rotation.Pending, rotation.ErrConfig), said)
	}
	return nil
}

// parser reads keys and keeps the first error.
type parser struct {
	doc   rotation.Document
	label string
	err   error
}

// fail names the key, what is wrong and what is expected; never a value that
// could be a secret.
func (p *parser) fail(key, wrong, expected string) {
	if p.err == nil {
		p.err = rotation.WithHint(fmt.Errorf("reading %s: the key %q %s: %w", p.label, key, wrong, rotation.ErrConfig),
			fmt.Sprintf("%q must be %s.", key, expected))
	}
}

func (p *parser) text(key string, required bool) string {
	const expected = "a JSON string that is not empty"
	raw, there := p.doc.Raw(key)
	if !there || string(raw) == "null" {
		if required {
			p.fail(key, "is missing", expected)
		}
		return ""
	}
	var s string
	switch {
	case json.Unmarshal(raw, &s) != nil:
		p.fail(key, "is "+jsonType(raw), expected)
	case s == "" && required:
		p.fail(key, "is empty", expected)
	case strings.ContainsRune(s, 0):
		p.fail(key, "holds a NUL character", "text without NUL")
	}
	return s
}

// port may be a number or, as some tools write it, a string.
func (p *parser) port(otherwise int) int {
	raw, there := p.doc.Raw("port")
	text := strings.Trim(string(raw), `"`)
	if !there || text == "null" || text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 65535 {
		p.fail("port", "is not a port", "a number from 1 to 65535")
	}
	return n
}

// boolean may be a JSON string too, as the templates allow for ssl.
func (p *parser) boolean(key string, otherwise bool) bool {
	raw, _ := p.doc.Raw(key)
	switch strings.ToLower(strings.Trim(string(raw), `"`)) {
	case "false":
		return false
	case "true":
		return true
	case "null", "":
	default:
		p.fail(key, "is neither true nor false", "true or false")
	}
	return otherwise
}

func (p *parser) texts(key string) (texts []string) {
	raw, there := p.doc.Raw(key)
	if there && json.Unmarshal(raw, &texts) != nil {
		p.fail(key, "is "+jsonType(raw), "a list of JSON strings")
	}
	return texts
}

// strategy is the one the secret asks for: alternating if it names an
// administrator and nothing else.
func (p *parser) strategy(s Secret, rules Rules) Strategy {
	const key = "strategy"
	chosen := Strategy(p.text(key, false))
	if chosen == "" && s.administered() {
		chosen = Alternating
	}
	switch chosen {
	case "":
	case Single:
	case Dual:
		if s.administered() {
			p.fail(key, `is dual, and there is "masterarn" or "adminUser"`, "alternating, single or absent; or remove the administrator: the user then changes its own password")
		}
		if !rules.Dual {
			p.fail(key, "is dual, and "+s.Engine+" keeps one password per user", "single or absent")
		}
	case Alternating:
		if !s.administered() {
			p.fail("masterarn", `is missing, and "strategy" is alternating`, `the ARN of an administrator's secret; or add "adminAuth": "iam" and "adminUser"`)
		}
	default:
		p.fail(key, fmt.Sprintf("is %q", clip(string(chosen))), "single, dual or alternating, or absent")
	}
	if s.Admin != "" && !rules.Administered {
		p.fail("masterarn", "names an administrator, and "+s.Engine+" users change their own passwords here", "absent")
	}
	return chosen
}

// access is the way in that the secret asks for. An API proves a new password
// with an administrator's help only.
func (p *parser) access(s Secret, rules Rules) *APILogin {
	const key = "access"
	switch way := p.text(key, false); {
	case way == "", way == "wire":
		return nil
	case way != "data-api":
		p.fail(key, fmt.Sprintf("is %q", clip(way)), `"wire", "data-api", or absent`)
	case !rules.API:
		p.fail(key, "is data-api, and "+s.Engine+" has none", `"wire", or absent`)
	case s.Plaintext:
		p.fail(key, `is data-api, and "ssl" is false`, "wire; or remove ssl")
	case p.label != adminLabel && !s.administered():
		p.fail(key, "is data-api, and there is no administrator", `absent; or add "masterarn", or "adminAuth": "iam" and "adminUser"`)
	}
	return &APILogin{}
}

// adminUser reads the administrator who logs in with a token, which goes over
// verified TLS or not at all.
func (p *parser) adminUser(s Secret, rules Rules) string {
	auth, user := p.text("adminAuth", false), p.text("adminUser", false)
	switch {
	case auth == "" && user == "":
	case auth == "":
		p.fail("adminAuth", `is missing, and there is "adminUser"`, `"iam"; or remove adminUser`)
	case auth != "iam":
		p.fail("adminAuth", fmt.Sprintf("is %q", clip(auth)), `"iam", or absent`)
	case s.Admin != "":
		p.fail("adminAuth", `stands beside "masterarn"`, "absent, or remove masterarn: there is one administrator")
	case user == "":
		p.fail("adminUser", `is missing, and "adminAuth" is iam`, "the user of the database that manages others")
	case user == s.Username || user == partner(s.Username):
		p.fail("adminUser", `is the user of the secret, or its partner`, "another user")
	case rules.UsernameLength(user) > rules.MaxUsername:
		p.fail("adminUser", fmt.Sprintf("has a length of %d", rules.UsernameLength(user)), fmt.Sprintf("at most %d long for %s", rules.MaxUsername, s.Engine))
	case s.Plaintext:
		p.fail("adminAuth", `is iam, and "ssl" is false`, "absent, or remove ssl: a token is sent over TLS only")
	case !rules.Administered:
		p.fail("adminAuth", "names an administrator, and "+s.Engine+" users change their own passwords here", "absent")
	}
	return user
}

// check refuses what the parts allow and the whole does not.
func (p *parser) check(s Secret, rules Rules) {
	switch n := rules.UsernameLength(s.Username); {
	case p.err != nil:
	case isProxy(s.Host) || isProxy(s.ServerName):
		p.fail("host", "is an RDS Proxy's", "the database's own endpoint. A proxy takes only passwords that are in AWSCURRENT of its own secrets already, "+
			"so that no new one can be tested through it; what consumers connect to may stand under a key of their own, such as proxyHost")
	case !isHost(s.Host):
		p.fail("host", "is not a host name or an address", "a DNS name or an IP address, without port or scheme")
	case n > rules.MaxUsername:
		p.fail("username", fmt.Sprintf("has a length of %d", n), fmt.Sprintf("at most %d long for %s", rules.MaxUsername, s.Engine))
	case s.Strategy == Alternating && !canTakeTurns(s.Username):
		p.fail("username", fmt.Sprintf("is %q, which could not be one of two", clip(s.Username)), "a name with "+cloneSuffix+" behind it once or not at all")
	case rules.UsernameLength(s.nextUser()) > rules.MaxUsername:
		p.fail("username", fmt.Sprintf("has a length of %d, and its clone is %d longer", n, len(cloneSuffix)),
			fmt.Sprintf("at most %d long for alternating users of %s", rules.MaxUsername-len(cloneSuffix), s.Engine))
	}
}

// isProxy tells the endpoints of RDS Proxies: name.proxy-id.region.rds.amazonaws.com,
// and name.endpoint.proxy-id.region.rds.amazonaws.com.
func isProxy(host string) bool {
	_, rest, found := strings.Cut(strings.ToLower(host), ".proxy-")
	return found && strings.Contains(rest, ".rds.") && strings.Contains(rest, ".amazonaws.")
}

// isHost refuses what is clearly more than a host: a URL, a host with a port, a
// list. What remains, DNS decides.
func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return len(s) <= 253 && !strings.ContainsFunc(s, func(c rune) bool {
		return unicode.IsSpace(c) || unicode.IsControl(c) || strings.ContainsRune(`/\@:?#,;"'`, c)
	})
}

func jsonType(raw json.RawMessage) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 't', 'f':
		return "a boolean"
	default:
		return "a number"
	}
}

// clip keeps a hostile value from filling the log.
func clip(s string) string {
	if len(s) > 253 {
		s = s[:253] + "…"
	}
	return strings.ToValidUTF8(s, "")
}
