package dbsecret_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/lib/pq"
	"go.uber.org/goleak"

	"github.com/rekey-aws/rekey/client"
	"github.com/rekey-aws/rekey/client/dbsecret"
	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/local/secretsmanager"
	"github.com/rekey-aws/rekey/local/secretsmanager/secretsmanagertest"
	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/mysql"
	"github.com/rekey-aws/rekey/shared/postgres"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/secretstore"
)

func TestMain(m *testing.M) { databasetest.Main(m) }

// kind is a server, a strategy and a driver.
type kind struct {
	name   string
	engine string
	server database.Engine
	ver    string
	driver driver.Driver
	create string // %s, %s: user, password
	admin  []string
}

const (
	mysqlUser    = "CREATE USER %s@'%%' IDENTIFIED BY '%s'"
	postgresUser = "CREATE ROLE %s LOGIN PASSWORD '%s'"
)

var (
	mysqlAdmin = []string{
		"CREATE USER %[1]s@'%%' IDENTIFIED BY '%[2]s'", "GRANT CREATE USER ON *.* TO %[1]s@'%%'", "GRANT SELECT ON mysql.* TO %[1]s@'%%'",
	}
	postgresAdmin = []string{"CREATE ROLE %[1]s LOGIN CREATEROLE PASSWORD '%[2]s'"}
	kinds         = []kind{
		{"PostgreSQL, alternating, lib/pq", "postgres", database.Postgres, "15", &pq.Driver{}, postgresUser, postgresAdmin},
		{"PostgreSQL, alternating, pgx", "postgres", database.Postgres, "15", stdlib.GetDefaultDriver(), postgresUser, postgresAdmin},
		{"MySQL, dual", "mysql", database.MySQL, "9", &mysqldriver.MySQLDriver{}, mysqlUser, nil},
		{"MySQL, alternating", "mysql", database.MySQL, "9", &mysqldriver.MySQLDriver{}, mysqlUser, mysqlAdmin},
		{"MariaDB, dual", "mariadb", database.MariaDB, "10.11", &mysqldriver.MySQLDriver{}, mysqlUser, nil},
		{"PostgreSQL, single, lib/pq", "postgres", database.Postgres, "15", &pq.Driver{}, postgresUser, nil},
		{"PostgreSQL, single, pgx", "postgres", database.Postgres, "15", stdlib.GetDefaultDriver(), postgresUser, nil},
	}
)

// bench is a user of a real server, its secret, and the function that rotates it.
type bench struct {
	t      *testing.T
	kind   kind
	server *database.Server
	roots  *x509.CertPool
	api    *api.Client
	secret string
	user   string
	aws    *secretsmanagertest.Server
	now    atomic.Int64 // how far the clock of Secrets Manager is ahead
}

// users are told apart by a number: all tests share the servers.
var users atomic.Int64

func newBench(t *testing.T, k kind) *bench {
	t.Helper()
	return newBenchOn(t, k, databasetest.Shared(t, k.server, k.ver))
}

