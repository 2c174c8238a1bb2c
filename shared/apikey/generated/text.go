package generated

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"

	"github.com/rekey-aws/rekey/shared/apikey"
)

// Formats of generated-string.
const (
	alphanumeric = "alphanumeric" // length characters
	hexFormat    = "hex"          // of length bytes
	base64Format = "base64"       // standard, padded, of length bytes: HMAC keys
	base64URL    = "base64url"    // without padding, of length bytes
	uuid         = "uuid"         // version 4
)

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

var stringKind = kind{
	name: "generated-string", fields: []string{"value"},
	settings: map[string]setting{
		"format": {alphanumeric, oneOf(alphanumeric, hexFormat, base64Format, base64URL, uuid)},
		// Of characters, or of bytes before they are encoded: never less than 128 bits.
		"length": {"43", between(22, 4096)},
		"prefix": {"", func(s string) string {
			if len(s) <= 64 {
				return ""
			}
			return "at most 64 characters"
		}},
	},
	generate: func(_ Config, settings map[string]string, _, _ apikey.Material) (map[string]string, error) {
		n := number(settings, "length")
		value := ""
		switch settings["format"] {
		case hexFormat:
			value = hex.EncodeToString(random(n))
		case base64Format:
			value = base64.StdEncoding.EncodeToString(random(n))
		case base64URL:
			value = base64.RawURLEncoding.EncodeToString(random(n))
		case uuid:
			b := random(16)
			b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // RFC 9562, section 5.4
			value = fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
		default:
			text := make([]byte, n)
			for i := range text {
				c, _ := rand.Int(rand.Reader, big.NewInt(int64(len(letters)))) // it never fails
				text[i] = letters[c.Int64()]
			}
			value = string(text)
		}
		return map[string]string{"value": settings["prefix"] + value}, nil
	},
	verify: func(_ Config, settings map[string]string, parts map[string]string) error {
		if len(parts["value"]) < 22 {
			return wrong(`the key "value" is shorter than this function makes them`)
		}
		return nil
	},
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return b
}
