package dbuser

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/shared/rotation"
)

const (
	adminARN   = "arn:aws:secretsmanager:us-east-1:123456789012:secret:admin-AbCdEf"
	dbARN      = "arn:aws:rds:us-east-1:123456789012:db:db"
	clusterARN = "arn:aws:rds:us-east-1:123456789012:cluster:shop"
)

// house is a driver, an RDS and a store, of which what they were asked is kept.
type house struct {
	rotation.Store // any other call panics
	t              *testing.T
	admin          string            // the administrator's secret
	tags           map[string]string // and its tags
	behind         map[string]Server
	fault          error // of RDS
	calls          []string
	refuse         error // to the administrator
}

func (h *house) Get(_ context.Context, id string, v rotation.Version) (rotation.Stored, error) {
	if id != adminARN || v != (rotation.Version{Stage: rotation.Current}) {
		h.t.Errorf("it reads %s, %+v", id, v)
	}
	return rotation.Stored{Value: rotation.TextValue(h.admin)}, nil
}

func (h *house) Describe(_ context.Context, id string) (rotation.Metadata, error) {
	h.calls = append(h.calls, "describe "+id)
	return rotation.Metadata{Tags: h.tags}, nil
}

func (h *house) Server(_ context.Context, arn string) (Server, error) {
	h.calls = append(h.calls, "server "+arn)
	for _, s := range h.behind {
		if s.ARN == arn && !s.ReadOnly {
			return s, h.fault
		}
	}
	return Server{}, fmt.Errorf("no server %s: %w", arn, rotation.ErrConfig)
}

func (h *house) Behind(_ context.Context, host string) (Server, error) {
	h.calls = append(h.calls, "behind "+host)
	if s, ok := h.behind[host]; ok || h.fault != nil {
		return s, h.fault
	}
	return Server{}, fmt.Errorf("%s is not an endpoint of RDS: %w", host, rotation.ErrConfig)
}

func (h *house) Token(_ context.Context, l Login) (rotation.Value, error) {
	h.calls = append(h.calls, fmt.Sprintf("token %s %s:%d", l.Username, l.ServerName, l.Port))
	return rotation.TextValue("the-token"), h.fault
}

func (h *house) Rules() Rules {
	r := anyRules
	r.Administered = true
	return r
}

func (h *house) Login(_ context.Context, l Login) (Session, error) {
	h.calls = append(h.calls, fmt.Sprintf("login %s at %s:%d/%s as %s", l.Username, l.Host, l.Port, l.Database, l.ServerName))
	if want := map[string]string{"app": "open-sesame", "root": "open-admin", "rekey_admin": "the-token"}[l.Username]; l.Password.Reveal() != want {
		h.t.Errorf("%s logs in with a password of another", l.Username)
	}
	if l.Token != (l.Username == "rekey_admin") {
		h.t.Errorf("%s: token %t", l.Username, l.Token)
	}
	if l.Username != "app" && h.refuse != nil {
		return nil, h.refuse
	}
	return quiet{}, nil
}

// quiet is a session that does nothing.
type quiet struct{}

func (quiet) SetPassword(context.Context, rotation.Value) error           { return nil }
func (quiet) Try(context.Context, []string) error                         { return nil }
func (quiet) Close() error                                                { return nil }
func (quiet) Inspect(context.Context) (Inspection, error)                 { return Inspection{Server: "quiet"}, nil }
func (quiet) CheckPair(context.Context, Pair) error                       { return nil }
func (quiet) SetPasswordOf(context.Context, string, rotation.Value) error { return nil }
func (quiet) SetPair(context.Context, Pair, rotation.Value) ([]string, error) {
	return nil, nil
}

const (
	rdsHost   = ".abc.us-east-1.rds.amazonaws.com"
	userStart = `{"engine":"postgres","username":"app","password":"open-sesame"`
	rootStart = `{"engine":"postgres","username":"root","password":"open-admin"`
	byRDS     = `{"username":"root","password":"open-admin"}`
)

