package main_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/local/lambda/lambdatest"
	"github.com/rekey-aws/rekey/shared/rdsapi/rdsapitest"
)

// The rarer calls, which the other tests do not come to. (No call, and so not in
// testdata/actions.txt, is rds-db:connect, which a token of IAM needs.)
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
				lambdatest.Called("rds:" + action)
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
