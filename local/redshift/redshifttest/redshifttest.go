// Package redshifttest gives tests what is nearest to Redshift: a PostgreSQL 15
// behind the filter of local/redshift. A server that is not installed fails the
// test.
package redshifttest

import (
	"context"
	"crypto/x509"
	"strings"
	"sync"
	"testing"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/local/redshift"
)

// fronts are the filters of this process, one for each server. They end with it.
var fronts struct {
	sync.Mutex
	of map[*database.Server]*redshift.Server
}

// Before is the filter in front of a server that was started with
// [redshift.Options].
func Before(t testing.TB, server *database.Server) *redshift.Server {
	t.Helper()
	fronts.Lock()
	defer fronts.Unlock()
	if front := fronts.of[server]; front != nil {
		return front
	}
	front, err := redshift.Before(context.Background(), server) // it outlives the test that needs it first
	if err != nil {
		t.Fatal(err)
	}
	if fronts.of == nil {
		fronts.of = map[*database.Server]*redshift.Server{}
	}
	fronts.of[server] = front
	return front
}

// Cluster is a server of a test's own, and the filter before it.
type Cluster struct {
	*redshift.Server
	Database *database.Server
	Roots    *x509.CertPool
}

// Start starts one, with one database, "dev".
func Start(t testing.TB) *Cluster {
	t.Helper()
	server := databasetest.Start(t, redshift.Options(database.Options{LogStatements: true}))
	front := Before(t, server)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(front.CAPEM())
	return &Cluster{Server: front, Database: server, Roots: roots}
}

// Log is every statement that clients sent.
func Log(s *redshift.Server) string { return strings.Join(s.Statements(), "\n") }
