package main_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/local/lambda"
	"github.com/rekey-aws/rekey/shared/redshiftapi/redshiftapitest"
)

// A user changes its own password, over the wire: eight calls, two logins.
func TestRotation(t *testing.T) {
	t.Parallel()
	a := newAccount(t, nil, nil)
	for range 3 {
		a.calls = nil
		a.mustRotate(true)
		if len(a.calls) != 8 {
			t.Errorf("%d calls, want 8: %v", len(a.calls), a.calls)
		}
	}
	if n := strings.Count(a.output(), `"strategy":"single"`); n != 3 || len(a.api.Calls()) != 0 {
		t.Errorf("%d steps name the strategy, calls of Redshift's APIs %v:\n%s", n, a.api.Calls(), a.output())
	}
}

// Every kind of administrator, over the wire and through the Data API.
func TestAdministrators(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		keys    map[string]any
		admin   map[string]any // the administrator's secret
		managed map[string]string
	}{
		"a secret":                          {admin: map[string]any{"engine": "redshift", "host": "localhost", "port": nil}},
		"temporary credentials":             {keys: map[string]any{"host": "127.0.0.1", "tlsServerName": clusterHost, "adminAuth": "iam", "adminUser": "rekey_admin"}},
		"a workgroup's role":                {keys: map[string]any{"host": "127.0.0.1", "tlsServerName": workgroupHost, "adminAuth": "iam", "adminUser": "IAMR:rotate-redshift"}},
		"Data API, a secret":                {keys: map[string]any{"host": clusterHost, "port": nil, "access": "data-api"}, admin: map[string]any{"engine": "redshift", "host": clusterHost}},
		"Data API, a secret of Redshift's":  {keys: map[string]any{"host": clusterHost, "port": nil, "access": "data-api"}, admin: map[string]any{}, managed: map[string]string{"aws:redshift:primaryClusterArn": clusterARN}},
		"Data API, a namespace's secret":    {keys: map[string]any{"host": workgroupHost, "port": nil, "access": "data-api"}, admin: map[string]any{}, managed: map[string]string{"aws:redshift-serverless:namespaceArn": namespaceARN}},
		"Data API, temporary credentials":   {keys: map[string]any{"host": clusterHost, "port": nil, "access": "data-api", "adminAuth": "iam", "adminUser": "rekey_admin"}},
		"Data API, custom domain, the role": {keys: map[string]any{"host": customDomain, "port": nil, "access": "data-api", "adminAuth": "iam", "adminUser": "IAMR:rotate-redshift"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, c.keys, nil)
			if c.admin != nil {
				c.admin["username"], c.admin["password"] = "root", adminPassword
				if c.admin["host"] == "localhost" {
					c.admin["port"] = a.front.Port
				}
				arn := a.store("administrator", c.admin)
				if c.managed != nil {
					if err := a.server.SetOwner(arn, "redshift", c.managed); err != nil {
						t.Fatal(err)
					}
				}
				a.set(map[string]any{"masterarn": arn})
			}
			for _, user := range []string{"app_clone", "app"} {
				a.mustRotate(false)
				if got := a.value("AWSCURRENT")["username"]; got != user {
					t.Errorf("AWSCURRENT is %v, want %s", got, user)
				}
			}
			if err := a.rotate(false); err != nil {
				t.Errorf("rehearsal: %v", err)
			}
			layers := "dns:ok tcp:ok tls:ok "
			switch {
			case c.keys["access"] == "data-api":
				layers = ""
			case c.keys["host"] == "127.0.0.1":
				layers = "tcp:ok tls:ok "
			}
			want := "rotation:ok value:ok password:ok " + layers + "login:ok server:ok administrator:ok administrator's_login:ok pair:ok AWSCURRENT:works AWSPREVIOUS:works"
			if got, d := a.diagnose(); got != want {
				t.Errorf("diagnosis: %s\nwant: %s\n%+v", got, want, d)
			}
		})
	}
}

// A password that lost its rotation half-way is found among the versions without
// labels; and one that nobody knows is not made up for.
func TestUnknownPassword(t *testing.T) {
	t.Parallel()
	a := newAccount(t, nil, nil)
	a.silently("ALTER ROLE app PASSWORD 'Password-1-of-someone-else'")
	if err := a.rotate(true); err == nil || !strings.Contains(err.Error(), "trying every version") {
		t.Errorf("got %v", err)
	}
	if !slices.Contains(a.calls, "ListSecretVersionIds") {
		t.Errorf("calls: %v", a.calls)
	}
	a.mustNotLeak()
}

// A statement that does not end is cancelled before Lambda ends the function.
func TestSlowWarehouse(t *testing.T) {
	t.Parallel()
	a := newAccount(t, map[string]any{"host": clusterHost, "port": nil, "access": "data-api", "adminAuth": "iam", "adminUser": "rekey_admin"}, nil,
		func(c *lambda.Config) { c.Timeout = 10 * time.Second })
	a.api.Looks = 1 << 30
	err := a.rotate(true)
	if err == nil || !strings.Contains(err.Error(), "did not end in the time there was") || strings.Contains(err.Error(), "timed out after") {
		t.Errorf("got %v", err)
	}
	if !slices.Contains(a.api.Calls(), "redshift-data:CancelStatement") || !strings.Contains(a.output(), `"kind":"unreachable"`) {
		t.Errorf("the calls are %v, and the log does not tell the cause:\n%s", a.api.Calls(), a.output())
	}
}

// A custom domain name that is a cluster's, and AWS that says no.
func TestRefusedByAWS(t *testing.T) {
	t.Parallel()
	a := newAccount(t, map[string]any{"host": clusterHost, "port": nil, "access": "data-api", "adminAuth": "iam", "adminUser": "rekey_admin"}, nil)
	a.api.Fault = func(operation string, _ int) redshiftapitest.Fault {
		if operation == "redshift-data:ExecuteStatement" {
			return redshiftapitest.Fault{Code: "AccessDeniedException", Message: "not allowed"}
		}
		return redshiftapitest.Fault{}
	}
	err := a.rotate(true)
	if err == nil || !strings.Contains(err.Error(), "permission denied") || !strings.Contains(err.Error(), "redshift-data:ExecuteStatement") {
		t.Errorf("got %v", err)
	}
	if slices.Contains(a.calls, "PutSecretValue") {
		t.Errorf("it wrote: %v", a.calls)
	}
}

func TestMisconfigured(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  map[string]string
		says string
	}{
		"hash":   {map[string]string{"REDSHIFT_PASSWORD_HASH": "crc32"}, "REDSHIFT_PASSWORD_HASH"},
		"sha256": {map[string]string{"REDSHIFT_PASSWORD_HASH": "sha256"}, "data-api"},
		"length": {map[string]string{"PASSWORD_LENGTH": "65"}, "PASSWORD_LENGTH"},
		"types":  {map[string]string{"EXCLUDE_NUMBERS": "true"}, "upper-case letters and numbers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, nil, c.env)
			if err := a.rotate(true); err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "What to do") {
				t.Errorf("got %v", err)
			}
			if err := a.logsIn(map[string]any{"username": "app", "password": userPassword}); err != nil {
				t.Errorf("the password changed: %v", err)
			}
		})
	}
}
