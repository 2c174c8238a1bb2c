// Package redshiftapitest is a strict stand-in for the parts of AWS's APIs that
// rotate-redshift calls: Redshift's, Redshift Serverless's, and the Data API,
// which runs its statements on the stand-in for Redshift itself.
package redshiftapitest

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/local/redshift"
)

// Fake are the three services of one account and Region over HTTP. It fails the
// test at any request that they would not understand. Set the fields before the
// first request.
type Fake struct {
	Clusters   []Cluster
	Workgroups []Workgroup
	Namespaces []Namespace
	Domains    []Domain

	// Warehouse is where the Data API runs statements; nil: it has none.
	Warehouse *redshift.Server
	// Secret is a secret's AWSCURRENT value, as the Data API reads it with the
	// caller's permissions.
	Secret func(arn string) (user, password string, err error)
	// Role is the user that a serverless workgroup makes of the caller's role.
	Role string
	// Looks is how often DescribeStatement says that a statement is not finished.
	Looks int
	// Now is the clock; nil: the system's.
	Now func() time.Time
	// Fault decides what becomes of the n-th call of an operation such as
	// "redshift-data:ExecuteStatement"; nil: it happens.
	Fault func(operation string, n int) Fault

	URL string

	t          testing.TB
	mu         sync.Mutex
	calls      []string
	statements []*statement
	needed     []string // beside what was called

	poolsMu sync.Mutex
	pools   map[string]*sql.DB
}

// Fault is what becomes of a call.
type Fault struct {
	// Lost: the connection breaks before the call is made. ReplyLost: after.
	Lost, ReplyLost bool
	// Code is the error that it is answered with, and Message its text.
	Code, Message string
}

// Cluster is what DescribeClusters tells of one.
type Cluster struct {
	ClusterIdentifier   string
	ClusterNamespaceArn string
	Address             string `xml:"Endpoint>Address,omitempty"`
	Port                int    `xml:"Endpoint>Port,omitempty"`
	MultiAZ             string
}

// Endpoint is a workgroup's.
type Endpoint struct {
	Address string `json:"address"`
	Port    int    `json:"port"`
}

// Workgroup is what GetWorkgroup tells of one.
type Workgroup struct {
	WorkgroupName string    `json:"workgroupName"`
	NamespaceName string    `json:"namespaceName"`
	Endpoint      *Endpoint `json:"endpoint,omitempty"`
}

// Namespace is what GetNamespace tells of one.
type Namespace struct {
	NamespaceName string `json:"namespaceName"`
	NamespaceArn  string `json:"namespaceArn"`
}

// Domain is a custom domain name, of a cluster or a workgroup.
type Domain struct{ Name, Cluster, Workgroup string }

// Serve starts the fake; it stops with the test.
func (f *Fake) Serve(t testing.TB) *Fake {
	f.t, f.pools = t, map[string]*sql.DB{}
	t.Cleanup(func() {
		for _, db := range f.pools {
			db.Close()
		}
	})
	web := httptest.NewServer(f)
	t.Cleanup(web.Close)
	f.URL = web.URL
	return f
}

// Settings are a function's, for this fake alone.
func (f *Fake) Settings() map[string]string {
	return map[string]string{"AWS_ENDPOINT_URL_REDSHIFT": f.URL, "AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS": f.URL, "AWS_ENDPOINT_URL_REDSHIFT_DATA": f.URL}
}

// Calls are the operations that were asked for, as IAM calls them.
func (f *Fake) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Actions are what the caller must be allowed: the operations, and those that the
// Data API carries out with the caller's permissions.
func (f *Fake) Actions() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append(slices.Clone(f.calls), f.needed...)
}

func (f *Fake) now() time.Time {
	if f.Now != nil {
		return f.Now()
	}
	return time.Now()
}

// request is one call, taken out of its protocol.
type request struct {
	service, operation string
	in                 map[string]any
}

// ServeHTTP implements [http.Handler].
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req, answer := f.read(r)
	name := req.service + ":" + req.operation
	f.mu.Lock()
	f.calls = append(f.calls, name)
	n := len(f.calls)
	f.mu.Unlock()
	if scope := r.Header.Get("Authorization"); !strings.HasPrefix(scope, "AWS4-HMAC-SHA256 ") || !strings.Contains(scope, "/"+req.service+"/aws4_request") {
		f.t.Errorf("%s is not signed for %s", name, req.service)
	}
	var fault Fault
	if f.Fault != nil {
		fault = f.Fault(name, n)
	}
	if fault.Lost {
		hangUp(w)
		return
	}
	if fault.Code != "" {
		answer.refuse(w, fault.Code, fault.Message)
		return
	}
	out, refusal := f.carryOut(r.Context(), req)
	switch {
	case fault.ReplyLost:
		hangUp(w)
	case refusal != nil:
		answer.refuse(w, refusal.code, refusal.message)
	default:
		answer.send(w, req.operation, out)
	}
}

func hangUp(w http.ResponseWriter) {
	if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
		conn.Close()
	}
}

type refusal struct{ code, message string }

