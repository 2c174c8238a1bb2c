// Package publicaddr keeps connections to the internet's addresses. Where a secret or a setting
// says whom a function speaks to, whoever may write it could otherwise have the function speak
// to what only the function reaches.
package publicaddr

import (
	"fmt"
	"net/netip"
	"syscall"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Control is a [net.Dialer]'s. It is called with the address that is about to be connected to,
// after DNS, so that a name cannot resolve to one thing when it is checked and to another when
// it is used. It refuses with an [Error].
func Control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !Is(to.Addr()) {
		return &Error{to.Addr()}
	}
	return nil
}

// Error is that a name led to an address that is not of the internet.
type Error struct{ Addr netip.Addr }

func (e *Error) Error() string {
	return fmt.Sprintf("its address %s is private: %v", e.Addr, rotation.ErrConfig)
}

// Unwrap is [rotation.ErrConfig].
func (e *Error) Unwrap() error { return rotation.ErrConfig }

// special are addresses that are not of the internet, beyond those that package netip tells.
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

// translated holds IPv4 addresses in its last 32 bits: https://www.rfc-editor.org/rfc/rfc6052
var translated = netip.MustParsePrefix("64:ff9b::/96")

// Is tells addresses of the internet.
func Is(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if translated.Contains(ip) {
		bits := ip.As16()
		ip = netip.AddrFrom4([4]byte(bits[12:]))
	}
	if !ip.IsGlobalUnicast() || ip.IsPrivate() { // loopback and link-local are no global unicast
		return false
	}
	for _, p := range special {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}
