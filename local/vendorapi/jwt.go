package vendorapi

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"sync"
	"time"
)

// signer is the one RSA key pair of all accounts: making one takes long, and a key is
// told from another by its id. It is as short as Go allows, because tests sign often;
// vendors' have 2,048 bits.
var signer = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		panic(err)
	}
	return key
})

// signerPEM is the key pair as vendors hand it out: PKCS #8.
var signerPEM = sync.OnceValue(func() string {
	der, err := x509.MarshalPKCS8PrivateKey(signer())
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
})

// jwt is a token that somebody signed (RFC 7519).
type jwt struct {
	keyID  string
	claims object
}

// readJWT verifies an RS256 signature and the times; nil if anything is wrong. Vendors
// take tokens that live for an hour at most.
func readJWT(text string, now time.Time, most time.Duration) *jwt {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil
	}
	var header struct{ Alg, Kid string }
	claims := object{}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !decode(parts[0], &header) || !decode(parts[1], &claims) || header.Alg != "RS256" {
		return nil
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(&signer().PublicKey, crypto.SHA256, sum[:], signature) != nil {
		return nil
	}
	issued, _ := claims["iat"].(float64)
	expires, _ := claims["exp"].(float64)
	from, until := time.Unix(int64(issued), 0), time.Unix(int64(expires), 0)
	if now.Before(from.Add(-time.Second)) || !now.Before(until) || until.Sub(from) > most {
		return nil
	}
	return &jwt{keyID: header.Kid, claims: claims}
}

func decode(part string, into any) bool {
	content, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(content, into) == nil
}
