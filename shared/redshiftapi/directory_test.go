package redshiftapi_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/redshiftapi"
	"github.com/rekey-aws/rekey/shared/redshiftapi/redshiftapitest"
	"github.com/rekey-aws/rekey/shared/rotation"
)

const (
	clusterHost   = "shop.abc123.us-east-1.redshift.amazonaws.com"
	workgroupHost = "reports.123456789012.us-east-1.redshift-serverless.amazonaws.com"
	clusterARN    = "arn:aws:redshift:us-east-1:123456789012:cluster:shop"
	namespaceARN  = "arn:aws:redshift:us-east-1:123456789012:namespace:11111111-0000-0000-0000-000000000000"
	reportsARN    = "arn:aws:redshift-serverless:us-east-1:123456789012:namespace/22222222-0000-0000-0000-000000000000"
	emptyARN      = "arn:aws:redshift-serverless:us-east-1:123456789012:namespace/33333333-0000-0000-0000-000000000000"
)

// region is an account's warehouses.
func region() *redshiftapitest.Fake {
	return &redshiftapitest.Fake{
		Clusters: []redshiftapitest.Cluster{
			{ClusterIdentifier: "shop", ClusterNamespaceArn: namespaceARN, Address: clusterHost, Port: 5439, MultiAZ: "Enabled"},
			{ClusterIdentifier: "paused", ClusterNamespaceArn: namespaceARN + "0", MultiAZ: "Disabled"},
		},
		Workgroups: []redshiftapitest.Workgroup{
			{WorkgroupName: "other", NamespaceName: "other", Endpoint: &redshiftapitest.Endpoint{Address: "other" + workgroupHost[7:], Port: 5439}},
			{WorkgroupName: "reports", NamespaceName: "finance", Endpoint: &redshiftapitest.Endpoint{Address: workgroupHost, Port: 5440}},
		},
		Namespaces: []redshiftapitest.Namespace{{NamespaceName: "empty", NamespaceArn: emptyARN}, {NamespaceName: "other", NamespaceArn: reportsARN + "0"}, {NamespaceName: "finance", NamespaceArn: reportsARN}},
		Domains:    []redshiftapitest.Domain{{Name: "dwh.example.com", Cluster: "shop"}, {Name: "reports.example.com", Workgroup: "reports"}},
		Role:       "IAMR:rotate-redshift",
	}
}

