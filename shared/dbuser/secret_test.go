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

// noDriver fails the test if anything asks it to log in.
type noDriver struct{ t *testing.T }

func (noDriver) Rules() Rules {
	r := anyRules
	r.Administered = true
	return r
}

func (d noDriver) Login(context.Context, Login) (Session, error) {
	d.t.Error("a login, though the secret is bad")
	return nil, rotation.ErrUnreachable
}

func testEngine(t *testing.T) *Engine {
	p, err := PolicyFrom(lookup(nil))
	if err != nil {
		t.Fatal(err)
	}
	d := noDriver{t}
	return &Engine{Drivers: map[string]Driver{"postgres": d, "mysql": d}, Policy: p, PlaintextHosts: []string{"Lab.Example.com"}}
}

const good = `{"engine":"postgres","host":"db.example.com","username":"app","password":"open-sesame"`

func TestSecret(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want Login
	}{
		"the least":       {good + `}`, Login{Host: "db.example.com", Port: 5432, ServerName: "db.example.com"}},
		"port as number":  {good + `,"port":6000}`, Login{Host: "db.example.com", Port: 6000, ServerName: "db.example.com"}},
		"port as string":  {good + `,"port":"6000"}`, Login{Host: "db.example.com", Port: 6000, ServerName: "db.example.com"}},
		"empty port":      {good + `,"port":""}`, Login{Host: "db.example.com", Port: 5432, ServerName: "db.example.com"}},
		"nulls":           {good + `,"port":null,"dbname":null,"ssl":null,"masterarn":null,"tlsServerName":null}`, Login{Host: "db.example.com", Port: 5432, ServerName: "db.example.com"}},
		"dbname":          {good + `,"dbname":"shop"}`, Login{Host: "db.example.com", Port: 5432, Database: "shop", ServerName: "db.example.com"}},
		"ssl true":        {good + `,"ssl":true}`, Login{Host: "db.example.com", Port: 5432, ServerName: "db.example.com"}},
		"ssl as string":   {good + `,"ssl":"True"}`, Login{Host: "db.example.com", Port: 5432, ServerName: "db.example.com"}},
		"server name":     {good + `,"tlsServerName":"x.example.com"}`, Login{Host: "db.example.com", Port: 5432, ServerName: "x.example.com"}},
		"plaintext":       {strings.Replace(good, "db.", "lab.", 1) + `,"ssl":false}`, Login{Host: "lab.example.com", Port: 5432, ServerName: "lab.example.com", Plaintext: true}},
		"rooted name":     {strings.Replace(good, "db.example.com", "db.example.com.", 1) + `}`, Login{Host: "db.example.com", Port: 5432, ServerName: "db.example.com"}},
		"IPv6":            {strings.Replace(good, "db.example.com", "2001:db8::1", 1) + `}`, Login{Host: "2001:db8::1", Port: 5432, ServerName: "2001:db8::1"}},
		"strategy":        {good + `,"strategy":"single"}`, Login{Host: "db.example.com", Port: 5432, ServerName: "db.example.com"}},
		"unknown keys":    {good + `,"team":{"a":[1]},"x":1e400}`, Login{Host: "db.example.com", Port: 5432, ServerName: "db.example.com"}},
		"single label":    {strings.Replace(good, "db.example.com", "db", 1) + `}`, Login{Host: "db", Port: 5432, ServerName: "db"}},
		"escaped strings": {`{"engine":"postgres","host":"db.example.com","username":"\u0061pp","password":"op\u0065n-sesame"}`, Login{Host: "db.example.com", Port: 5432, ServerName: "db.example.com"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := testEngine(t).parse(rotation.TextValue(c.text), rotation.Current)
			if err != nil {
				t.Fatal(err)
			}
			c.want.Username = "app"
			got := s.Login
			if got.Password.Reveal() != "open-sesame" {
				t.Error("another password")
			}
			got.Password = rotation.Value{}
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// malformed secrets, with the key that the error must name.
func malformed() map[string]struct {
	value rotation.Value
	says  string
} {
	bad := map[string]struct {
		value rotation.Value
		says  string
	}{
		"binary":   {rotation.BinaryValue([]byte(good + "}")), "SecretBinary"},
		"not JSON": {rotation.TextValue("open-sesame"), "not a JSON object"},
		"64 KiB":   {rotation.TextValue(good + `,"pad":"` + strings.Repeat("x", rotation.MaxValueSize-len(good)-len(`,"pad":""}`)) + `"}`), "bytes"},
	}
	for _, key := range []string{"engine", "host", "username", "password"} {
		for how, replacement := range map[string]string{
			"missing": "", "null": "null", "number": "7", "object": `{"a":1}`, "array": "[1]", "boolean": "true", "empty": `""`, "NUL": `"a\u0000b"`,
		} {
			bad[key+" "+how] = struct {
				value rotation.Value
				says  string
			}{rotation.TextValue(withKey(key, replacement)), `"` + key + `"`}
		}
	}
	for name, c := range map[string][2]string{
		"unknown engine": {`"engine":"oracle"`, `"engine"`}, "URL as host": {`"host":"postgres://db/x"`, `"host"`}, "host with port": {`"host":"db:5432"`, `"host"`},
		"two hosts": {`"host":"a,b"`, `"host"`}, "host with space": {`"host":"a b"`, `"host"`}, "user too long": {`"username":"` + strings.Repeat("ü", 33) + `"`, `"username"`},
		"port 0": {`"port":0`, `"port"`}, "port 65536": {`"port":"65536"`, `"port"`}, "port text": {`"port":"x"`, `"port"`}, "port object": {`"port":{}`, `"port"`}, "port fraction": {`"port":1.5`, `"port"`},
		"ssl number": {`"ssl":1`, `"ssl"`}, "ssl text": {`"ssl":"maybe"`, `"ssl"`}, "ssl off, not allowed": {`"ssl":false`, `"ssl"`}, "ssl off as text": {`"ssl":"false"`, `"ssl"`},
		"dbname number": {`"dbname":1`, `"dbname"`}, "admin number": {`"masterarn":1`, `"masterarn"`}, "alternating without admin": {`"strategy":"alternating"`, `"masterarn"`},
		"dual with admin": {`"masterarn":"arn:aws:x","strategy":"dual"`, `"strategy"`}, "clone too long": {`"username":"` + strings.Repeat("u", 27) + `","masterarn":"arn:aws:x"`, `clone`},
		"admin user alone": {`"adminUser":"root"`, `"adminAuth"`}, "IAM without a user": {`"adminAuth":"iam"`, `"adminUser"`}, "admin user number": {`"adminUser":7,"adminAuth":"iam"`, `"adminUser"`},
		"other admin auth": {`"adminAuth":"kerberos","adminUser":"root"`, `"adminAuth"`}, "two admins": {`"adminAuth":"iam","adminUser":"root","masterarn":"arn:aws:x"`, `"adminAuth"`},
		"IAM over plaintext": {`"host":"lab.example.com","ssl":false,"adminAuth":"iam","adminUser":"root"`, `"adminAuth"`}, "IAM as oneself": {`"username":"app","adminAuth":"iam","adminUser":"app"`, `"adminUser"`},
		"IAM as the partner": {`"username":"app","adminAuth":"iam","adminUser":"app_clone"`, `"adminUser"`}, "IAM as too long": {`"adminAuth":"iam","adminUser":"` + strings.Repeat("ü", 33) + `"`, `"adminUser"`},
		"dual with IAM": {`"strategy":"dual","adminAuth":"iam","adminUser":"root"`, `"strategy"`}, "proxy": {`"host":"p.proxy-abc.us-east-1.rds.amazonaws.com"`, "RDS Proxy"},
		"proxy in China": {`"host":"p.proxy-abc.rds.cn-north-1.amazonaws.com.cn"`, "RDS Proxy"}, "another name of a proxy": {`"tlsServerName":"e.endpoint.proxy-abc.us-east-1.rds.amazonaws.com"`, "RDS Proxy"},
		"clone of a clone": {`"username":"a_clone_clone","masterarn":"arn:aws:x"`, `"username"`}, "nobody's clone": {`"username":"_clone","masterarn":"arn:aws:x"`, `"username"`},
		"adopt text": {`"adoptObjects":"perhaps"`, `"adoptObjects"`}, "statements text": {`"testStatements":"SELECT 1"`, `"testStatements"`}, "statement number": {`"testStatements":[1]`, `"testStatements"`}, "tlsServerName": {`"tlsServerName":[]`, `"tlsServerName"`},
		"strategy unknown": {`"strategy":"duel"`, `"strategy"`}, "strategy number": {`"strategy":2`, `"strategy"`}, "dual where there is none": {`"strategy":"dual"`, `"strategy"`},
		"key twice": {`"x":1,"x":2`, `"x"`},
	} {
		key, _, _ := strings.Cut(strings.TrimPrefix(c[0], `"`), `"`)
		bad[name] = struct {
			value rotation.Value
			says  string
		}{rotation.TextValue(strings.TrimSuffix(withKey(key, ""), "}") + "," + c[0] + "}"), c[1]}
	}
	return bad
}

// withKey is the good secret with one key's value replaced; left out if "".
func withKey(key, value string) string {
	var fields []string
	for _, f := range strings.Split(strings.TrimPrefix(good, "{"), ",") {
		if strings.HasPrefix(f, `"`+key+`"`) {
			if value != "" {
				fields = append(fields, `"`+key+`":`+value)
			}
			continue
		}
		fields = append(fields, f)
	}
	return "{" + strings.Join(fields, ",") + "}"
}

// Whatever is wrong with the secret: an error that names it and says what is
// expected, no login, nothing stored.
func TestMalformedSecretsChangeNothing(t *testing.T) {
	for name, c := range malformed() {
		t.Run(name, func(t *testing.T) {
			store := rotationtest.NewStore(t, c.value)
			m := &rotation.Machine{Store: store, Engine: testEngine(t)}
			err := rotationtest.RunStep(t.Context(), m, store.Begin(), rotation.CreateSecret)
			var step *rotation.StepError
			if !errors.As(err, &step) || step.Kind != rotation.ErrConfig {
				t.Fatalf("got %v, want a configuration error", err)
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error does not name %s: %v", c.says, err)
			}
			if strings.Contains(err.Error(), "open-sesame") {
				t.Errorf("the error holds the password: %v", err)
			}
			if n := len(store.Faults.Effects()); n != 0 {
				t.Errorf("%d writes, want none", n)
			}
		})
	}
}

// The same holds for a pending value that someone else stored.
func TestMalformedPendingChangesNothing(t *testing.T) {
	for name, c := range malformed() {
		if name == "64 KiB" {
			continue // as a value it is good; only a longer password would not fit
		}
		t.Run(name, func(t *testing.T) {
			store := rotationtest.NewStore(t, rotation.TextValue(good+"}"))
			m := &rotation.Machine{Store: store, Engine: testEngine(t)}
			r := store.Begin()
			store.Plant(r.Token, c.value, rotation.Pending)
			for _, step := range []rotation.Step{rotation.SetSecret, rotation.TestSecret} {
				if err := rotationtest.RunStep(t.Context(), m, r, step); !errors.Is(err, rotation.ErrConfig) || strings.Contains(err.Error(), "open-sesame") {
					t.Errorf("%s: %v", step, err)
				}
			}
		})
	}
}

// A pending password that createSecret would not make is not set.
func TestUnsettablePasswords(t *testing.T) {
	for name, password := range map[string]string{"unicode": "pässwörd-open-sesame", "control": "open\\nsesame", "too long": strings.Repeat("x", 129)} {
		t.Run(name, func(t *testing.T) {
			store := rotationtest.NewStore(t, rotation.TextValue(good+"}"))
			m := &rotation.Machine{Store: store, Engine: testEngine(t)}
			r := store.Begin()
			store.Plant(r.Token, rotation.TextValue(strings.Replace(good, "open-sesame", password, 1)+"}"), rotation.Pending)
			err := rotationtest.RunStep(t.Context(), m, r, rotation.SetSecret)
			if !errors.Is(err, rotation.ErrConfig) || !strings.Contains(err.Error(), `"password"`) || strings.Contains(err.Error(), password) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func FuzzSecret(f *testing.F) {
	f.Add(good + `,"port":"1","ssl":"true"}`)
	f.Add(withKey("host", `"::1"`))
	f.Fuzz(func(t *testing.T, text string) {
		e := testEngine(t)
		s, err := e.parse(rotation.TextValue(text), rotation.Current)
		if err != nil {
			if !errors.Is(err, rotation.ErrConfig) {
				t.Fatalf("not a configuration error: %v", err)
			}
			return
		}
		if s.Host == "" || s.Username == "" || s.Password.Len() == 0 || s.Port < 1 || s.Port > 65535 || s.ServerName == "" {
			t.Fatalf("accepted an incomplete login: %+v", s.Login)
		}
		if s.Plaintext && !strings.EqualFold(s.Host, "lab.example.com") {
			t.Fatalf("plaintext to %s", s.Host)
		}
		v, err := s.successor("new")
		if err != nil {
			t.Fatal(err)
		}
		again, err := e.parse(v, rotation.Pending)
		next := s
		next.Username = s.nextUser()
		if err != nil || again.Password.Reveal() != "new" || next.sameTarget(again, rotation.Pending) != nil {
			t.Fatalf("the new secret differs in more than the password: %v", err)
		}
	})
}

func ExamplePolicyFrom() {
	_, err := PolicyFrom(func(name string) (string, bool) {
		v, ok := map[string]string{"PASSWORD_LENGTH": "6"}[name]
		return v, ok
	})
	fmt.Println(err)
	fmt.Println(rotation.Hint(err))
	// Output:
	// reading the function's settings: PASSWORD_LENGTH is "6": wrong configuration
	// PASSWORD_LENGTH must be a number from 8 to 4096.
}
