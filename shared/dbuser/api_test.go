package dbuser

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

// strict are the rules of a server with an API and rules for passwords.
var strict = Rules{
	MaxPassword: 64, MaxUsername: 127, UsernameLength: func(s string) int { return len(s) }, DefaultPort: 5439,
	NotInPassword: " '\"\\/@", MixedPassword: true, Administered: true, API: true,
}

func TestPasswordRulesOfTheServer(t *testing.T) {
	for _, env := range []map[string]string{
		nil,
		{"EXCLUDE_CHARACTERS": "", "PASSWORD_LENGTH": "64"},
		{"REQUIRE_EACH_INCLUDED_TYPE": "false", "PASSWORD_LENGTH": "8"},
		{"REQUIRE_EACH_INCLUDED_TYPE": "false", "EXCLUDE_CHARACTERS": punctuation},
		{"EXCLUDE_PUNCTUATION": "true"},
	} {
		p, err := PolicyFrom(lookup(env))
		if err != nil {
			t.Fatal(err)
		}
		for range 500 {
			password, err := p.generate(strict, "redshift")
			if err != nil {
				t.Fatalf("%v: %v", env, err)
			}
			if err := (Secret{Login: Login{Password: rotation.TextValue(password)}, driver: ruled{strict}}).settable(); err != nil {
				t.Fatalf("%v: made %q, which it refuses", env, password)
			}
		}
	}
	for _, env := range []map[string]string{
		{"EXCLUDE_NUMBERS": "true"},
		{"EXCLUDE_UPPERCASE": "true"},
		{"EXCLUDE_LOWERCASE": "true"},
		{"EXCLUDE_CHARACTERS": numbers, "REQUIRE_EACH_INCLUDED_TYPE": "false"},
		{"PASSWORD_LENGTH": "65"},
	} {
		p, err := PolicyFrom(lookup(env))
		if err != nil {
			t.Fatal(err)
		}
		if password, err := p.generate(strict, "redshift"); !errors.Is(err, rotation.ErrConfig) || rotation.Hint(err) == "" {
			t.Errorf("%v: %q, %v", env, password, err)
		}
	}
	for _, bad := range []string{"Short1x", "nouppercase1", "NOLOWERCASE1", "NoNumbersHere", "With space 1", `Back\slash1`, "Quote'in-1", "At@sign-11", "Slash/es-11", strings.Repeat("Ab1", 22)} {
		if err := (Secret{Login: Login{Password: rotation.TextValue(bad)}, driver: ruled{strict}}).settable(); !errors.Is(err, rotation.ErrConfig) || strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

type ruled struct{ rules Rules }

func (r ruled) Rules() Rules                                { return r.rules }
func (ruled) Login(context.Context, Login) (Session, error) { panic("nobody logs in") }

func TestAccess(t *testing.T) {
	e := &Engine{Drivers: map[string]Driver{"redshift": ruled{strict}, "postgres": ruled{anyRules}}}
	const redshift = `{"engine":"redshift","host":"db.example.com","username":"app","password":"open-sesame"`
	for text, says := range map[string]string{
		redshift + `}`:                                                                   "",
		redshift + `,"access":"wire"}`:                                                   "",
		redshift + `,"access":"pigeon"}`:                                                 `"pigeon"`,
		redshift + `,"access":"data-api"}`:                                               "no administrator",
		redshift + `,"access":"data-api","masterarn":"arn"}`:                             "",
		redshift + `,"access":"data-api","adminAuth":"iam","adminUser":"root"}`:          "",
		redshift + `,"access":"data-api","masterarn":"arn","testStatements":["SELECT"]}`: `"testStatements"`,
		redshift + `,"access":"data-api","masterarn":"arn","ssl":false}`:                 `"access"`,
		good + `,"access":"data-api"}`:                                                   "has none",
	} {
		s, err := e.parse(rotation.TextValue(text), rotation.Current)
		if says == "" {
			if err != nil || (s.API != nil) != strings.Contains(text, "data-api") {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if !errors.Is(err, rotation.ErrConfig) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// teller is a driver that keeps the logins it was asked for.
type teller struct {
	ruled
	logins []string
	pairs  []Pair
	refuse map[string]error // by user
	pair   error            // of a pair that is not known
}

func (d *teller) Login(_ context.Context, l Login) (Session, error) {
	said := l.Username
	switch {
	case l.API == nil:
		said += " " + l.Password.Reveal()
	case l.API.Witness != nil:
		said += fmt.Sprintf(" %s, witness %s by %s", l.Password.Reveal(), l.API.Witness.Username, l.API.Witness.API.SecretARN)
	default:
		said += " by " + l.API.SecretARN
	}
	d.logins = append(d.logins, said)
	if err := d.refuse[l.Username]; err != nil {
		return nil, err
	}
	return telling{d: d}, nil
}

type telling struct {
	quiet
	d *teller
}

func (s telling) CheckPair(_ context.Context, p Pair) error {
	s.d.pairs = append(s.d.pairs, p)
	if !p.Known {
		return s.d.pair
	}
	return nil
}

func tellingEngine(t *testing.T, text string) (*Engine, *teller, *rotationtest.Store) {
	t.Helper()
	p, err := PolicyFrom(lookup(nil))
	if err != nil {
		t.Fatal(err)
	}
	d := &teller{ruled: ruled{strict}}
	store := rotationtest.NewStore(t, rotation.TextValue(text))
	store.Others = map[string]rotation.Value{adminARN: rotation.TextValue(`{"engine":"redshift","host":"db.example.com","username":"root","password":"open-admin"}`)}
	return &Engine{Drivers: map[string]Driver{"redshift": d}, Policy: p}, d, store
}

// Through an API the current password logs in by its secret; another's is asked
// of the administrator, whose password is not read out to the driver's API.
func TestThroughTheAPI(t *testing.T) {
	e, d, store := tellingEngine(t, `{"engine":"redshift","host":"db.example.com","username":"app","password":"open-sesame","access":"data-api","masterarn":"`+adminARN+`"}`)
	m := &rotation.Machine{Store: store, Engine: e}
	r := store.Begin()
	for _, step := range []rotation.Step{rotation.CreateSecret, rotation.SetSecret, rotation.TestSecret} {
		if err := rotationtest.RunStep(t.Context(), m, r, step); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
	}
	_, v := store.Labelled(rotation.Pending)
	doc, _ := rotation.ParseDocument(v)
	password, _ := doc.Raw("password")
	own, admin := "app by "+r.SecretID, "root by "+adminARN
	want := []string{own, admin, own, admin, "app_clone " + strings.Trim(string(password), `"`) + ", witness root by " + adminARN}
	if fmt.Sprint(d.logins) != fmt.Sprint(want) {
		t.Errorf("the logins were\n%v, want\n%v", len(d.logins), len(want))
	}
}

// The pairs of the official templates bear no mark: the partner's password in
// AWSPREVIOUS is the proof, and nothing else is.
func TestUnprovenPairs(t *testing.T) {
	for name, c := range map[string]struct {
		previous string
		refuse   error
		works    bool
	}{
		"no previous":        {"", nil, false},
		"of the partner":     {`{"engine":"redshift","host":"db.example.com","username":"app_clone","password":"open-clone"}`, nil, true},
		"that is refused":    {`{"engine":"redshift","host":"db.example.com","username":"app_clone","password":"open-clone"}`, rotation.ErrRefused, false},
		"of the user itself": {`{"engine":"redshift","host":"db.example.com","username":"app","password":"open-older"}`, nil, false},
		"of another server":  {`{"engine":"redshift","host":"other.example.com","username":"app_clone","password":"open-clone"}`, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			e, d, store := tellingEngine(t, `{"engine":"redshift","host":"db.example.com","username":"app","password":"open-sesame","masterarn":"`+adminARN+`"}`)
			d.pair, d.refuse = ErrUnprovenPair, map[string]error{"app_clone": c.refuse}
			if c.previous != "" {
				store.Plant("previous-000000000000000000000000000000", rotation.TextValue(c.previous), rotation.Previous)
			}
			err := rotationtest.RunStep(t.Context(), &rotation.Machine{Store: store, Engine: e}, store.Begin(), rotation.CreateSecret)
			if (err == nil) != c.works || err != nil && !errors.Is(err, rotation.ErrConfig) {
				t.Errorf("got %v", err)
			}
		})
	}
}
