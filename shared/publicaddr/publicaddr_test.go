package publicaddr

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/rekey-aws/rekey/shared/rotation"
)

func TestIs(t *testing.T) {
	for _, ip := range []string{"8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::808:808", "2a00:1450::1", "172.32.0.1", "100.128.0.1"} {
		if !Is(netip.MustParseAddr(ip)) {
			t.Errorf("%s is not public", ip)
		}
	}
	for _, ip := range []string{
		"127.0.0.1", "::1", "0.0.0.0", "::", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "fe80::1%eth0", "fd00:ec2::254",
		"::ffff:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::1", "100.64.0.1", "224.0.0.1", "ff02::1", "255.255.255.255",
	} {
		if Is(netip.MustParseAddr(ip)) {
			t.Errorf("%s is public", ip)
		}
	}
}

func TestControl(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	_, err = (&net.Dialer{Control: Control}).DialContext(t.Context(), "tcp", net.JoinHostPort("localhost", port))
	if private := (*Error)(nil); !errors.As(err, &private) || !errors.Is(err, rotation.ErrConfig) {
		t.Errorf("got %v", err)
	}
}
