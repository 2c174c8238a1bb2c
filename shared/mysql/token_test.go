package mysql_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/mysql"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// clearText stands in for a server whose account has the plugin of IAM: it asks
// for the password in the clear. (Neither MySQL nor MariaDB has such a plugin
// that works without the machine's PAM.) What it was sent, it tells.
//
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
func clearText(t *testing.T, withTLS bool) (port int, roots *x509.CertPool, sent <-chan string) {
	t.Helper()
	certificate, roots := selfSigned(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan string, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			told <- "no connection"
			return
		}
		defer conn.Close()
		told <- handshake(conn, certificate, withTLS)
	}()
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().(*net.TCPAddr).Port, roots, told
}

// handshake is the server's side of a login; it returns all that came after the
// request for a password in the clear.
func handshake(conn net.Conn, certificate tls.Certificate, withTLS bool) string {
	const ( // capabilities
		protocol41, ssl, secure, plugins = 1 << 9, 1 << 11, 1 << 15, 1 << 19
		longPassword, connectWithDB      = 1, 1 << 3
	)
	capabilities := uint32(protocol41 | secure | plugins | longPassword | connectWithDB)
	if withTLS {
		capabilities |= ssl
	}
	greeting := []byte("\x0a9.0.0\x00\x01\x00\x00\x0012345678\x00")
	greeting = binary.LittleEndian.AppendUint16(greeting, uint16(capabilities))
	greeting = append(greeting, 45, 2, 0)
	greeting = binary.LittleEndian.AppendUint16(greeting, uint16(capabilities>>16))
	greeting = append(greeting, 21)
	greeting = append(greeting, make([]byte, 10)...)
	greeting = append(greeting, "901234567890\x00mysql_native_password\x00"...)
	send(conn, 0, greeting)
	sequence := byte(1)
	peer := conn // read without a buffer, which could swallow the beginning of TLS
	if withTLS {
		if _, err := receive(peer); err != nil { // the request for TLS
			return err.Error()
		}
		secured := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
		peer, sequence = secured, 2
	}
	if _, err := receive(peer); err != nil { // the user's name
		return "no login"
	}
	send(peer, sequence+1, []byte("\xfemysql_clear_password\x00"))
	password, err := receive(peer)
	if err != nil {
		return ""
	}
	send(peer, sequence+3, []byte{0, 0, 0, 2, 0, 0, 0})
	_, _ = receive(peer) // the end
	return string(bytes.TrimSuffix(password, []byte{0}))
}

func send(w io.Writer, sequence byte, packet []byte) {
	n := len(packet)
	_, _ = w.Write(append([]byte{byte(n), byte(n >> 8), byte(n >> 16), sequence}, packet...))
}

func receive(r io.Reader) ([]byte, error) {
	var header [4]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	packet := make([]byte, int(header[0])|int(header[1])<<8|int(header[2])<<16)
	_, err := io.ReadFull(r, packet)
	return packet, err
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, DNSNames: []string{"db.abc.us-east-1.rds.amazonaws.com"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// A token is sent in the clear over verified TLS; a password never is, and
// neither without TLS.
func TestToken(t *testing.T) {
	for name, c := range map[string]struct {
		token, withTLS bool
		want           string
	}{
		"token":               {true, true, "a-token-of-IAM"},
		"password":            {false, true, ""},
		"token, plaintext":    {true, false, ""},
		"password, plaintext": {false, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			port, roots, sent := clearText(t, c.withTLS)
			session, err := mysql.Driver{Roots: roots}.Login(t.Context(), dbuser.Login{
				Host: "127.0.0.1", Port: port, ServerName: "db.abc.us-east-1.rds.amazonaws.com", Username: "rekey_admin",
				Password: rotation.TextValue("a-token-of-IAM"), Token: c.token, Plaintext: !c.withTLS,
			})
			if err == nil {
				session.Close()
			}
			if (err == nil) != (c.want != "") || err != nil && (!errors.Is(err, rotation.ErrConfig) || strings.Contains(err.Error(), "a-token")) {
				t.Errorf("got %v", err)
			}
			if got := <-sent; got != c.want {
				t.Errorf("the server was sent %q, want %q", got, c.want)
			}
		})
	}
	port, _, sent := clearText(t, true)
	_, err := mysql.Driver{Roots: x509.NewCertPool()}.Login(t.Context(), dbuser.Login{
		Host: "127.0.0.1", Port: port, ServerName: "db.abc.us-east-1.rds.amazonaws.com", Username: "rekey_admin", Password: rotation.TextValue("a-token-of-IAM"), Token: true,
	})
	if got := <-sent; !errors.Is(err, rotation.ErrTLS) || strings.Contains(got, "a-token") {
		t.Errorf("TLS that is not verified: %v, and it was sent %q", err, got)
	}
}
