package dbuser

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Trace is how far the connection of one login came. Its methods may be called on
// nil.
type Trace struct {
	begun    bool
	resolved bool
	address  string // that it connected to
	tls      string // the version, once the certificate was verified
	until    string // the certificate's last day
}

func (t *Trace) dialed(conn net.Conn, err error) {
	if t == nil {
		return
	}
	var dns *net.DNSError
	t.begun, t.resolved = true, !errors.As(err, &dns)
	if err == nil {
		t.address = conn.RemoteAddr().String()
	}
}

func (t *Trace) secured(state tls.ConnectionState) error {
	t.tls = tls.VersionName(state.Version)
	if len(state.PeerCertificates) > 0 {
		t.until = state.PeerCertificates[0].NotAfter.UTC().Format("2006-01-02")
	}
	return nil
}

// The layers of a connection, in findings.
const (
	checkName    = "dns"
	checkConnect = "tcp"
	checkTLS     = "tls"
)

// findings are those of the layers below a login that ended with err, and whether
// they let it come to the login itself.
func (t *Trace) findings(s Secret, err error) (layers []rotation.Finding, good bool) {
	said := []struct {
		check, text string
		reached     bool
	}{
		{checkName, fmt.Sprintf("%s resolves", clip(s.Host)), t.resolved},
		{checkConnect, "connected to " + t.address, t.address != ""},
		{checkTLS, fmt.Sprintf("%s, verified for %s; the certificate ends on %s", t.tls, clip(s.ServerName), t.until), t.tls != ""},
	}
	if !t.begun {
		return nil, true // refused before, as the login says
	}
	if net.ParseIP(s.Host) != nil {
		said = said[1:]
	}
	for i, layer := range said {
		switch {
		case layer.check == checkTLS && s.Plaintext:
			layers = append(layers, rotation.Finding{
				Check: checkTLS, Verdict: rotation.Warn, Said: `"ssl" is false: passwords and data travel in the clear`,
				Remedy: `Turn TLS on in the server, and remove "ssl" from the secret.`,
			})
		case layer.reached:
			layers = append(layers, rotation.Found(layer.check, layer.text, nil))
		case layer.check == checkTLS && !errors.Is(err, rotation.ErrTLS):
			// The server said something before, such as that it has no connection free.
			return append(layers, rotation.Skip(layer.check, checkLogin)), true
		default:
			layers = append(layers, rotation.Found(layer.check, "", err))
			for _, above := range said[i+1:] {
				layers = append(layers, rotation.Skip(above.check, layer.check))
			}
			return layers, false
		}
	}
	return layers, true
}
