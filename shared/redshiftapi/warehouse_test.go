package redshiftapi_test

import (
	"encoding/json"
	"log/slog"
	"maps"
	"strings"
	"testing"

	"github.com/lib/pq"

	"github.com/rekey-aws/rekey/local/database/databasetest"
	"github.com/rekey-aws/rekey/local/redshift/redshifttest"
	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/redshift"
	"github.com/rekey-aws/rekey/shared/redshiftapi/redshiftapitest"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

func TestMain(m *testing.M) { databasetest.Main(m) }

const (
	adminARN      = "arn:aws:secretsmanager:us-east-1:123456789012:secret:admin-AbCdEf"
	adminPassword = "Password-1-of-the-admin"
	basePassword  = "Password-1-of-the-base"
)

// warehouse is a stand-in for Redshift that is reached through the Data API, with
// a user whose secret is rotated.
type warehouse struct {
	*redshifttest.Cluster
	t       *testing.T
	api     *redshiftapitest.Fake
	store   *rotationtest.Store
	machine *rotation.Machine
	log     strings.Builder
	secret  string // its ARN
}

// way is who administers the user, and where.
type way struct {
	name   string
	host   string
	admin  string
	secret map[string]any
}

var ways = []way{
	{"a cluster, by the administrator's secret", clusterHost, "root", map[string]any{"masterarn": adminARN}},
	{"a cluster, by temporary credentials", clusterHost, "rekey_admin", map[string]any{"adminAuth": "iam", "adminUser": "rekey_admin"}},
	{"a workgroup, by the administrator's secret", workgroupHost, "root", map[string]any{"masterarn": adminARN}},
	{"a workgroup, by the function's role", workgroupHost, "IAMR:rotate-redshift", map[string]any{"adminAuth": "iam", "adminUser": "IAMR:rotate-redshift"}},
}

func newWarehouse(t *testing.T, w way, extra map[string]any, driver redshift.Driver) *warehouse {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a database server")
	}
	h := &warehouse{Cluster: redshifttest.Start(t), t: t, api: region()}
	h.silently("CREATE ROLE "+pq.QuoteIdentifier(w.admin)+" LOGIN SUPERUSER PASSWORD '"+adminPassword+"'", "CREATE ROLE app LOGIN PASSWORD '"+basePassword+"'")
	if err := h.Exec(t.Context(), "dev",
		"SELECT redshift.create_group('analysts', 'group')", "ALTER GROUP analysts ADD USER app", "CREATE SCHEMA shop", "GRANT USAGE, CREATE ON SCHEMA shop TO app",
		"CREATE TABLE shop.a (n int)", "CREATE TABLE shop.b (n int)", "CREATE TABLE shop.c (n int)", "CREATE TABLE shop.d (n int)", "CREATE TABLE shop.e (n int)", "GRANT SELECT ON ALL TABLES IN SCHEMA shop TO app", "GRANT INSERT ON shop.a TO app"); err != nil {
		t.Fatal(err)
	}
	secret := map[string]any{"engine": "redshift", "host": w.host, "username": "app", "password": basePassword, "access": "data-api", "note": "kept"}
	port := 5439
	if w.host == workgroupHost {
		port, secret["port"] = 5440, 5440
	}
	maps.Copy(secret, w.secret)
	maps.Copy(secret, extra)
	h.store = rotationtest.NewStore(t, document(t, secret))
	h.store.Others = map[string]rotation.Value{adminARN: document(t, map[string]any{"engine": "redshift", "host": w.host, "port": port, "username": w.admin, "password": adminPassword})}
	h.secret = h.store.Begin().SecretID
	h.store.Unlabel(rotation.Pending)
	h.api.Warehouse, h.api.Secret = h.Server, h.current
	api := directory(t, h.api, nil)
	driver.API = api
	policy, err := dbuser.PolicyFrom(func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	h.machine = &rotation.Machine{
		Store: h.store, Log: slog.New(slog.NewJSONHandler(&h.log, nil)),
		Engine: &dbuser.Engine{Drivers: map[string]dbuser.Driver{"redshift": driver}, Policy: policy, RDS: api},
	}
	return h
}

// silently runs statements that leave no trace in the logs.
func (h *warehouse) silently(statements ...string) {
	h.t.Helper()
	if err := h.Database.Exec(h.t.Context(), statements...); err != nil {
		h.t.Fatal(err)
	}
}

func document(t *testing.T, doc map[string]any) rotation.Value {
	t.Helper()
	raw, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return rotation.TextValue(string(raw))
}

// current is what the Data API reads: AWSCURRENT, and nothing else.
func (h *warehouse) current(arn string) (user, password string, err error) {
	v := h.store.Others[arn]
	if arn == h.secret {
		_, v = h.store.Labelled(rotation.Current)
	}
	var doc struct{ Username, Password string }
	err = json.Unmarshal([]byte(v.Reveal()), &doc)
	return doc.Username, doc.Password, err
}

func (h *warehouse) credential(label string) (user, password string) {
	h.t.Helper()
	_, v := h.store.Labelled(label)
	var doc struct{ Username, Password, Note string }
	if err := json.Unmarshal([]byte(v.Reveal()), &doc); err != nil || doc.Note != "kept" {
		h.t.Fatalf("the value labelled %s is not the secret: %v", label, err)
	}
	return doc.Username, doc.Password
}

// logsIn asks the server itself, over the wire.
func (h *warehouse) logsIn(label string) error {
	user, password := h.credential(label)
	s, err := redshift.Driver{Roots: h.Roots}.Login(h.t.Context(), dbuser.Login{
		Host: h.Host, Port: h.Port, ServerName: h.Host, Database: "dev", Username: user, Password: rotation.TextValue(password),
	})
	if err == nil {
		err = s.Close()
	}
	return err
}

func (h *warehouse) mustNotLeak() {
	h.t.Helper()
	logs, err := h.Database.Logs()
	if err != nil {
		h.t.Fatal(err)
	}
	passwords := []string{adminPassword, basePassword}
	for _, label := range []string{rotation.Current, rotation.Previous} {
		_, p := h.credential(label)
		passwords = append(passwords, p)
	}
	for where, text := range map[string]string{"the server's log": logs, "the statements": redshifttest.Log(h.Server), "the machine's log": h.log.String()} {
		for _, p := range passwords {
			if strings.Contains(text, p) {
				h.t.Errorf("a password is in %s", where)
			}
		}
	}
	if refused := h.Refused(); len(refused) > 0 {
		h.t.Errorf("Redshift would not take: %v", refused)
	}
}
