// Package rdsapitest is a strict stand-in for the part of the RDS API that tells
// what servers there are.
package rdsapitest

import (
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Fake is the RDS of one account and Region over HTTP, in the Query protocol. It
// fails the test at any request that RDS would not understand or that asks for
// more than one server. Set the fields before the first request.
//
// https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBInstances.html
type Fake struct {
	Instances []Instance
	Clusters  []Cluster
	Endpoints []CustomEndpoint
	Globals   []Global
	// Fault, if set, decides which error code the n-th request gets; "" for none.
	Fault func(action string, n int) (code string)
	// Paged puts an empty page before each answer, as RDS may.
	Paged bool

	URL string

	t     testing.TB
	mu    sync.Mutex
	calls []string
}

// Address is where an instance listens.
type Address struct {
	Address string
	Port    int
}

// Instance is what DescribeDBInstances tells of one.
type Instance struct {
	DBInstanceIdentifier                  string
	DBInstanceArn                         string
	Engine                                string
	Endpoint                              *Address
	MultiAZ                               bool
	DBClusterIdentifier                   string `xml:",omitempty"`
	ReadReplicaSourceDBInstanceIdentifier string `xml:",omitempty"`
	ReadReplicaSourceDBClusterIdentifier  string `xml:",omitempty"`
}

// Cluster is what DescribeDBClusters tells of one.
type Cluster struct {
	DBClusterIdentifier         string
	DBClusterArn                string
	Engine                      string
	Endpoint                    string
	ReaderEndpoint              string
	Port                        int
	ReplicationSourceIdentifier string   `xml:",omitempty"`
	Members                     []Member `xml:"DBClusterMembers>DBClusterMember"`
}

// Member is an instance of a cluster.
type Member struct {
	DBInstanceIdentifier string
	IsClusterWriter      bool
}

// CustomEndpoint is what DescribeDBClusterEndpoints tells of one.
type CustomEndpoint struct {
	DBClusterEndpointIdentifier string
	DBClusterIdentifier         string
	Endpoint                    string
	EndpointType                string   // CUSTOM
	CustomEndpointType          string   // READER, ANY
	StaticMembers               []string `xml:"StaticMembers>member"`
	ExcludedMembers             []string `xml:"ExcludedMembers>member"`
}

// Global is what DescribeGlobalClusters tells of one.
type Global struct {
	GlobalClusterIdentifier string
	Endpoint                string
	Members                 []GlobalMember `xml:"GlobalClusterMembers>GlobalClusterMember"`
}

// GlobalMember is a cluster of a global one.
type GlobalMember struct {
	DBClusterArn string
	IsWriter     bool
}

// Serve starts the fake; it stops with the test.
func (f *Fake) Serve(t testing.TB) *Fake {
	f.t = t
	web := httptest.NewServer(f)
	t.Cleanup(web.Close)
	f.URL = web.URL
	return f
}

// Calls are the actions that were asked for.
func (f *Fake) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// actions and the parameter that names what to describe.
var actions = map[string]string{
	"DescribeDBInstances":        "DBInstanceIdentifier",
	"DescribeDBClusters":         "DBClusterIdentifier",
	"DescribeDBClusterEndpoints": "DBClusterEndpointIdentifier",
	"DescribeGlobalClusters":     "GlobalClusterIdentifier",
}

const page2 = "the-second-page"

// ServeHTTP implements [http.Handler].
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		f.t.Errorf("RDS: a request that is no form: %v", err)
	}
	action := r.PostForm.Get("Action")
	f.mu.Lock()
	f.calls = append(f.calls, action)
	n := len(f.calls)
	f.mu.Unlock()
	if !f.wellFormed(r, action) {
		refuse(w, "InvalidParameterValue", "the request is not one that RDS understands")
		return
	}
	if f.Fault != nil {
		if code := f.Fault(action, n); code != "" {
			refuse(w, code, "because the test says so")
			return
		}
	}
	if f.Paged && r.PostForm.Get("Marker") == "" {
		answer(w, action, result{Marker: page2})
		return
	}
	found, absent := f.find(action, r.PostForm.Get(actions[action]))
	if absent != "" {
		refuse(w, absent, "there is no such thing")
		return
	}
	answer(w, action, found)
}

