package generated

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// certificateKind has TLS certificates. With an administrator's secret, its
// authority signs what a certificate request asks for; else they sign themselves.
var certificateKind = kind{
	name: "generated-certificate", fields: []string{"privateKey", "certificate"}, public: []string{"certificate"},
	admin: []string{"caPrivateKey", "caCertificate"},
	settings: map[string]setting{
		"algorithm":  {"ecdsa-p256", algorithm.check},
		"commonName": {"", name},
		"dnsNames":   {"", names}, // separated by commas; addresses too
		"days":       {"90", between(1, 825)},
	},
	generate: func(c Config, settings map[string]string, admin, _ apikey.Material) (map[string]string, error) {
		if settings["commonName"] == "" && settings["dnsNames"] == "" {
			return nil, badKey("dnsNames", "is missing", "the names that the certificate bears, separated by commas")
		}
		key, err := newKey(settings["algorithm"])
		if err != nil {
			return nil, err
		}
		request, err := certificateRequest(key, settings)
		if err != nil {
			return nil, err
		}
		chain, err := sign(c, request, key, number(settings, "days"), admin)
		if err != nil {
			return nil, err
		}
		private, _, err := encode(key)
		return map[string]string{"privateKey": private, "certificate": chain}, err
	},
	verify: func(c Config, settings map[string]string, parts map[string]string) error {
		key, err := decode(parts["privateKey"])
		if err != nil {
			return wrong(`the key "privateKey": %v`, err)
		}
		leaf, err := certificateOf(parts["certificate"])
		switch now := c.Now(); {
		case err != nil:
			return wrong(`the key "certificate": %v`, err)
		case thumbprint(leaf.PublicKey) != thumbprint(key.Public()):
			return wrong(`"certificate" is not the one of "privateKey"`)
		case now.Before(leaf.NotBefore) || now.After(leaf.NotAfter):
			return wrong("the certificate is valid from %s to %s", leaf.NotBefore.Format(time.DateOnly), leaf.NotAfter.Format(time.DateOnly))
		}
		for _, host := range list(settings["dnsNames"]) {
			if leaf.VerifyHostname(host) != nil && !strings.HasPrefix(host, "*.") {
				return wrong("the certificate does not bear the name %q", host)
			}
		}
		return nil
	},
}

func name(s string) string {
	if len(s) <= 64 {
		return ""
	}
	return "at most 64 characters"
}

func names(s string) string {
	all := list(s)
	for _, n := range all {
		if n == "" || len(n) > 253 || strings.ContainsAny(n, " /\\@:\"'") && net.ParseIP(n) == nil {
			return "names of hosts, separated by commas"
		}
	}
	if len(all) > 100 {
		return "at most 100 names"
	}
	return ""
}

func list(s string) []string {
	if s == "" {
		return nil
	}
	all := strings.Split(s, ",")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}

func certificateRequest(key signer, settings map[string]string) (*x509.CertificateRequest, error) {
	r := &x509.CertificateRequest{Subject: pkix.Name{CommonName: settings["commonName"]}}
	for _, n := range list(settings["dnsNames"]) {
		if ip := net.ParseIP(n); ip != nil {
			r.IPAddresses = append(r.IPAddresses, ip)
		} else {
			r.DNSNames = append(r.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, r, key)
	if err != nil {
		return nil, badKey("dnsNames", "cannot stand in a certificate", "names of hosts")
	}
	return x509.ParseCertificateRequest(der)
}

// backdate allows for clocks that are behind.
const backdate = 5 * time.Minute

// sign makes the certificate, and returns it with its authority's behind it.
func sign(c Config, r *x509.CertificateRequest, key signer, days int, admin apikey.Material) (string, error) {
	if err := r.CheckSignature(); err != nil {
		return "", fmt.Errorf("making a certificate request: %w", rotation.ErrInternal)
	}
	template := &x509.Certificate{
		Subject: r.Subject, DNSNames: r.DNSNames, IPAddresses: r.IPAddresses,
		NotBefore: c.Now().Add(-backdate), NotAfter: c.Now().AddDate(0, 0, days),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	} // the serial number is a random one
	parent, parentKey, behind := template, key, ""
	if len(admin) > 0 {
		var err error
		if parent, parentKey, err = authority(admin, c.Now()); err != nil {
			return "", err
		}
		behind = block("CERTIFICATE", parent.Raw)
		if template.NotAfter.After(parent.NotAfter) {
			template.NotAfter = parent.NotAfter
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, r.PublicKey, parentKey)
	if err != nil {
		return "", fmt.Errorf("signing the certificate: %w", rotation.ErrConfig)
	}
	return block("CERTIFICATE", der) + behind, nil
}

// authority reads the certificate authority of the administrator's secret.
func authority(admin apikey.Material, now time.Time) (*x509.Certificate, signer, error) {
	bad := func(what string) error {
		return rotation.WithHint(fmt.Errorf("reading the authority in the administrator's secret: %s: %w", what, rotation.ErrConfig),
			`"caCertificate" and "caPrivateKey" must be the PEM of a certificate authority and of its key (PKCS #8).`)
	}
	key, err := decode(admin.Text("caPrivateKey"))
	if err != nil {
		return nil, nil, bad(err.Error())
	}
	certificate, err := certificateOf(admin.Text("caCertificate"))
	switch {
	case err != nil:
		return nil, nil, bad(err.Error())
	case !certificate.IsCA:
		return nil, nil, bad("the certificate is no authority's")
	case thumbprint(certificate.PublicKey) != thumbprint(key.Public()):
		return nil, nil, bad("certificate and key do not belong together")
	case now.After(certificate.NotAfter):
		return nil, nil, bad("the certificate has expired on " + certificate.NotAfter.Format(time.DateOnly))
	}
	return certificate, key, nil
}

// certificateOf is the first certificate of a chain.
func certificateOf(chain string) (*x509.Certificate, error) {
	b, _ := pem.Decode([]byte(chain))
	if b == nil || b.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("it is no certificate in PEM")
	}
	c, err := x509.ParseCertificate(b.Bytes)
	if err != nil {
		return nil, fmt.Errorf("it is no certificate")
	}
	return c, nil
}
