package dbuser

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

// keeper is a server that takes the passwords it is given, and counts who comes.
type keeper struct {
	rules   Rules
	takes   map[string][]string // passwords, by user
	fault   map[string]error    // of a login, by user
	inspect Inspection
	logins  []string // user and password, in order
}

func (k *keeper) Rules() Rules { return k.rules }

func (k *keeper) Login(_ context.Context, l Login) (Session, error) {
	k.logins = append(k.logins, l.Username+" "+l.Password.Reveal())
	switch err := k.fault[l.Username]; {
	case err != nil:
		return nil, err
	case !slices.Contains(k.takes[l.Username], l.Password.Reveal()):
		return nil, fmt.Errorf("no: %w", rotation.ErrRefused)
	}
	return kept{Inspection: k.inspect}, nil
}

type kept struct {
	quiet
	Inspection
}

func (k kept) Inspect(context.Context) (Inspection, error) { return k.Inspection, nil }

func secretText(user, password string, more ...string) rotation.Value {
	return rotation.TextValue(`{"engine":"postgres","host":"db.example.com","username":"` + user + `","password":"` + password + `"` + strings.Join(more, "") + `}`)
}

// What is tried, and what is not: no value twice, none of another target, none that
// need not be, and never so many that a server might lock the account.
func TestLoginsOfADiagnosis(t *testing.T) {
	const alternating = `,"masterarn":"` + adminARN + `"`
	locked := fmt.Errorf("the account is locked: %w", rotation.ErrDenied)
	down := fmt.Errorf("no answer: %w", rotation.ErrUnreachable)
	for name, c := range map[string]struct {
		dual                       bool
		more                       string // of every secret
		locksAfter                 int
		current, pending, previous string // "user password"; "": there is none
		unlabelled                 []string
		takes                      map[string][]string
		fault                      map[string]error
		logins                     string
		versions                   string
	}{
		"one password per user": {
			current: "app 1", previous: "app 0", takes: map[string][]string{"app": {"1"}},
			logins: "app 1", versions: "AWSCURRENT:works AWSPREVIOUS:refused",
		},
		"two passwords": {
			dual: true, current: "app 1", previous: "app 0", takes: map[string][]string{"app": {"1", "0"}},
			logins: "app 1, app 0", versions: "AWSCURRENT:works AWSPREVIOUS:works",
		},
		"the same value twice": {
			current: "app 1", pending: "app 2", previous: "app 2", takes: map[string][]string{"app": {"3"}},
			logins: "app 1, app 2", versions: "AWSCURRENT:refused AWSPENDING:refused AWSPREVIOUS:refused",
		},
		"three refusals are enough": {
			current: "app 1", pending: "app 2", previous: "app 3", unlabelled: []string{"app 4"}, takes: map[string][]string{"app": {"4"}},
			logins: "app 1, app 2, app 3", versions: "AWSCURRENT:refused AWSPENDING:refused AWSPREVIOUS:refused :unknown",
		},
		"the newest without labels is live": {
			current: "app 1", previous: "app 0", unlabelled: []string{"app 2", "app 3"}, takes: map[string][]string{"app": {"3"}},
			logins: "app 1, app 0, app 3", versions: "AWSCURRENT:refused AWSPREVIOUS:refused :works",
		},
		"an account that locks after two": {
			dual: true, locksAfter: 2, current: "app 1", pending: "app 2", previous: "app 0", takes: map[string][]string{"app": {"1"}},
			logins: "app 1, app 2", versions: "AWSCURRENT:works AWSPENDING:refused AWSPREVIOUS:unknown",
		},
		"locked": {
			dual: true, current: "app 1", pending: "app 2", fault: map[string]error{"app": locked},
			logins: "app 1", versions: "AWSCURRENT:unknown AWSPENDING:unknown",
		},
		"down": {
			current: "app 1", pending: "app 2", fault: map[string]error{"app": down},
			logins: "app 1", versions: "AWSCURRENT:unknown AWSPENDING:unknown",
		},
		"another's": {
			current: "app 1", pending: "root 2", takes: map[string][]string{"app": {"1"}, "root": {"2"}},
			logins: "app 1", versions: "AWSCURRENT:works AWSPENDING:unknown",
		},
		"the two that take turns": {
			more: alternating, current: "app 1", pending: "app_clone 3", previous: "app_clone 2", takes: map[string][]string{"app": {"1"}, "app_clone": {"2"}, "root": {"admin"}},
			logins: "app 1, root admin, app_clone 3, app_clone 2", versions: "AWSCURRENT:works AWSPENDING:refused AWSPREVIOUS:works",
		},
		"one of the two is locked": {
			more: alternating, current: "app 1", previous: "app_clone 2", takes: map[string][]string{"app_clone": {"2"}, "root": {"admin"}}, fault: map[string]error{"app": locked},
			logins: "app 1, root admin, app_clone 2", versions: "AWSCURRENT:unknown AWSPREVIOUS:works",
		},
	} {
		t.Run(name, func(t *testing.T) {
			value := func(login string) rotation.Value {
				user, password, _ := strings.Cut(login, " ")
				return secretText(user, password, c.more)
			}
			s := rotationtest.NewStore(t, value(c.current))
			for i, login := range c.unlabelled {
				s.Plant(fmt.Sprintf("unlabelled-%025d", i), value(login))
			}
			for label, login := range map[string]string{rotation.Pending: c.pending, rotation.Previous: c.previous} {
				if login != "" {
					s.Plant("version-of-"+label+"-00000000000000000", value(login), label)
				}
			}
			s.Others = map[string]rotation.Value{adminARN: secretText("root", "admin")}
			k := &keeper{rules: anyRules, takes: c.takes, fault: c.fault, inspect: Inspection{Server: "a server", LocksAfter: c.locksAfter}}
			k.rules.Dual, k.rules.Administered = c.dual, true
			d := diagnose(t, s, k)
			if got := strings.Join(k.logins, ", "); got != c.logins {
				t.Errorf("logins: %s, want %s", got, c.logins)
			}
			var versions []string
			for _, v := range d.Versions {
				versions = append(versions, strings.Join(v.Stages, "+")+":"+string(v.Login))
			}
			if got := strings.Join(versions, " "); got != c.versions {
				t.Errorf("versions: %s, want %s: %+v", got, c.versions, d.Versions)
			}
		})
	}
}