var (
	db        = Server{ARN: dbARN, Engine: "postgres", Host: "db" + rdsHost, Port: 5432}
	otherDB   = Server{ARN: dbARN + "2", Engine: "postgres", Host: "db2" + rdsHost, Port: 5432}
	cluster   = Server{ARN: clusterARN, Engine: "postgres", Host: "shop.cluster" + rdsHost, Port: 5432}
	readers   = Server{ARN: clusterARN, Engine: "postgres", Host: "shop.cluster" + rdsHost, Port: 5432, ReadOnly: true}
	secondary = Server{ARN: clusterARN, Engine: "postgres", ReadOnly: true}
)

func newHouse(t *testing.T) *house {
	return &house{t: t, behind: map[string]Server{
		"db" + rdsHost: db, "db2" + rdsHost: otherDB, "shop.cluster" + rdsHost: cluster, "first" + rdsHost: cluster,
		"any.cluster-custom" + rdsHost: cluster, "shop.cluster-ro" + rdsHost: readers, "secondary.cluster" + rdsHost: secondary,
	}}
}

func (h *house) preflight(user string, rds RDS) error {
	p, err := PolicyFrom(lookup(nil))
	if err != nil {
		h.t.Fatal(err)
	}
	e := &Engine{Drivers: map[string]Driver{"postgres": h}, Policy: p, RDS: rds, PlaintextHosts: []string{"lab.example.com"}}
	r := rotation.NewRequest(rotation.Rotation{}, rotation.TextValue(user), rotation.Value{}, h)
	return e.Preflight(h.t.Context(), r)
}

func at(host string, more ...string) string {
	return `,"host":"` + host + `"` + strings.Join(more, "") + `}`
}

const byMaster = `,"masterarn":"` + adminARN + `"`

// Where an administrator logs in, and what is asked before.
func TestAdministrators(t *testing.T) {
	asApp := func(host, name string) string { return "login app at " + host + ":5432/ as " + name }
	asRoot := func(host string) string { return "login root at " + host + ":5432/ as " + host }
	cname := `,"tlsServerName":"db` + rdsHost + `"`
	managed := map[string]string{"aws:rds:primaryDBInstanceArn": dbARN, "team": "x"}
	ofCluster := map[string]string{"aws:rds:primarydbclusterarn": clusterARN}
	for name, c := range map[string]struct {
		user, admin string
		tags        map[string]string
		want        []string
	}{
		"the same words": {at("db.example.com", byMaster), rootStart + at("DB.example.com"), nil, []string{asApp("db.example.com", "db.example.com"), "login root at DB.example.com:5432/ as DB.example.com"}},
		"instance and cluster": {
			at("first"+rdsHost, byMaster), rootStart + at("shop.cluster"+rdsHost), nil,
			[]string{asApp("first"+rdsHost, "first"+rdsHost), "behind first" + rdsHost, "behind shop.cluster" + rdsHost, asRoot("shop.cluster" + rdsHost)},
		},
		"custom endpoint": {
			at("any.cluster-custom"+rdsHost, byMaster), rootStart + at("first"+rdsHost), nil,
			[]string{asApp("any.cluster-custom"+rdsHost, "any.cluster-custom"+rdsHost), "behind any.cluster-custom" + rdsHost, "behind first" + rdsHost, asRoot("first" + rdsHost)},
		},
		"CNAME": {
			at("db.example.com", cname, byMaster), rootStart + at("db"+rdsHost), nil,
			[]string{asApp("db.example.com", "db"+rdsHost), "behind db" + rdsHost, asRoot("db" + rdsHost)},
		},
		"the administrator's CNAME": {
			at("db"+rdsHost, byMaster), rootStart + at("db.example.com", cname), nil,
			[]string{asApp("db"+rdsHost, "db"+rdsHost), "behind db" + rdsHost, "login root at db.example.com:5432/ as db" + rdsHost},
		},
		"managed": {
			at("db"+rdsHost, byMaster), byRDS, managed,
			[]string{asApp("db"+rdsHost, "db"+rdsHost), "describe " + adminARN, "server " + dbARN, asRoot("db" + rdsHost)},
		},
		"managed, with a CNAME": {
			at("db.example.com", cname, byMaster), byRDS, managed,
			[]string{asApp("db.example.com", "db"+rdsHost), "describe " + adminARN, "server " + dbARN, "behind db" + rdsHost, asRoot("db" + rdsHost)},
		},
		"managed cluster": {
			at("first"+rdsHost, byMaster), byRDS, ofCluster,
			[]string{asApp("first"+rdsHost, "first"+rdsHost), "describe " + adminARN, "server " + clusterARN, "behind first" + rdsHost, asRoot("shop.cluster" + rdsHost)},
		},
		"IAM": {
			at("db.example.com", cname, `,"adminAuth":"iam","adminUser":"rekey_admin"`), "", nil,
			[]string{asApp("db.example.com", "db"+rdsHost), "token rekey_admin db" + rdsHost + ":5432", "login rekey_admin at db.example.com:5432/ as db" + rdsHost},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.admin, h.tags = c.admin, c.tags
			if err := h.preflight(userStart+c.user, h); err != nil || !slices.Equal(h.calls, c.want) {
				t.Errorf("%v\n got %q\nwant %q", err, h.calls, c.want)
			}
		})
	}
}

