package generated

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// jwk is a public key as RFC 7517 and RFC 8037 have it. Without use and alg, in
// this order of members, it is what RFC 7638 hashes for the thumbprint.
type jwk struct {
	Crv string `json:"crv,omitempty"`
	E   string `json:"e,omitempty"`
	Kty string `json:"kty"`
	N   string `json:"n,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
}

type published struct {
	jwk
	Kid string `json:"kid"`
	Use string `json:"use"`
	Alg string `json:"alg"`
}

type keySet struct {
	Keys []published `json:"keys"`
}

// jwksKind has keys that sign, and the set of those that verify. The set holds the
// current key, the one before, whose tokens are still about, and the next one, so
// that who keeps the set for a while knows a key before anything is signed with it.
var jwksKind = kind{
	name: "generated-jwks", fields: []string{"privateKey", "keyId", "nextPrivateKey", "jwks"}, public: []string{"keyId", "jwks"}, id: "keyId",
	settings: map[string]setting{"algorithm": {"ecdsa-p256", algorithm.check}},
	generate: func(_ Config, settings map[string]string, _, current apikey.Material) (map[string]string, error) {
		// Whatever cannot be read is of another time: the set begins anew.
		key, err := decode(current.Text("nextPrivateKey"))
		if err != nil {
			if key, err = newKey(settings["algorithm"]); err != nil {
				return nil, err
			}
		}
		next, err := newKey(settings["algorithm"])
		if err != nil {
			return nil, err
		}
		set := keySet{Keys: []published{publish(key.Public()), publish(next.Public())}}
		if old, err := decode(current.Text("privateKey")); err == nil {
			set.Keys = append(set.Keys, publish(old.Public()))
		}
		text, err := json.Marshal(set)
		if err != nil {
			return nil, fmt.Errorf("encoding the key set: %w", rotation.ErrInternal)
		}
		private, _, err := encode(key)
		if err != nil {
			return nil, err
		}
		nextPrivate, _, err := encode(next)
		return map[string]string{"privateKey": private, "keyId": set.Keys[0].Kid, "nextPrivateKey": nextPrivate, "jwks": string(text)}, err
	},
	verify: func(_ Config, _ map[string]string, parts map[string]string) error {
		key, err := decode(parts["privateKey"])
		if err != nil {
			return wrong(`the key "privateKey": %v`, err)
		}
		next, err := decode(parts["nextPrivateKey"])
		if err != nil {
			return wrong(`the key "nextPrivateKey": %v`, err)
		}
		var set keySet
		if json.Unmarshal([]byte(parts["jwks"]), &set) != nil || len(set.Keys) < 2 ||
			set.Keys[0] != publish(key.Public()) || set.Keys[1] != publish(next.Public()) || set.Keys[0].Kid != parts["keyId"] {
			return wrong(`"jwks" and "keyId" are not those of "privateKey" and "nextPrivateKey"`)
		}
		return nil
	},
}

// publish is a public key in a set. Its id is its thumbprint, RFC 7638.
func publish(public crypto.PublicKey) published {
	p := published{Use: "sig"}
	switch k := public.(type) {
	case ed25519.PublicKey:
		p.jwk, p.Alg = jwk{Kty: "OKP", Crv: "Ed25519", X: b64(k)}, "EdDSA"
	case *ecdsa.PublicKey:
		raw, _ := k.Bytes() // 4, X, Y; of a key that was made or parsed
		half := len(raw) / 2
		p.jwk, p.Alg = jwk{Kty: "EC", Crv: k.Curve.Params().Name, X: b64(raw[1 : 1+half]), Y: b64(raw[1+half:])}, "ES256"
		if half > 32 {
			p.Alg = "ES384"
		}
	case *rsa.PublicKey:
		p.jwk, p.Alg = jwk{Kty: "RSA", N: b64(k.N.Bytes()), E: b64(big.NewInt(int64(k.E)).Bytes())}, "RS256"
	}
	text, _ := json.Marshal(p.jwk) // texts
	sum := sha256.Sum256(text)
	p.Kid = b64(sum[:])
	return p
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