// operations, and the members that they know; a star is one that they need.
var operations = map[string][]string{
	"redshift:DescribeClusters":                        {"ClusterIdentifier*", "Marker"},
	"redshift:DescribeCustomDomainAssociations":        {"CustomDomainName*", "Marker"},
	"redshift:GetClusterCredentials":                   {"ClusterIdentifier*", "DbUser*", "AutoCreate"},
	"redshift-serverless:GetWorkgroup":                 {"workgroupName*"},
	"redshift-serverless:ListWorkgroups":               {"nextToken"},
	"redshift-serverless:GetNamespace":                 {"namespaceName*"},
	"redshift-serverless:ListNamespaces":               {"nextToken"},
	"redshift-serverless:GetCredentials":               {"workgroupName*"},
	"redshift-serverless:ListCustomDomainAssociations": {"customDomainName*", "nextToken"},
	"redshift-data:ExecuteStatement":                   {"Sql*", "ClientToken*", "ClusterIdentifier", "WorkgroupName", "Database*", "SecretArn", "DbUser", "StatementName*"},
	"redshift-data:DescribeStatement":                  {"Id*"},
	"redshift-data:GetStatementResult":                 {"Id*", "NextToken"},
	"redshift-data:CancelStatement":                    {"Id*"},
	"redshift-data:ListStatements":                     {"StatementName*", "Status*", "RoleLevel*", "MaxResults", "ClusterIdentifier", "WorkgroupName", "NextToken"},
}

func (f *Fake) carryOut(ctx context.Context, req request) (any, *refusal) {
	members, known := operations[req.service+":"+req.operation]
	if !known {
		f.t.Errorf("%s:%s is not an operation that is called", req.service, req.operation)
		return nil, &refusal{"ValidationException", "unknown operation"}
	}
	for name := range req.in {
		if !slices.Contains(members, name) && !slices.Contains(members, name+"*") {
			f.t.Errorf("%s with the member %s", req.operation, name)
			return nil, &refusal{"ValidationException", "unknown member " + name}
		}
	}
	for _, m := range members {
		if name, needed := strings.CutSuffix(m, "*"); needed && req.in[name] == nil {
			f.t.Errorf("%s without %s", req.operation, name)
			return nil, &refusal{"ValidationException", "missing " + name}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch req.service {
	case "redshift":
		return f.provisioned(req)
	case "redshift-serverless":
		return f.serverless(req)
	}
	return f.data(ctx, req)
}

func (r request) text(name string) string { s, _ := r.in[name].(string); return s }

// TemporaryPassword is what temporary credentials have. The stand-in for Redshift
// lets it in if its user, with "IAM:" before the name, was made with it.
const TemporaryPassword = "a-temporary-password"

func (f *Fake) provisioned(req request) (any, *refusal) {
	find := func(name string) *Cluster {
		if i := slices.IndexFunc(f.Clusters, func(c Cluster) bool { return c.ClusterIdentifier == name }); i >= 0 {
			return &f.Clusters[i]
		}
		return nil
	}
	switch req.operation {
	case "DescribeClusters":
		if c := find(req.text("ClusterIdentifier")); c != nil {
			return struct {
				Clusters []Cluster `xml:"Clusters>Cluster"`
			}{[]Cluster{*c}}, nil
		}
		return nil, &refusal{"ClusterNotFound", "Cluster " + req.text("ClusterIdentifier") + " not found."}
	case "DescribeCustomDomainAssociations":
		type association struct{ CustomDomainName, ClusterIdentifier string }
		if req.text("Marker") == "" { // an empty page first, as there may be
			return struct{ Marker string }{"1"}, nil
		}
		for _, d := range f.Domains {
			if d.Name == req.text("CustomDomainName") && d.Cluster != "" {
				return struct {
					Associations []association `xml:"Associations>Association>CertificateAssociations>CertificateAssociation"`
				}{[]association{{d.Name, d.Cluster}}}, nil
			}
		}
		return nil, &refusal{"CustomDomainAssociationNotFoundFault", "there is none"}
	}
	if find(req.text("ClusterIdentifier")) == nil {
		return nil, &refusal{"ClusterNotFound", "there is none"}
	}
	return struct {
		User     string `xml:"DbUser"`
		Password string `xml:"DbPassword"`
	}{"IAM:" + req.text("DbUser"), TemporaryPassword}, nil
}

func (f *Fake) serverless(req request) (any, *refusal) {
	page, next := 0, map[string]any{}
	if _, err := fmt.Sscan(req.text("nextToken"), &page); err == nil || strings.HasPrefix(req.operation, "List") {
		next["nextToken"] = fmt.Sprint(page + 1) // pages of one
	}
	gone := &refusal{"ResourceNotFoundException", "there is no such thing"}
	switch req.operation {
	case "GetWorkgroup", "GetCredentials":
		for _, g := range f.Workgroups {
			if g.WorkgroupName == req.text("workgroupName") {
				if req.operation == "GetCredentials" {
					return map[string]any{"dbUser": f.Role, "dbPassword": TemporaryPassword}, nil
				}
				return map[string]any{"workgroup": g}, nil
			}
		}
		return nil, gone
	case "GetNamespace":
		for _, n := range f.Namespaces {
			if n.NamespaceName == req.text("namespaceName") {
				return map[string]any{"namespace": n}, nil
			}
		}
		return nil, gone
	case "ListWorkgroups":
		if page >= len(f.Workgroups) {
			return map[string]any{"workgroups": []any{}}, nil
		}
		next["workgroups"] = f.Workgroups[page : page+1]
	case "ListNamespaces":
		if page >= len(f.Namespaces) {
			return map[string]any{"namespaces": []any{}}, nil
		}
		next["namespaces"] = f.Namespaces[page : page+1]
	case "ListCustomDomainAssociations":
		found := []map[string]string{}
		for _, d := range f.Domains {
			if d.Name == req.text("customDomainName") && d.Workgroup != "" {
				found = append(found, map[string]string{"customDomainName": d.Name, "workgroupName": d.Workgroup})
			}
		}
		if page == 0 {
			return map[string]any{"associations": []any{}, "nextToken": "1"}, nil
		}
		return map[string]any{"associations": found}, nil
	}
	return next, nil
}