// An administrator of what is not provably the user's server does not log in.
func TestNotTheUsersServer(t *testing.T) {
	managed := map[string]string{"aws:rds:primaryDBInstanceArn": dbARN}
	for name, c := range map[string]struct {
		user, admin string
		tags        map[string]string
		says        string
	}{
		"two servers":              {at("db"+rdsHost, byMaster), rootStart + at("db2"+rdsHost), nil, "they are of " + dbARN + "2 and " + dbARN},
		"another port":             {at("db"+rdsHost, byMaster), rootStart + at("db"+rdsHost, `,"port":6000`), nil, `"port"`},
		"no words of RDS":          {at("db.example.com", byMaster), rootStart + at("10.0.0.1"), nil, "not an endpoint of RDS"},
		"one is none of RDS":       {at("db"+rdsHost, byMaster), rootStart + at("db.example.com"), nil, "not an endpoint of RDS"},
		"a name for two hosts":     {at("db.example.com", `,"tlsServerName":"x.example.com"`, byMaster), rootStart + at("db2.example.com", `,"tlsServerName":"x.example.com"`), nil, "not an endpoint of RDS"},
		"plaintext":                {at("lab.example.com", `,"ssl":false,"tlsServerName":"db`+rdsHost+`"`, byMaster), rootStart + at("db"+rdsHost), nil, `"host"`},
		"plaintext, managed":       {at("lab.example.com", `,"ssl":false,"tlsServerName":"db`+rdsHost+`"`, byMaster), byRDS, managed, `"host"`},
		"reader":                   {at("shop.cluster-ro"+rdsHost, byMaster), rootStart + at("shop.cluster"+rdsHost), nil, "Use the writer endpoint shop.cluster" + rdsHost},
		"the administrator's":      {at("shop.cluster"+rdsHost, byMaster), rootStart + at("shop.cluster-ro"+rdsHost), nil, "Use the writer endpoint shop.cluster" + rdsHost},
		"secondary":                {at("secondary.cluster"+rdsHost, byMaster), rootStart + at("shop.cluster"+rdsHost), nil, "Use the writer endpoint of " + clusterARN},
		"managed, elsewhere":       {at("db2"+rdsHost, byMaster), byRDS, managed, "they are of " + dbARN + " and " + dbARN + "2"},
		"managed, own host":        {at("db.example.com", byMaster), byRDS, managed, "not an endpoint of RDS"},
		"managed, reader":          {at("shop.cluster-ro"+rdsHost, byMaster), byRDS, map[string]string{"aws:rds:primaryDBClusterArn": clusterARN}, "Use the writer endpoint"},
		"managed, gone":            {at("db"+rdsHost, byMaster), byRDS, map[string]string{"aws:rds:primaryDBInstanceArn": dbARN + "3"}, "no server"},
		"managed, without a tag":   {at("db"+rdsHost, byMaster), byRDS, map[string]string{"rds:primaryDBInstanceArn": dbARN}, `the keys "engine" and "host"`},
		"managed, without a user":  {at("db"+rdsHost, byMaster), `{"password":"open-admin"}`, managed, `"username" is missing`},
		"managed, another engine":  {at("db"+rdsHost, byMaster), byRDS, map[string]string{"aws:rds:primaryDBInstanceArn": "oracle"}, `its engine is "oracle-ee"`},
		"managed, not there yet":   {at("db"+rdsHost, byMaster), byRDS, map[string]string{"aws:rds:primaryDBInstanceArn": "making"}, "no endpoint that writes"},
		"neither whole nor RDS's":  {at("db"+rdsHost, byMaster), `{"engine":"postgres","username":"root","password":"open-admin"}`, managed, `"host" is missing`},
		"no secret of a database":  {at("db"+rdsHost, byMaster), `open-admin`, managed, "not a JSON object"},
		"a proxy":                  {at("p.proxy-abc.us-east-1.rds.amazonaws.com", byMaster), byRDS, managed, "RDS Proxy"},
		"a CNAME of a proxy":       {at("db.example.com", `,"tlsServerName":"p.proxy-abc.us-east-1.rds.amazonaws.com"`, byMaster), byRDS, managed, "RDS Proxy"},
		"the administrator's, too": {at("db"+rdsHost, byMaster), rootStart + at("p.proxy-abc.us-east-1.rds.amazonaws.com"), nil, "RDS Proxy"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.behind["oracle"] = Server{ARN: "oracle", Engine: "oracle-ee", Host: "x", Port: 1}
			h.behind["making"] = Server{ARN: "making", Engine: "postgres"}
			h.admin, h.tags = c.admin, c.tags
			err := h.preflight(userStart+c.user, h)
			if !errors.Is(err, rotation.ErrConfig) || !strings.Contains(err.Error()+" "+rotation.Hint(err), c.says) {
				t.Errorf("got %v (%s)", err, rotation.Hint(err))
			}
			if err != nil && strings.Contains(err.Error()+rotation.Hint(err), "open-") {
				t.Errorf("the error holds a password: %v", err)
			}
			for _, call := range h.calls {
				if strings.HasPrefix(call, "login root") {
					t.Errorf("the administrator logged in: %q", h.calls)
				}
			}
		})
	}
}