func (f *Fake) wellFormed(r *http.Request, action string) bool {
	parameter, known := actions[action]
	allowed := url.Values{"Action": nil, "Version": nil, "Marker": nil, parameter: nil}
	for name := range r.PostForm {
		if _, ok := allowed[name]; !ok {
			f.t.Errorf("RDS: %s with the parameter %s", action, name)
			return false
		}
	}
	signature := r.Header.Get("Authorization")
	switch {
	case !known:
		f.t.Errorf("RDS: the action %q", action)
	case r.Method != http.MethodPost, r.URL.Path != "/", r.Header.Get("Content-Type") != "application/x-www-form-urlencoded":
		f.t.Errorf("RDS: %s %s, %s", r.Method, r.URL.Path, r.Header.Get("Content-Type"))
	case r.PostForm.Get("Version") != "2014-10-31":
		f.t.Errorf("RDS: the version %q", r.PostForm.Get("Version"))
	case !strings.HasPrefix(signature, "AWS4-HMAC-SHA256 ") || !strings.Contains(signature, "/rds/aws4_request"):
		f.t.Errorf("RDS: %s is not signed for RDS", action)
	case r.PostForm.Get(parameter) == "":
		f.t.Errorf("RDS: %s asks for every server there is", action)
	case f.Paged != (r.PostForm.Get("Marker") == page2) && r.PostForm.Get("Marker") != "":
		f.t.Errorf("RDS: %s with the marker %q", action, r.PostForm.Get("Marker"))
	default:
		return true
	}
	return false
}

// find is what an action answers about an id, or the code of the error that it
// is not there. Of custom endpoints RDS then tells an empty list.
func (f *Fake) find(action, id string) (r result, absent string) {
	is := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, id) })
	}
	switch action {
	case "DescribeDBInstances":
		r.Instances = filter(f.Instances, func(i Instance) bool { return is(i.DBInstanceIdentifier, i.DBInstanceArn) })
		absent = "DBInstanceNotFound"
	case "DescribeDBClusters":
		r.Clusters = filter(f.Clusters, func(c Cluster) bool { return is(c.DBClusterIdentifier, c.DBClusterArn) })
		absent = "DBClusterNotFoundFault"
	case "DescribeDBClusterEndpoints":
		r.Endpoints = filter(f.Endpoints, func(e CustomEndpoint) bool { return is(e.DBClusterEndpointIdentifier) })
		return r, ""
	case "DescribeGlobalClusters":
		r.Globals = filter(f.Globals, func(g Global) bool { return is(g.GlobalClusterIdentifier) })
		absent = "GlobalClusterNotFoundFault"
	}
	if len(r.Instances)+len(r.Clusters)+len(r.Globals) > 0 {
		absent = ""
	}
	return r, absent
}

func filter[T any](all []T, wanted func(T) bool) (some []T) {
	for _, item := range all {
		if wanted(item) {
			some = append(some, item)
		}
	}
	return some
}

type result struct {
	Marker    string           `xml:",omitempty"`
	Instances []Instance       `xml:"DBInstances>DBInstance"`
	Clusters  []Cluster        `xml:"DBClusters>DBCluster"`
	Endpoints []CustomEndpoint `xml:"DBClusterEndpoints>DBClusterEndpointList"`
	Globals   []Global         `xml:"GlobalClusters>GlobalClusterMember"`
}

const namespace = "http://rds.amazonaws.com/doc/2014-10-31/"

func answer(w http.ResponseWriter, action string, r result) {
	body, err := xml.Marshal(r)
	if err != nil {
		panic(err) // these structures can be encoded
	}
	inner := strings.TrimSuffix(strings.TrimPrefix(string(body), "<result>"), "</result>")
	w.Header().Set("Content-Type", "text/xml")
	w.Write([]byte("<" + action + `Response xmlns="` + namespace + `"><` + action + "Result>" + inner + "</" + action +
		"Result><ResponseMetadata><RequestId>the-request</RequestId></ResponseMetadata></" + action + "Response>"))
}

// refuse answers with an error, in the status that RDS gives it.
func refuse(w http.ResponseWriter, code, message string) {
	status := http.StatusBadRequest
	switch {
	case strings.Contains(code, "NotFound"):
		status = http.StatusNotFound
	case strings.HasPrefix(code, "AccessDenied"):
		status = http.StatusForbidden
	case code == "InternalFailure":
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	w.Write([]byte(`<ErrorResponse xmlns="` + namespace + `"><Error><Type>Sender</Type><Code>` + code + "</Code><Message>" + message +
		"</Message></Error><RequestId>the-request</RequestId></ErrorResponse>"))
}
