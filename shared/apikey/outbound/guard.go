package outbound

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"

	"github.com/rekey-aws/rekey/shared/publicaddr"
)

// guard refuses connections to private addresses, but for hosts that may have them
// and the proxies in use.
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
		if ip, perr := netip.ParseAddr(r.URL.Hostname()); perr == nil && !g.private[r.URL.Hostname()] && !publicaddr.Is(ip) {
			return nil, &publicaddr.Error{Addr: ip}
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
		d.Control = publicaddr.Control
	}
	return d.DialContext(ctx, network, address)
}