// What RDS refuses keeps its kind and its advice; a function that does not ask
// RDS says so.
func TestRDSRefuses(t *testing.T) {
	denied := rotation.WithHint(fmt.Errorf("DescribeDBInstances: %w", rotation.ErrDenied), "Allow rds:DescribeDBInstances")
	for name, c := range map[string]struct{ user, admin string }{
		"other words": {at("first"+rdsHost, byMaster), rootStart + at("shop.cluster"+rdsHost)},
		"managed":     {at("db"+rdsHost, byMaster), byRDS},
		"IAM":         {at("db"+rdsHost, `,"adminAuth":"iam","adminUser":"rekey_admin"`), ""},
	} {
		h := newHouse(t)
		h.admin, h.tags, h.fault = c.admin, map[string]string{"aws:rds:primaryDBInstanceArn": dbARN}, denied
		if err := h.preflight(userStart+c.user, h); !errors.Is(err, rotation.ErrDenied) || !strings.Contains(rotation.Hint(err), "Allow rds:DescribeDBInstances") {
			t.Errorf("%s: %v (%s)", name, err, rotation.Hint(err))
		}
		if err := h.preflight(userStart+c.user, nil); !errors.Is(err, rotation.ErrConfig) {
			t.Errorf("%s without RDS: %v", name, err)
		}
	}
	for _, kind := range []error{rotation.ErrRefused, rotation.ErrDenied} {
		h := newHouse(t)
		h.refuse = rotation.WithHint(fmt.Errorf("PAM authentication failed: %w", kind), "Look at pg_hba.conf.")
		err := h.preflight(userStart+at("db"+rdsHost, `,"adminAuth":"iam","adminUser":"rekey_admin"`), h)
		if !errors.Is(err, kind) || !strings.Contains(rotation.Hint(err), "rds-db:connect") || !strings.Contains(err.Error(), "a token of IAM") {
			t.Errorf("%v (%s)", err, rotation.Hint(err))
		}
	}
}
