package postgres

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// A verifier is what the server stores of a password. Computed here, it lets
// the password stay on this side: no statement, and so no log and no
// pg_stat_activity, ever holds it.

const (
	scramSaltLength = 16
	scramIterations = 4096 // the server's default, and the least that RFC 7677 allows
)

// scramVerifier is SCRAM-SHA-256's, as pg_authid stores it. The password must
// be ASCII: SASLprep leaves that as it is.
//
// https://www.rfc-editor.org/rfc/rfc5802#section-3
// https://www.postgresql.org/docs/current/catalog-pg-authid.html
func scramVerifier(password string, salt []byte, iterations int) (string, error) {
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	clientKey := sign(salted, "Client Key")
	storedKey := sha256.Sum256(clientKey)
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, b64(salt), b64(storedKey[:]), b64(sign(salted, "Server Key"))), nil
}

func sign(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}

// md5Verifier is for servers that are set to md5: their clients may know
// nothing newer.
func md5Verifier(password, user string) string {
	sum := md5.Sum([]byte(password + user))
	return "md5" + hex.EncodeToString(sum[:])
}

func newSalt() []byte {
	salt := make([]byte, scramSaltLength)
	_, _ = rand.Read(salt) // never fails, see crypto/rand
	return salt
}