// One check that fails hides none that does not depend on it, and has its remedy.
func TestFindingsOfADiagnosis(t *testing.T) {
	one := &OnePasswordError{Reason: "X is not granted", Remedy: "GRANT X;", Kind: rotation.ErrDenied}
	for name, c := range map[string]struct {
		more    string
		admin   rotation.Value
		dual    bool
		inspect Inspection
		fault   map[string]error
		want    string
	}{
		"alone":                         {want: "value:ok password:ok login:ok server:ok privileges:ok"},
		"two passwords":                 {dual: true, want: "value:ok password:ok login:ok server:ok privileges:ok"},
		"one only":                      {dual: true, inspect: Inspection{One: one}, want: "value:ok password:ok login:ok server:ok privileges:warn"},
		"one only, and two are asked":   {dual: true, more: `,"strategy":"dual"`, inspect: Inspection{One: one}, want: "value:ok password:ok login:ok server:ok privileges:fail"},
		"one only, and one is asked":    {dual: true, more: `,"strategy":"single"`, inspect: Inspection{One: one}, want: "value:ok password:ok login:ok server:ok privileges:ok"},
		"may not change its own":        {inspect: Inspection{Own: fmt.Errorf("no: %w", rotation.ErrDenied)}, want: "value:ok password:ok login:ok server:ok privileges:fail"},
		"a replica":                     {inspect: Inspection{ReadOnly: fmt.Errorf("no: %w", rotation.ErrConfig)}, want: "value:ok password:ok login:ok server:fail privileges:ok"},
		"something else":                {inspect: Inspection{Warnings: []error{fmt.Errorf("it ends: %w", rotation.ErrConfig)}}, want: "value:ok password:ok login:ok server:ok privileges:ok account:warn"},
		"statements of its own":         {more: `,"testStatements":["SELECT 2"]`, want: "value:ok password:ok login:ok statements:ok server:ok privileges:ok"},
		"an administrator":              {more: `,"masterarn":"` + adminARN + `"`, admin: secretText("root", "admin"), want: "value:ok password:ok login:ok server:ok administrator:ok administrator's login:ok pair:ok"},
		"no administrator to be read":   {more: `,"masterarn":"` + adminARN + `"`, want: "value:ok password:ok login:ok server:ok administrator:fail administrator's login:skipped pair:skipped"},
		"an administrator of elsewhere": {more: `,"masterarn":"` + adminARN + `"`, admin: secretText("root", "admin", `,"port":1`), want: "value:ok password:ok login:ok server:ok administrator:fail administrator's login:skipped pair:skipped"},
		"an administrator who is refused": {
			more: `,"masterarn":"` + adminARN + `"`, admin: secretText("root", "admin"), fault: map[string]error{"root": fmt.Errorf("no: %w", rotation.ErrRefused)},
			want: "value:ok password:ok login:ok server:ok administrator:ok administrator's login:fail pair:skipped",
		},
		"a user who is refused": {
			more: `,"masterarn":"` + adminARN + `"`, admin: secretText("root", "admin"), fault: map[string]error{"app": fmt.Errorf("no: %w", rotation.ErrRefused)},
			want: "value:ok password:ok login:fail administrator:ok administrator's login:ok pair:skipped",
		},
		"a port that is none": {more: `,"port":"x"`, want: "value:fail"},
	} {
		t.Run(name, func(t *testing.T) {
			s := rotationtest.NewStore(t, secretText("app", "open-sesame", c.more))
			if c.admin.Len() > 0 {
				s.Others = map[string]rotation.Value{adminARN: c.admin}
			}
			c.inspect.Server = "a server"
			k := &keeper{rules: anyRules, takes: map[string][]string{"app": {"open-sesame"}, "root": {"admin"}}, fault: c.fault, inspect: c.inspect}
			k.rules.Dual, k.rules.Administered = c.dual, true
			d := diagnose(t, s, k)
			var got []string
			for _, f := range d.Findings[1:] { // the first is the machine's
				got = append(got, f.Check+":"+string(f.Verdict))
				if f.Said == "" || (f.Remedy == "") != (f.Verdict == rotation.OK) {
					t.Errorf("a finding without what was found, or what to do: %+v", f)
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %s, want %s: %+v", strings.Join(got, " "), c.want, d.Findings)
			}
			if told, _ := json.Marshal(d); strings.Contains(string(told), "open-sesame") {
				t.Errorf("a password is told: %s", told)
			}
		})
	}
}

func diagnose(t *testing.T, s *rotationtest.Store, k *keeper) *rotation.Diagnosis {
	t.Helper()
	policy, err := PolicyFrom(lookup(nil))
	if err != nil {
		t.Fatal(err)
	}
	m := &rotation.Machine{Store: s, Engine: &Engine{Drivers: map[string]Driver{"postgres": k}, Policy: policy}}
	d, err := m.Diagnose(t.Context(), rotationtest.SecretID)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
