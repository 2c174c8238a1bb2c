package rdsca

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"os"
	"testing"
)

func TestBundleIsTheOneRecorded(t *testing.T) {
	raw, err := os.ReadFile("bundle.json")
	if err != nil {
		t.Fatal(err)
	}
	var source struct {
		Certificates int
		BundleSHA256 string
	}
	if err := json.Unmarshal(raw, &source); err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(bundle); hex.EncodeToString(sum[:]) != source.BundleSHA256 {
		t.Error("bundle.pem is not what bundle.json records: run go generate ./shared/rdsca")
	}
	count := 0
	for rest := bundle; ; count++ {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if !c.IsCA {
			t.Errorf("%s is not an authority", c.Subject)
		}
	}
	if count != source.Certificates || count < 100 {
		t.Errorf("%d certificates, recorded %d", count, source.Certificates)
	}
}

func TestPoolIsMadeOnce(t *testing.T) {
	if Pool() != Pool() {
		t.Error("the bundle is parsed again at each call")
	}
}
