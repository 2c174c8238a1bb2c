// Package vendorproxy is an HTTPS proxy that leads every host to one handler: a
// function that is told to use it (HTTPS_PROXY, SSL_CERT_FILE) speaks to a
// stand-in as if it were the vendor, by the vendor's name, over verified TLS.
//
// It is for tests and for one machine: whoever trusts its authority trusts it
// for every host.
package vendorproxy

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Proxy is a running proxy. Its methods may be called from several goroutines.
type Proxy struct {
	listener net.Listener
	server   *http.Server // of what is behind the tunnels
	tunnels  *tunnels
	key      *ecdsa.PrivateKey
	ca       *x509.Certificate
	caFile   string

	mu    sync.Mutex
	certs map[string]*tls.Certificate
	hosts []string
}

// Start listens on a free port of the loopback and writes the certificate of its
// authority to dir. Close it.
func Start(handler http.Handler, dir string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: l, tunnels: newTunnels(l.Addr()), certs: map[string]*tls.Certificate{}, caFile: filepath.Join(dir, "vendorproxy-ca.pem")}
	if err := p.authority(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	p.server = &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: p.certificate},
	}
	go func() { _ = p.server.ServeTLS(p.tunnels, "", "") }() // until Close
	go p.accept()
	return p, nil
}

// URL is what HTTPS_PROXY is set to.
func (p *Proxy) URL() string { return "http://" + p.listener.Addr().String() }

// CAFile is what SSL_CERT_FILE is set to.
func (p *Proxy) CAFile() string { return p.caFile }

// Hosts are the hosts that were asked for, in order, each as often as it was.
func (p *Proxy) Hosts() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.hosts...)
}

// Close ends the proxy and every connection through it.
func (p *Proxy) Close() error {
	return errors.Join(p.listener.Close(), p.server.Close())
}

// accept turns connections into tunnels.
func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		go p.connect(c)
	}
}

// connect answers one CONNECT (RFC 9110 §9.3.6) and hands the connection over.
func (p *Proxy) connect(c net.Conn) {
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	in := bufio.NewReader(c)
	r, err := http.ReadRequest(in)
	if err != nil || r.Method != http.MethodConnect || in.Buffered() > 0 {
		_, _ = fmt.Fprint(c, "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\n\r\n")
		_ = c.Close()
		return
	}
	p.mu.Lock()
	p.hosts = append(p.hosts, r.Host)
	p.mu.Unlock()
	if _, err := fmt.Fprint(c, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		_ = c.Close()
		return
	}
	_ = c.SetDeadline(time.Time{})
	p.tunnels.hand(c)
}

// authority makes the certificate that signs the others.
func (p *Proxy) authority() error {
	var err error
	if p.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "rekey vendorproxy"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &p.key.PublicKey, p.key)
	if err != nil {
		return err
	}
	if p.ca, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	return os.WriteFile(p.caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
}

// certificate makes one for the host that is asked for.
func (p *Proxy) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	host := hello.ServerName
	if c := p.certs[host]; c != nil {
		return c, nil
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(p.certs) + 2)), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: p.ca.NotBefore, NotAfter: p.ca.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, p.ca, &p.key.PublicKey, p.key)
	if err != nil {
		return nil, err
	}
	p.certs[host] = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: p.key}
	return p.certs[host], nil
}

// tunnels is a listener of connections that were made elsewhere.
type tunnels struct {
	made   chan net.Conn
	closed chan struct{}
	once   sync.Once
	addr   net.Addr
}

func newTunnels(addr net.Addr) *tunnels {
	return &tunnels{made: make(chan net.Conn), closed: make(chan struct{}), addr: addr}
}

func (t *tunnels) hand(c net.Conn) {
	select {
	case t.made <- c:
	case <-t.closed:
		_ = c.Close()
	}
}

// Accept implements [net.Listener].
func (t *tunnels) Accept() (net.Conn, error) {
	select {
	case c := <-t.made:
		return c, nil
	case <-t.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (t *tunnels) Close() error {
	t.once.Do(func() { close(t.closed) })
	return nil
}

// Addr implements [net.Listener].
func (t *tunnels) Addr() net.Addr { return t.addr }