func directory(t *testing.T, f *redshiftapitest.Fake, now func() time.Time) *redshiftapi.Directory {
	t.Helper()
	f.Serve(t)
	settings := f.Settings()
	settings["AWS_REGION"], settings["AWS_ACCESS_KEY_ID"], settings["AWS_SECRET_ACCESS_KEY"] = "us-east-1", "AKIDTEST", "example"
	settings["AWS_MAX_ATTEMPTS"] = "1"
	d, err := redshiftapi.New(func(name string) (string, bool) { v, ok := settings[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	d.Hurry(now)
	return d
}

func TestBehind(t *testing.T) {
	t.Parallel()
	shop := dbuser.Server{ARN: namespaceARN, Engine: "redshift", Host: clusterHost, Port: 5439}
	reports := dbuser.Server{ARN: reportsARN, Engine: "redshift", Host: workgroupHost, Port: 5440}
	for host, c := range map[string]struct {
		want  dbuser.Server
		says  string
		calls []string
	}{
		clusterHost:                        {shop, "", []string{"redshift:DescribeClusters"}},
		strings.ToUpper(clusterHost) + ".": {shop, "", []string{"redshift:DescribeClusters"}},
		workgroupHost:                      {reports, "", []string{"redshift-serverless:GetWorkgroup", "redshift-serverless:GetNamespace"}},
		"dwh.example.com":                  {shop, "", []string{"redshift:DescribeCustomDomainAssociations", "redshift:DescribeCustomDomainAssociations", "redshift:DescribeClusters"}},
		"reports.example.com":              {want: reports},
		"nowhere.example.com":              {says: "neither an endpoint"},
		"localhost":                        {says: "neither an endpoint"},
		"shop.other1.us-east-1.redshift.amazonaws.com":                      {says: "with the endpoint"},
		"gone.abc123.us-east-1.redshift.amazonaws.com":                      {says: "ClusterNotFound"},
		"shop.abc123.eu-west-1.redshift.amazonaws.com":                      {says: "eu-west-1"},
		"paused.abc123.us-east-1.redshift.amazonaws.com":                    {says: "with the endpoint"},
		"reports.210987654321.us-east-1.redshift-serverless.amazonaws.com":  {says: "with the endpoint"},
		"gone.123456789012.us-east-1.redshift-serverless.amazonaws.com":     {says: "ResourceNotFoundException"},
		"shop.abc123.us-east-1.redshift.amazonaws.com.attacker.example.com": {says: "with the endpoint"},
	} {
		f := region()
		got, err := directory(t, f, nil).Behind(t.Context(), host)
		if c.says != "" {
			if !errors.Is(err, rotation.ErrConfig) || !strings.Contains(err.Error(), c.says) || rotation.Hint(err) == "" {
				t.Errorf("%s: %v", host, err)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", host, got, err)
		}
		if c.calls != nil && !slices.Equal(f.Calls(), c.calls) {
			t.Errorf("%s: calls %v", host, f.Calls())
		}
	}
}

// A host is asked about once a minute, not at every statement.
func TestWhatIsKnownIsNotAsked(t *testing.T) {
	t.Parallel()
	f, now := region(), time.Now()
	d := directory(t, f, func() time.Time { return now })
	for range 3 {
		if _, err := d.Behind(t.Context(), clusterHost); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(time.Minute)
	if _, err := d.Behind(t.Context(), clusterHost); err != nil || len(f.Calls()) != 2 {
		t.Errorf("%v, %v", f.Calls(), err)
	}
}

func TestServerByARN(t *testing.T) {
	t.Parallel()
	d := directory(t, region(), nil)
	for arn, want := range map[string]string{clusterARN: clusterHost, reportsARN: workgroupHost, emptyARN: ""} {
		got, err := d.Server(t.Context(), arn)
		if err != nil || got.Host != want || got.Engine != "redshift" {
			t.Errorf("%s: %+v, %v", arn, got, err)
		}
	}
	for _, arn := range []string{clusterARN + "x", reportsARN + "x"} {
		if _, err := d.Server(t.Context(), arn); !errors.Is(err, rotation.ErrConfig) {
			t.Errorf("%s: %v", arn, err)
		}
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	f := region()
	d := directory(t, f, nil)
	for _, l := range []dbuser.Login{{ServerName: clusterHost, Username: "rekey_admin"}, {ServerName: workgroupHost, Username: "IAMR:rotate-redshift"}} {
		v, err := d.Token(t.Context(), l)
		if err != nil || v.Reveal() != redshiftapitest.TemporaryPassword {
			t.Errorf("%s: %v", l.ServerName, err)
		}
	}
	_, err := d.Token(t.Context(), dbuser.Login{ServerName: workgroupHost, Username: "rekey_admin"})
	if !errors.Is(err, rotation.ErrConfig) || !strings.Contains(rotation.Hint(err), "IAMR:rotate-redshift") {
		t.Errorf("another user than the role's: %v", err)
	}
}

// What AWS refuses is told in its own words and with the permission to give.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]error{
		"AccessDenied": rotation.ErrDenied, "AccessDeniedException": rotation.ErrDenied, "Throttling": rotation.ErrThrottled,
		"InternalFailure": rotation.ErrVendor, "ExpiredTokenException": rotation.ErrDenied,
	} {
		f := region()
		f.Fault = func(string, int) redshiftapitest.Fault { return redshiftapitest.Fault{Code: code, Message: "because"} }
		_, err := directory(t, f, nil).Behind(t.Context(), clusterHost)
		if !errors.Is(err, want) || !strings.Contains(err.Error(), code) || want == rotation.ErrDenied && strings.HasPrefix(code, "Access") && !strings.Contains(rotation.Hint(err), "redshift:DescribeClusters") {
			t.Errorf("%s: %v (%s)", code, err, rotation.Hint(err))
		}
	}
	f := region()
	f.Fault = func(string, int) redshiftapitest.Fault { return redshiftapitest.Fault{Lost: true} }
	if _, err := directory(t, f, nil).Behind(t.Context(), clusterHost); !errors.Is(err, rotation.ErrUnreachable) {
		t.Errorf("a connection that breaks: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := directory(t, region(), nil).Behind(ctx, clusterHost); !errors.Is(err, rotation.ErrUnreachable) {
		t.Errorf("no time: %v", err)
	}
}
