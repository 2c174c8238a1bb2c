package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	vitess "github.com/dolthub/vitess/go/mysql"
	"github.com/go-sql-driver/mysql"
)

const adminPassword = "admin-password-in-test"

// fixture is a server for one test.
type fixture struct {
	*running
	roots *x509.CertPool
	log   string
}

func serveForTest(t *testing.T, encrypted bool) fixture {
	t.Helper()
	dir := t.TempDir()
	c := Config{Address: "127.0.0.1:0", StatementLog: filepath.Join(dir, "log"), Database: "app", User: "admin", Password: adminPassword}
	f := fixture{log: c.StatementLog}
	if encrypted {
		c.RequireTLS = true
		c.Certificate, c.Key = filepath.Join(dir, "cert"), filepath.Join(dir, "key")
		f.roots = writeCertificate(t, c.Certificate, c.Key)
	}
	r, err := start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.close(); err != nil {
			t.Error(err)
		}
	})
	f.running = r
	return f
}

func writeCertificate(t *testing.T, certificate, key string) *x509.CertPool {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return pool
}

func (f fixture) open(t *testing.T, user, password string, encrypted bool) *sql.DB {
	t.Helper()
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User, cfg.Passwd = "tcp", f.address, user, password
	cfg.Logger = &mysql.NopLogger{}
	if encrypted {
		cfg.TLS = &tls.Config{RootCAs: f.roots, ServerName: "localhost"}
	}
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// run runs statements as a user; the returned error is the first.
func (f fixture) run(t *testing.T, user, password string, statements ...string) error {
	t.Helper()
	db := f.open(t, user, password, f.roots != nil)
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			return err
		}
	}
	return nil
}

func (f fixture) mustRun(t *testing.T, user, password string, statements ...string) {
	t.Helper()
	if err := f.run(t, user, password, statements...); err != nil {
		t.Fatalf("as %s: %v", user, err)
	}
}

func wantNumber(t *testing.T, err error, number uint16) {
	t.Helper()
	if server := (*mysql.MySQLError)(nil); !errors.As(err, &server) || server.Number != number {
		t.Errorf("got %v, want error %d", err, number)
	}
}

func TestRotationAsTheUser(t *testing.T) {
	f := serveForTest(t, true)
	f.mustRun(t, "admin", adminPassword, "CREATE USER 'app'@'%' IDENTIFIED BY 'first'")
	db := f.open(t, "app", "first", true)
	db.SetMaxOpenConns(1)

	var definition string
	if err := db.QueryRow("SHOW CREATE USER CURRENT_USER()").Scan(&definition); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(definition, "CREATE USER `app`@`%` IDENTIFIED WITH 'caching_sha2_password' AS '$A$005$") {
		t.Errorf("SHOW CREATE USER says %q", definition)
	}
	var user string
	if err := db.QueryRow("SELECT CURRENT_USER()").Scan(&user); err != nil || user != "app@%" {
		t.Errorf("CURRENT_USER() is %q, %v", user, err)
	}
	var variables int
	rows, err := db.Query("SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'read_only', 'innodb_read_only', 'caching_sha2_password_digest_rounds')")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		variables++
	}
	if variables < 2 || rows.Err() != nil {
		t.Errorf("%d variables, %v", variables, rows.Err())
	}

	_, err = db.Exec("ALTER USER CURRENT_USER() IDENTIFIED WITH caching_sha2_password AS " + sha2Literal(t, "second"))
	wantNumber(t, err, 1227) // as in MySQL: that takes CREATE USER
	for _, statement := range []string{
		"SET SESSION sql_mode = ''",
		"ALTER USER USER() IDENTIFIED BY 'second'",
		"ALTER USER 'app'@'%' IDENTIFIED BY 'third' REPLACE 'second'",
		"SET PASSWORD = 'fourth'",
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	wantNumber(t, f.run(t, "app", "first", "SELECT 1"), 1045)
	wantNumber(t, f.run(t, "app", "third", "SELECT 1"), 1045)
	f.mustRun(t, "app", "fourth", "SELECT 1")
}

func sha2Literal(t *testing.T, password string) string {
	t.Helper()
	salt, err := vitess.NewSalt()
	if err != nil {
		t.Fatal(err)
	}
	hash, err := vitess.SerializeCachingSha2PasswordAuthString(password, salt, 5)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("0x%x", hash)
}

