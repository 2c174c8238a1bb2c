package rdsapi_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/rdsapi"
	"github.com/rekey-aws/rekey/shared/rdsapi/rdsapitest"
	"github.com/rekey-aws/rekey/shared/rotation"
)

const (
	arn    = "arn:aws:rds:us-east-1:123456789012:"
	suffix = ".us-east-1.rds.amazonaws.com"
)

// one is an instance of its own.
func one(name string) rdsapitest.Instance {
	return rdsapitest.Instance{
		DBInstanceIdentifier: name, DBInstanceArn: arn + "db:" + name, Engine: "postgres", MultiAZ: true,
		Endpoint: &rdsapitest.Address{Address: name + ".abc" + suffix, Port: 5432},
	}
}

func group(name string, writer string, readers ...string) rdsapitest.Cluster {
	c := rdsapitest.Cluster{
		DBClusterIdentifier: name, DBClusterArn: arn + "cluster:" + name, Engine: "aurora-mysql", Port: 3306,
		Endpoint: name + ".cluster-abc" + suffix, ReaderEndpoint: name + ".cluster-ro-abc" + suffix,
	}
	if writer != "" {
		c.Members = append(c.Members, rdsapitest.Member{DBInstanceIdentifier: writer, IsClusterWriter: true})
	}
	for _, r := range readers {
		c.Members = append(c.Members, rdsapitest.Member{DBInstanceIdentifier: r})
	}
	return c
}

// region is an account's servers: an instance and its replicas, Aurora with two
// instances, and a global cluster whose writer is here.
func region(t *testing.T) *rdsapitest.Fake {
	replica, chained, abroad, making := one("replica"), one("chained"), one("abroad"), one("making")
	replica.ReadReplicaSourceDBInstanceIdentifier = "single"
	chained.ReadReplicaSourceDBInstanceIdentifier = "replica"
	abroad.ReadReplicaSourceDBInstanceIdentifier = "arn:aws:rds:eu-west-1:123456789012:db:source"
	making.Endpoint = nil
	first, second, reading := one("first"), one("second"), one("reading")
	first.DBClusterIdentifier, second.DBClusterIdentifier = "shop", "shop"
	reading.ReadReplicaSourceDBClusterIdentifier = "shop"
	copied := group("copied", "copied-1")
	copied.ReplicationSourceIdentifier = "arn:aws:rds:eu-west-1:123456789012:cluster:origin"
	endpoint := func(name, kind string, static, excluded []string) rdsapitest.CustomEndpoint {
		return rdsapitest.CustomEndpoint{
			DBClusterEndpointIdentifier: name, DBClusterIdentifier: "shop", Endpoint: name + ".cluster-custom-abc" + suffix,
			EndpointType: "CUSTOM", CustomEndpointType: kind, StaticMembers: static, ExcludedMembers: excluded,
		}
	}
	return &rdsapitest.Fake{
		Instances: []rdsapitest.Instance{one("single"), replica, chained, abroad, making, first, second, reading},
		Clusters:  []rdsapitest.Cluster{group("shop", "first", "second"), group("secondary", "", "x"), copied},
		Endpoints: []rdsapitest.CustomEndpoint{
			endpoint("any", "ANY", nil, nil), endpoint("mine", "ANY", []string{"first"}, nil), endpoint("reports", "READER", nil, nil),
			endpoint("others", "ANY", []string{"second"}, nil), endpoint("without", "ANY", nil, []string{"first"}),
		},
		Globals: []rdsapitest.Global{
			{GlobalClusterIdentifier: "world", Endpoint: "world.global-abc.global.rds.amazonaws.com", Members: []rdsapitest.GlobalMember{
				{DBClusterArn: "arn:aws:rds:eu-west-1:123456789012:cluster:secondary"}, {DBClusterArn: arn + "cluster:shop", IsWriter: true},
			}},
			{GlobalClusterIdentifier: "moving", Endpoint: "moving.global-abc.global.rds.amazonaws.com"},
		},
	}
}

