package declarative

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/shared/rotation"
)

type jwt struct {
	algorithm          string
	key, keyID         template
	claims             map[string]template
	lifetime, backdate time.Duration
}

func (c *compiler) jwt(in place, at string, j JWT) *jwt {
	out := &jwt{
		algorithm: j.Algorithm, key: c.template(in, at+".key", j.Key), keyID: c.template(in, at+".keyId", j.KeyID),
		claims: c.templates(in, at+".claims", j.Claims), lifetime: 5 * time.Minute, backdate: j.Backdate.value(),
	}
	if j.Lifetime != "" {
		out.lifetime = j.Lifetime.value()
	}
	return out
}

// sign makes a JWT: RFC 7519, RFC 7515, RFC 7518 §3, RFC 8037.
func (s *session) sign(ctx context.Context, j *jwt) (string, error) {
	key, err := s.fill(ctx, j.key)
	if err != nil {
		return "", err
	}
	s.hide.Hide(key)
	header := map[string]string{"alg": j.algorithm, "typ": "JWT"}
	if id, err := s.fill(ctx, j.keyID); err != nil {
		return "", err
	} else if id != "" {
		header["kid"] = id
	}
	filled, err := s.fillAll(ctx, j.claims)
	if err != nil {
		return "", err
	}
	claims := map[string]any{}
	for name, v := range filled {
		claims[name] = v
	}
	issued := s.now().Add(-j.backdate)
	claims["iat"], claims["exp"] = issued.Unix(), issued.Add(j.lifetime).Unix()
	if _, own := claims["jti"]; !own {
		claims["jti"] = rand.Text()
	}
	signed := encodePart(header) + "." + encodePart(claims)
	signature, err := signature(j.algorithm, key, signed)
	if err != nil {
		return "", err
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// encodePart encodes maps of text and numbers, which always have a JSON form.
func encodePart(v any) string {
	text, _ := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(text)
}

func signature(algorithm, key, text string) ([]byte, error) {
	if algorithm == "HS256" {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(text))
		return mac.Sum(nil), nil
	}
	private, err := privateKey(key)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256([]byte(text))
	switch k := private.(type) {
	case *rsa.PrivateKey:
		if algorithm == "RS256" {
			signed, err := rsa.SignPKCS1v15(nil, k, crypto.SHA256, digest[:])
			return signed, keyFault(err)
		}
	case *ecdsa.PrivateKey:
		if algorithm == "ES256" && k.Curve.Params().BitSize == 256 {
			// RFC 7518 §3.4: the two numbers, one after the other.
			r, s, err := ecdsa.Sign(rand.Reader, k, digest[:])
			if err != nil {
				return nil, keyFault(err)
			}
			out := make([]byte, 64)
			r.FillBytes(out[:32])
			s.FillBytes(out[32:])
			return out, nil
		}
	case ed25519.PrivateKey:
		if algorithm == "EdDSA" {
			return ed25519.Sign(k, []byte(text)), nil
		}
	}
	return nil, badKey("it is not a key for " + algorithm)
}

// privateKey reads PEM, in which line ends may have been written as \n.
func privateKey(text string) (any, error) {
	if !strings.Contains(text, "\n") {
		text = strings.ReplaceAll(text, `\n`, "\n")
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, badKey("it is not PEM")
	}
	if k, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		return k, nil
	}
	if k, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return k, nil
	}
	if k, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return k, nil
	}
	return nil, badKey("it is neither PKCS #8 nor PKCS #1 nor SEC 1, or it is encrypted (the block is " + strconv.Quote(block.Type) + ")")
}

func badKey(why string) error {
	return rotation.WithHint(fmt.Errorf("signing a JWT: the private key cannot be used: %s: %w", why, rotation.ErrConfig),
		"Store the private key as the vendor gave it: PEM, with its line ends.")
}

// keyFault hides the text of an error about a key.
func keyFault(err error) error {
	if err == nil {
		return nil
	}
	return badKey("it does not sign")
}
