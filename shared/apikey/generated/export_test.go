package generated

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"testing"
	"time"
)

// ThumbprintRSA is the id of a public key in a set.
func ThumbprintRSA(t *testing.T, n string, e int) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(n)
	if err != nil {
		t.Fatal(err)
	}
	return publish(&rsa.PublicKey{N: new(big.Int).SetBytes(raw), E: e}).Kid
}

// Authority makes a certificate authority, both parts in PEM.
func Authority(t *testing.T) (key, certificate string) {
	t.Helper()
	k, err := newKey("ecdsa-p256")
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	private, _, err := encode(k)
	if err != nil {
		t.Fatal(err)
	}
	return private, block("CERTIFICATE", der)
}