func directory(t *testing.T, f *rdsapitest.Fake, settings ...string) *rdsapi.Directory {
	t.Helper()
	env := map[string]string{
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "AWS_SESSION_TOKEN": "session",
		"AWS_ENDPOINT_URL_RDS": f.Serve(t).URL, "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
	}
	for i := 0; i < len(settings); i += 2 {
		env[settings[i]] = settings[i+1]
	}
	d, err := rdsapi.New(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var (
	single = dbuser.Server{ARN: arn + "db:single", Engine: "postgres", Host: "single.abc" + suffix, Port: 5432}
	shop   = dbuser.Server{ARN: arn + "cluster:shop", Engine: "aurora-mysql", Host: "shop.cluster-abc" + suffix, Port: 3306}
)

func reading(s dbuser.Server) dbuser.Server {
	s.ReadOnly = true
	return s
}

func TestBehind(t *testing.T) {
	for _, paged := range []bool{false, true} {
		f := region(t)
		f.Paged = paged
		d := directory(t, f)
		for host, want := range map[string]dbuser.Server{
			"single.abc" + suffix:                       single,
			"SINGLE.abc.US-east-1.rds.amazonaws.com.":   single,
			"replica.abc" + suffix:                      reading(single),
			"chained.abc" + suffix:                      reading(single),
			"abroad.abc" + suffix:                       {ARN: "arn:aws:rds:eu-west-1:123456789012:db:source", Engine: "postgres", ReadOnly: true},
			"first.abc" + suffix:                        shop,
			"second.abc" + suffix:                       reading(shop),
			"reading.abc" + suffix:                      reading(shop),
			"shop.cluster-abc" + suffix:                 shop,
			"shop.cluster-ro-abc" + suffix:              reading(shop),
			"any.cluster-custom-abc" + suffix:           shop,
			"mine.cluster-custom-abc" + suffix:          shop,
			"reports.cluster-custom-abc" + suffix:       reading(shop),
			"others.cluster-custom-abc" + suffix:        reading(shop),
			"without.cluster-custom-abc" + suffix:       reading(shop),
			"world.global-abc.global.rds.amazonaws.com": shop,
			"secondary.cluster-abc" + suffix:            {ARN: arn + "cluster:secondary", Engine: "aurora-mysql", Port: 3306, ReadOnly: true},
			"copied.cluster-abc" + suffix:               {ARN: "arn:aws:rds:eu-west-1:123456789012:cluster:origin", Engine: "aurora-mysql", Port: 3306, ReadOnly: true},
		} {
			if got, err := d.Behind(t.Context(), host); err != nil || got != want {
				t.Errorf("%s, paged %t: %+v, %v; want %+v", host, paged, got, err, want)
			}
		}
	}
}

func TestServer(t *testing.T) {
	d := directory(t, region(t))
	for of, want := range map[string]dbuser.Server{
		arn + "db:single": single, arn + "db:replica": reading(single), arn + "cluster:shop": shop,
		arn + "db:making": {ARN: arn + "db:making", Engine: "postgres"},
	} {
		if got, err := d.Server(t.Context(), of); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", of, got, err, want)
		}
	}
}

// What is not there, or not here, is told with what was asked for.
func TestNotBehind(t *testing.T) {
	f := region(t)
	d := directory(t, f)
	for host, says := range map[string]string{
		"nosuch.abc" + suffix:                        "DBInstanceNotFound",
		"nosuch.cluster-abc" + suffix:                "DBClusterNotFoundFault",
		"nosuch.cluster-custom-abc" + suffix:         "nosuch.cluster-custom-abc",
		"nosuch.global-abc.global.rds.amazonaws.com": "GlobalClusterNotFoundFault",
		"single.xyz" + suffix:                        "single.xyz",
		"single.abc.eu-west-1.rds.amazonaws.com":     `with the endpoint "single.abc.us-east-1`,
		"single.abc.us-east-1.rds.example.com":       "single.abc.us-east-1.rds.example.com",
		"shop.cluster-xyz" + suffix:                  "shop.cluster-xyz",
		"shop.cluster-ro-xyz" + suffix:               "shop.cluster-ro-xyz",
		"any.cluster-custom-xyz" + suffix:            "any.cluster-custom-xyz",
		"world.global-xyz.global.rds.amazonaws.com":  "world.global-xyz",
		"making.abc" + suffix:                        "making.abc",
		"db.example.com":                             "not an endpoint of RDS",
		"127.0.0.1":                                  "not an endpoint of RDS",
		"":                                           "not an endpoint of RDS",
	} {
		_, err := d.Behind(t.Context(), host)
		if !errors.Is(err, rotation.ErrConfig) || !strings.Contains(err.Error(), says) || !strings.Contains(rotation.Hint(err), "tlsServerName") {
			t.Errorf("%s: %v (%s)", host, err, rotation.Hint(err))
		}
	}
	if _, err := d.Behind(t.Context(), "moving.global-abc.global.rds.amazonaws.com"); !errors.Is(err, rotation.ErrUnreachable) {
		t.Errorf("no writer: %v", err)
	}
}

// The errors of RDS have their kind; a missing permission is named.
func TestRefusals(t *testing.T) {
	hosts := map[string]string{
		"DescribeDBInstances": "single.abc" + suffix, "DescribeDBClusters": "shop.cluster-abc" + suffix,
		"DescribeDBClusterEndpoints": "any.cluster-custom-abc" + suffix, "DescribeGlobalClusters": "world.global-abc.global.rds.amazonaws.com",
	}
	for action, host := range hosts {
		for code, want := range map[string]struct {
			kind error
			hint string
		}{
			"AccessDenied":    {rotation.ErrDenied, "rds:" + action},
			"Throttling":      {rotation.ErrThrottled, ""},
			"InternalFailure": {rotation.ErrVendor, ""},
			"ExpiredToken":    {rotation.ErrDenied, "expired"},
		} {
			f := region(t)
			f.Fault = func(a string, _ int) string {
				if a == action {
					return code
				}
				return ""
			}
			_, err := directory(t, f, "AWS_MAX_ATTEMPTS", "2").Behind(t.Context(), host)
			if !errors.Is(err, want.kind) || !strings.Contains(rotation.Hint(err), want.hint) || !strings.Contains(err.Error(), action) {
				t.Errorf("%s, %s: %v (%s)", action, code, err, rotation.Hint(err))
			}
		}
	}
}

// A throttled call is tried again, but not beyond the deadline.
func TestThrottling(t *testing.T) {
	f := region(t)
	f.Fault = func(_ string, n int) string {
		if n < 3 {
			return "Throttling"
		}
		return ""
	}
	if got, err := directory(t, f).Behind(t.Context(), "single.abc"+suffix); err != nil || got != single || len(f.Calls()) != 3 {
		t.Errorf("%+v, %v, %v", got, err, f.Calls())
	}
	f = region(t)
	f.Fault = func(string, int) string { return "Throttling" }
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := directory(t, f).Behind(ctx, "single.abc"+suffix); !errors.Is(err, rotation.ErrThrottled) {
		t.Errorf("got %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	_, err := directory(t, region(t), "AWS_ENDPOINT_URL_RDS", "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS", "1").Behind(t.Context(), "single.abc"+suffix)
	if !errors.Is(err, rotation.ErrUnreachable) || !strings.Contains(rotation.Hint(err), "interface endpoint for RDS") {
		t.Errorf("%v (%s)", err, rotation.Hint(err))
	}
	if _, err := rdsapi.New(func(string) (string, bool) { return "", false }); !errors.Is(err, rotation.ErrConfig) {
		t.Errorf("no Region: %v", err)
	}
}

// A token is a signed URL without its scheme, of the server's Region, and no call.
func TestToken(t *testing.T) {
	f := region(t)
	d := directory(t, f)
	for host, regionOf := range map[string]string{
		"db.abc.eu-west-1.rds.amazonaws.com":        "eu-west-1",
		"db.abc.rds.cn-north-1.amazonaws.com.cn":    "cn-north-1",
		"world.global-abc.global.rds.amazonaws.com": "us-east-1",
	} {
		token, err := d.Token(t.Context(), dbuser.Login{Host: "db.example.com", ServerName: host, Port: 6000, Username: "re key&x"})
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse("https://" + token.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		for key, want := range map[string]string{"Action": "connect", "DBUser": "re key&x", "X-Amz-Expires": "900", "X-Amz-Security-Token": "session", "X-Amz-SignedHeaders": "host"} {
			if q.Get(key) != want {
				t.Errorf("%s: %s is %q, want %q", host, key, q.Get(key), want)
			}
		}
		if scope := strings.Split(q.Get("X-Amz-Credential"), "/"); u.Host != host+":6000" || !slices.Equal(scope[2:], []string{regionOf, "rds-db", "aws4_request"}) {
			t.Errorf("%s: %s, %v", host, u.Host, scope)
		}
	}
	if _, err := d.Token(t.Context(), dbuser.Login{Host: "db.example.com", ServerName: "db.example.com", Port: 5432, Username: "a"}); !errors.Is(err, rotation.ErrConfig) {
		t.Errorf("another host: %v", err)
	}
	if _, err := directory(t, region(t), "AWS_ACCESS_KEY_ID", "").Token(t.Context(), dbuser.Login{ServerName: "db.abc" + suffix, Port: 1}); !errors.Is(err, rotation.ErrDenied) {
		t.Errorf("no credentials: %v", err)
	}
	if len(f.Calls()) != 0 {
		t.Errorf("calls for a token: %v", f.Calls())
	}
}