func TestHashesFromTheClient(t *testing.T) {
	f := serveForTest(t, true)
	f.mustRun(t, "admin", adminPassword, "CREATE USER app IDENTIFIED BY 'first'", "GRANT CREATE USER ON *.* TO app")
	f.mustRun(t, "app", "first", "ALTER USER CURRENT_USER() IDENTIFIED WITH caching_sha2_password AS "+sha2Literal(t, "second"))
	f.mustRun(t, "app", "second", "ALTER USER CURRENT_USER() IDENTIFIED WITH 'mysql_native_password' AS '*C4E74DDDC9CC9E2FDCDB7F63B127FB638831262E'")
	wantNumber(t, f.run(t, "app", "second", "SELECT 1"), 1045)
	wantNumber(t, f.run(t, "admin", adminPassword, "ALTER USER app IDENTIFIED WITH mysql_native_password AS 'no hash'"), 1827)
	wantNumber(t, f.run(t, "admin", adminPassword, "ALTER USER app IDENTIFIED WITH caching_sha2_password AS '$A$005$short'"), 1827)
}

func TestRefusals(t *testing.T) {
	f := serveForTest(t, true)
	f.mustRun(t, "admin", adminPassword, "CREATE USER app IDENTIFIED BY 'first', other IDENTIFIED BY 'o''ther'")
	f.mustRun(t, "other", "o'ther", "SELECT 1")
	wantNumber(t, f.run(t, "app", "first", "ALTER USER other IDENTIFIED BY 'x'"), 1227)
	wantNumber(t, f.run(t, "app", "first", "SET PASSWORD FOR other = 'x'"), 1227)
	wantNumber(t, f.run(t, "app", "first", "SHOW CREATE USER other"), 1044)
	wantNumber(t, f.run(t, "app", "first", "SELECT user FROM mysql.user"), 1044)
	wantNumber(t, f.run(t, "app", "first", "DROP DATABASE app"), 1142)
	var user string // with an argument a statement is prepared first
	wantNumber(t, f.open(t, "app", "first", true).QueryRow("SELECT user FROM mysql.user WHERE user = ?", "app").Scan(&user), 1044)
	wantNumber(t, f.run(t, "app", "first", "ALTER USER USER() IDENTIFIED BY 'x' REPLACE 'wrong'"), 3892)
	wantNumber(t, f.run(t, "admin", adminPassword, "ALTER USER nobody IDENTIFIED BY 'x'"), 1396)
	f.mustRun(t, "admin", adminPassword, "ALTER USER IF EXISTS nobody IDENTIFIED BY 'x'")
	wantNumber(t, f.run(t, "admin", adminPassword, "ALTER USER app IDENTIFIED WITH parsec BY 'x'"), 1524)
	f.mustRun(t, "app", "first", "SELECT 1")
	// Dual passwords are not to be had here: refused, never half done.
	wantNumber(t, f.run(t, "admin", adminPassword, "ALTER USER app IDENTIFIED BY 'x' RETAIN CURRENT PASSWORD"), 1064)
	wantNumber(t, f.run(t, "app", "first", "ALTER USER CURRENT_USER() DISCARD OLD PASSWORD"), 1064)
	f.mustRun(t, "app", "first", "SELECT 1")
}

func TestTransport(t *testing.T) {
	f := serveForTest(t, true)
	if err := f.open(t, "admin", adminPassword, false).PingContext(t.Context()); err == nil {
		t.Error("plaintext is accepted")
	}
	g := serveForTest(t, false)
	g.mustRun(t, "admin", adminPassword, "CREATE USER app IDENTIFIED BY 'first'")
	g.mustRun(t, "app", "first", "SET PASSWORD = 'second'")
	g.mustRun(t, "app", "second", "SELECT 1")
}

func TestLogHoldsStatementsAndNoPassword(t *testing.T) {
	f := serveForTest(t, true)
	f.mustRun(t, "admin", adminPassword, "CREATE USER app IDENTIFIED BY 'plain-1'", "SELECT 'seen'")
	f.mustRun(t, "app", "plain-1", "ALTER USER USER() IDENTIFIED BY 'plain-2' REPLACE 'plain-1'", "SET PASSWORD = 'plain-3'")
	_ = f.run(t, "app", "plain-3", "ALTER USER USER() IDENTIFIED BY 'plain-4' AND NONSENSE")
	content, err := os.ReadFile(f.log)
	if err != nil {
		t.Fatal(err)
	}
	log := string(content)
	for _, want := range []string{"SELECT 'seen'", "ALTER USER USER() IDENTIFIED BY <secret> REPLACE <secret>", "SET PASSWORD = <secret>", "'app'@'%'"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	if strings.Contains(log, "plain-") || strings.Contains(log, adminPassword) {
		t.Errorf("the log holds a password:\n%s", log)
	}
}

func TestOnlyLoopback(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "example.com:3306", "127.0.0.1"} {
		if l, err := listenOnLoopback(address); err == nil {
			_ = l.Close()
			t.Errorf("%q is accepted", address)
		}
	}
}
