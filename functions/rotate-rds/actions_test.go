package main_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/shared/rdsapi/rdsapitest"
)

// What the function may need to be allowed is what it called in all tests together: the
// deployment's role is compared with testdata/actions.txt. Not called, and so not in there, is
// rds-db:connect, which a token of IAM needs.

var update = flag.Bool("update", false, "write testdata/actions.txt")

const actionsFile = "testdata/actions.txt"

var actions struct {
	mu   sync.Mutex
	seen map[string]bool
}

// called notes an action of IAM.
func called(action string) {
	actions.mu.Lock()
	defer actions.mu.Unlock()
	if actions.seen == nil {
		actions.seen = map[string]bool{}
	}
	actions.seen[action] = true
}

// wholeRun tells a run of all tests from one of some.
func wholeRun() bool {
	return !testing.Short() && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" && flag.Lookup("test.list").Value.String() == ""
}

func compareActions() error {
	var all []string
	for action := range actions.seen {
		all = append(all, action+"\n")
	}
	slices.Sort(all)
	got := strings.Join(all, "")
	want, err := os.ReadFile(actionsFile)
	if err == nil && string(want) == got {
		return nil
	}
	if *update {
		return os.WriteFile(actionsFile, []byte(got), 0o644)
	}
	return fmt.Errorf("%s says otherwise (-update writes it). The function called:\n%s", actionsFile, got)
}

// The rarer calls, which the other tests do not come to.
func TestRarerCalls(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a database server")
	}
	t.Parallel()
	e := engines[0]
	t.Run("every password is refused", func(t *testing.T) {
		db := databasetest.Shared(t, e.server, e.version)
		a := newAccount(t, e, db, "changed_behind", nil)
		if err := db.Exec(t.Context(), "ALTER ROLE "+a.user+" PASSWORD 'Password-of-someone-else'"); err != nil {
			t.Fatal(err)
		}
		if err := a.rotate(true); err == nil || !strings.Contains(err.Error(), "trying every version") {
			t.Errorf("got %v", err)
		}
		if !slices.Contains(a.calls, "ListSecretVersionIds") {
			t.Errorf("calls: %v", a.calls)
		}
	})
	for name, host := range map[string]string{
		"cluster":        "shop.cluster-abc.us-east-1.rds.amazonaws.com",
		"custom":         "some.cluster-custom-abc.us-east-1.rds.amazonaws.com",
		"global_cluster": "shop.global-abc.global.rds.amazonaws.com",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := databasetest.Start(t, database.Options{Engine: e.server, Version: e.version, CertificateHosts: []string{"127.0.0.1", "localhost", host}})
			const cluster = "arn:aws:rds:us-east-1:123456789012:cluster:shop"
			rds := (&rdsapitest.Fake{
				Clusters: []rdsapitest.Cluster{{
					DBClusterIdentifier: "shop", DBClusterArn: cluster, Engine: "aurora-postgresql", Port: db.Port,
					Endpoint: "shop.cluster-abc.us-east-1.rds.amazonaws.com", Members: []rdsapitest.Member{{DBInstanceIdentifier: "shop-1", IsClusterWriter: true}},
				}},
				Endpoints: []rdsapitest.CustomEndpoint{{
					DBClusterEndpointIdentifier: "some", DBClusterIdentifier: "shop", Endpoint: host, EndpointType: "CUSTOM", CustomEndpointType: "ANY",
				}},
				Globals: []rdsapitest.Global{{GlobalClusterIdentifier: "shop", Endpoint: host, Members: []rdsapitest.GlobalMember{{DBClusterArn: cluster, IsWriter: true}}}},
			}).Serve(t)
			a := newAccount(t, e, db, "of_"+name, map[string]string{"AWS_ENDPOINT_URL_RDS": rds.URL})
			a.manageAdministrator("manager")
			_, doc := a.value("AWSCURRENT")
			if err := a.server.SetOwner(fmt.Sprint(doc["masterarn"]), "rds", map[string]string{"aws:rds:primaryDBClusterArn": cluster}); err != nil {
				t.Fatal(err)
			}
			a.put(map[string]any{"tlsServerName": host})
			// It ends at the administrator's login: there is no such host here.
			if err := a.rotate(true); err == nil {
				t.Error("it rotated")
			}
			for _, action := range rds.Calls() {
				called("rds:" + action)
			}
			if len(rds.Calls()) < 2 {
				t.Errorf("calls to RDS: %v", rds.Calls())
			}
		})
	}
}

// put changes keys of the user's secret.
func (a *account) put(keys map[string]any) {
	a.t.Helper()
	password, doc := a.value("AWSCURRENT")
	doc["password"] = password
	for key, value := range keys {
		doc[key] = value
	}
	a.store(a.secret, doc)
}