func newBenchOn(t *testing.T, k kind, server *database.Server) *bench {
	t.Helper()
	b := &bench{t: t, kind: k, server: server, roots: x509.NewCertPool(), user: fmt.Sprintf("client%d", users.Add(1))}
	b.roots.AppendCertsFromPEM(b.server.CAPEM())
	b.aws = secretsmanagertest.New(t, secretsmanager.Options{
		Invoker: b, Backoff: func(int) time.Duration { return 10 * time.Millisecond },
		Now: func() time.Time { return time.Now().Add(time.Duration(b.now.Load())) },
	})
	b.api = api.NewFromConfig(b.aws.Config())
	doc := map[string]any{"engine": k.engine, "host": b.server.Host, "port": b.server.Port, "username": b.user, "password": "First-Password"}
	b.exec(fmt.Sprintf(k.create, b.user, "First-Password"))
	switch {
	case k.admin != nil:
		doc["masterarn"] = b.administrator()
	case k.server == database.MySQL:
		b.exec("GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO " + b.user + "@'%'")
	case k.server == database.MariaDB:
		b.exec("GRANT CREATE USER ON *.* TO " + b.user + "@'%'")
	}
	b.secret = b.store(b.user, doc)
	_, err := b.api.RotateSecret(t.Context(), &api.RotateSecretInput{
		SecretId: &b.secret, RotationLambdaARN: aws.String("arn:aws:lambda:us-east-1:123456789012:function:rotate-rds"), RotateImmediately: aws.Bool(false),
	})
	if err == nil {
		_, err = b.aws.Wait(t.Context(), b.secret) // the rehearsal
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) exec(statements ...string) {
	b.t.Helper()
	if err := b.server.Exec(b.t.Context(), statements...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) store(name string, doc map[string]any) (arn string) {
	b.t.Helper()
	text, _ := json.Marshal(doc)
	made, err := b.api.CreateSecret(b.t.Context(), &api.CreateSecretInput{Name: &name, SecretString: aws.String(string(text))})
	if err != nil {
		b.t.Fatal(err)
	}
	return *made.ARN
}

func (b *bench) administrator() (arn string) {
	name := b.user + "_admin"
	for _, s := range b.kind.admin {
		if !strings.Contains(s, "%[2]") {
			s += "%.0[2]s"
		}
		b.exec(fmt.Sprintf(s, name, "Admin-Password"))
	}
	return b.store(name, map[string]any{"engine": b.kind.engine, "host": b.server.Host, "port": b.server.Port, "username": name, "password": "Admin-Password"})
}

// Has is part of the stand-in's Invoker.
func (b *bench) Has(string) bool { return true }

// Invoke is the rotation function, in this process.
func (b *bench) Invoke(ctx context.Context, _ string, payload []byte) ([]byte, error) {
	var e rotation.Event
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, err
	}
	policy, err := dbuser.PolicyFrom(func(string) (string, bool) { return "", false })
	if err != nil {
		return nil, err
	}
	machine := rotation.Machine{Store: secretstore.New(b.api), Engine: &dbuser.Engine{Policy: policy, Drivers: map[string]dbuser.Driver{
		"postgres": postgres.Driver{Roots: b.roots}, "mysql": mysql.Driver{Roots: b.roots}, "mariadb": mysql.Driver{MariaDB: true, Roots: b.roots},
	}}}
	return nil, machine.Handle(ctx, e)
}

func (b *bench) rotate() {
	b.t.Helper()
	b.now.Add(int64(time.Hour)) // not more often than a service with limits allows
	if _, err := b.api.RotateSecret(b.t.Context(), &api.RotateSecretInput{SecretId: &b.secret}); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.aws.Wait(b.t.Context(), b.secret); err != nil {
		b.t.Fatal(err)
	}
}

// params are the driver's, with the authority of the server's certificate.
func (b *bench) params() map[string]string {
	if b.kind.server == database.Postgres {
		return map[string]string{"sslrootcert": b.server.CAFile()}
	}
	name := strings.ReplaceAll(b.server.Addr(), ":", "-")
	if err := mysqldriver.RegisterTLSConfig(name, &tls.Config{RootCAs: b.roots, MinVersion: tls.VersionTLS12}); err != nil {
		b.t.Fatal(err)
	}
	return map[string]string{"tls": name}
}

// open makes a cache and a pool of the secret, which end with the test.
func (b *bench) open(o dbsecret.Options) (*client.Cache, *sql.DB) {
	cache := client.New(client.FromAPI(b.api), client.Options{})
	o.Params = b.params()
	db := dbsecret.Open(cache, b.secret, b.kind.driver, o)
	b.t.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.t.Error(err)
		}
		cache.Close()
	})
	return cache, db
}

// unleaked looks, when the test has ended, for goroutines that it left.
func unleaked(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// disconnects looks, when the pool is closed, for connections that it left at the server.
func (b *bench) disconnects() {
	query := "SELECT usename FROM pg_stat_activity WHERE usename LIKE 'client%'"
	if b.kind.server != database.Postgres {
		query = "SELECT user FROM information_schema.processlist WHERE user LIKE 'client%'"
	}
	b.t.Cleanup(func() {
		var left [][]string
		for range 100 { // the server notices the end a moment later
			var err error
			if left, err = b.server.Query(context.Background(), query); err != nil {
				b.t.Fatal(err)
			}
			if len(left) == 0 {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		b.t.Errorf("connections are left: %v", left)
	})
}
