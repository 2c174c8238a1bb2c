package outbound

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// guard refuses connections to private addresses. It looks at the address that
// is dialled, after DNS, so that a name cannot resolve to one thing when it is
// checked and to another when it is used.
type guard struct {
	private map[string]bool // hosts that may have private addresses
	proxies sync.Map        // "host:port" of the proxies in use
}

// through notes which proxies are used: they may be anywhere.
func (g *guard) through(proxy func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	if proxy == nil {
		return nil
	}
	return func(r *http.Request) (*url.URL, error) {
		u, err := proxy(r)
		if u == nil || err != nil {
			return u, err
		}
		if ip, perr := netip.ParseAddr(r.URL.Hostname()); perr == nil && !g.private[r.URL.Hostname()] && !public(ip) {
			return nil, &privateError{ip}
		}
		g.proxies.Store(proxyAddress(u), true)
		return u, nil
	}
}

// proxyAddress is what the transport dials for a proxy.
func proxyAddress(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := &net.Dialer{Timeout: dialing}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if _, proxy := g.proxies.Load(address); !proxy && !g.private[strings.ToLower(strings.TrimSuffix(host, "."))] {
		d.Control = control
	}
	return d.DialContext(ctx, network, address)
}

// control is called with the address that is about to be connected to.
func control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !public(to.Addr()) {
		return &privateError{to.Addr()}
	}
	return nil
}

// special are addresses that are not of the internet, beyond those that
// package netip tells.
//
// https://www.iana.org/assignments/iana-ipv4-special-registry
// https://www.iana.org/assignments/iana-ipv6-special-registry
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("fec0::/10"),
}

// translated holds IPv4 addresses in its last 32 bits (RFC 6052).
var translated = netip.MustParsePrefix("64:ff9b::/96")

// public tells addresses of the internet.
func public(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if translated.Contains(ip) {
		bits := ip.As16()
		ip = netip.AddrFrom4([4]byte(bits[12:]))
	}
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range special {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

// privateError is that a name led to an address that is not of the internet.
type privateError struct{ ip netip.Addr }

func (e *privateError) Error() string {
	return fmt.Sprintf("its address %s is private: %v", e.ip, rotation.ErrConfig)
}
func (e *privateError) Unwrap() error { return rotation.ErrConfig }
