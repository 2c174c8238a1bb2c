package generated

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/rotation"
)

var algorithm = setting{"ed25519", oneOf("ed25519", "ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096")}

// signer is a private key with its public one.
type signer interface {
	crypto.Signer
	Public() crypto.PublicKey
}

func newKey(algorithm string) (key signer, err error) {
	switch algorithm {
	case "ecdsa-p256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ecdsa-p384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "rsa-2048":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "rsa-3072":
		key, err = rsa.GenerateKey(rand.Reader, 3072)
	case "rsa-4096":
		key, err = rsa.GenerateKey(rand.Reader, 4096)
	default:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", rotation.ErrInternal)
	}
	return key, nil
}

// encode is a private key as PKCS #8, and its public one as SubjectPublicKeyInfo,
// both PEM: what every library reads.
func encode(key signer) (private, public string, err error) {
	p, perr := x509.MarshalPKCS8PrivateKey(key)
	q, qerr := x509.MarshalPKIXPublicKey(key.Public())
	if errors.Join(perr, qerr) != nil {
		return "", "", fmt.Errorf("encoding a key: %w", rotation.ErrInternal)
	}
	return block("PRIVATE KEY", p), block("PUBLIC KEY", q), nil
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// decode reads a private key as encode writes it.
func decode(private string) (signer, error) {
	b, rest := pem.Decode([]byte(private))
	if b == nil || len(rest) > 0 || b.Type != "PRIVATE KEY" {
		return nil, errNoKey
	}
	key, err := x509.ParsePKCS8PrivateKey(b.Bytes)
	if err != nil {
		return nil, errNoKey
	}
	s, ok := key.(signer)
	if !ok {
		return nil, errNoKey
	}
	return s, nil
}

var errNoKey = errors.New("it is not one private key in PEM, PKCS #8")

// thumbprint identifies a public key.
func thumbprint(public crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

var keyPairKind = kind{
	name: "generated-key-pair", fields: []string{"privateKey", "publicKey", "keyId"}, public: []string{"publicKey", "keyId"}, id: "keyId",
	settings: map[string]setting{"algorithm": algorithm},
	generate: func(_ Config, settings map[string]string, _, _ apikey.Material) (map[string]string, error) {
		key, err := newKey(settings["algorithm"])
		if err != nil {
			return nil, err
		}
		private, public, err := encode(key)
		return map[string]string{"privateKey": private, "publicKey": public, "keyId": thumbprint(key.Public())}, err
	},
	verify: func(_ Config, _ map[string]string, parts map[string]string) error {
		key, err := decode(parts["privateKey"])
		if err != nil {
			return wrong(`the key "privateKey": %v`, err)
		}
		if _, public, err := encode(key); err != nil || public != parts["publicKey"] || thumbprint(key.Public()) != parts["keyId"] {
			return wrong(`"publicKey" and "keyId" are not those of "privateKey"`)
		}
		return nil
	},
}
