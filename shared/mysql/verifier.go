package mysql

import (
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"filippo.io/edwards25519"
)

// A verifier is what a server stores of a password. Computed here, it lets the
// password stay on this side: no statement, and so no log, ever holds it.

// nativeVerifier is mysql_native_password's: "*" and the hexadecimal
// SHA1(SHA1(password)).
//
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_authentication_methods_native_password_authentication.html
func nativeVerifier(password string) string {
	once := sha1.Sum([]byte(password))
	twice := sha1.Sum(once[:])
	return "*" + strings.ToUpper(hex.EncodeToString(twice[:]))
}

// ed25519Verifier is that of MariaDB's ed25519 plugin: the public key whose
// secret is the clamped first half of SHA-512(password), in unpadded base64.
//
// https://mariadb.com/kb/en/authentication-plugin-ed25519/
func ed25519Verifier(password string) string {
	h := sha512.Sum512([]byte(password))
	s, err := edwards25519.NewScalar().SetBytesWithClamping(h[:32])
	if err != nil {
		panic("ed25519: a scalar of 32 bytes was refused") // the length is fixed above
	}
	return base64.RawStdEncoding.EncodeToString(new(edwards25519.Point).ScalarBaseMult(s).Bytes())
}

const cachingSHA2SaltLength = 20

// cachingSHA2Verifier is caching_sha2_password's: "$A$", the rounds divided by
// 1000 as three hexadecimal digits, "$", a 20-byte salt, and the digest of Unix
// sha256-crypt over password and the whole salt.
//
// https://dev.mysql.com/doc/refman/8.4/en/caching-sha2-pluggable-authentication.html
func cachingSHA2Verifier(password, salt string, rounds int) string {
	return fmt.Sprintf("$A$%03X$%s%s", rounds/1000, salt, sha256Crypt(password, salt, rounds))
}

// newSalt draws a salt from the alphabet of crypt(3): printable, without "$".
func newSalt() string {
	raw := make([]byte, cachingSHA2SaltLength)
	_, _ = rand.Read(raw) // never fails, see crypto/rand
	for i, b := range raw {
		raw[i] = crypt64[b&63]
	}
	return string(raw)
}

const crypt64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// sha256Crypt is the digest of Unix sha256-crypt, in crypt(3)'s base 64, by
// Drepper's specification, but for the salt: libraries cut it at 16 bytes, and
// MySQL hashes all 20.
//
// https://www.akkadia.org/drepper/SHA-crypt.txt (the numbers are its steps)
func sha256Crypt(password, salt string, rounds int) string {
	key, slt := []byte(password), []byte(salt)

	b := sha256.New() // 4–8
	b.Write(key)
	b.Write(slt)
	b.Write(key)
	digestB := b.Sum(nil)

	a := sha256.New() // 1–3, 9–12
	a.Write(key)
	a.Write(slt)
	a.Write(stretch(digestB, len(key)))
	for n := len(key); n > 0; n >>= 1 {
		if n&1 != 0 {
			a.Write(digestB)
		} else {
			a.Write(key)
		}
	}
	digest := a.Sum(nil)

	dp := sha256.New() // 13–16
	for range key {
		dp.Write(key)
	}
	p := stretch(dp.Sum(nil), len(key))

	ds := sha256.New() // 17–20
	for range 16 + int(digest[0]) {
		ds.Write(slt)
	}
	s := stretch(ds.Sum(nil), len(slt))

	for i := range rounds { // 21
		c := sha256.New()
		c.Write(either(i%2 != 0, p, digest))
		if i%3 != 0 {
			c.Write(s)
		}
		if i%7 != 0 {
			c.Write(p)
		}
		c.Write(either(i%2 != 0, digest, p))
		digest = c.Sum(digest[:0])
	}
	return encodeCrypt(digest)
}

// stretch repeats a digest to n bytes.
func stretch(digest []byte, n int) []byte {
	out := make([]byte, 0, n+len(digest))
	for len(out) < n {
		out = append(out, digest...)
	}
	return out[:n]
}

func either(first bool, a, b []byte) []byte {
	if first {
		return a
	}
	return b
}

// encodeCrypt is step 22: three bytes at a time in the specification's order,
// six bits a character, the lowest first.
func encodeCrypt(d []byte) string {
	var out strings.Builder
	put := func(w uint32, chars int) {
		for range chars {
			out.WriteByte(crypt64[w&63])
			w >>= 6
		}
	}
	x, y, z := 0, 10, 20
	for range 10 {
		put(uint32(d[x])<<16|uint32(d[y])<<8|uint32(d[z]), 4)
		x, y, z = z+1, x+1, y+1
	}
	put(uint32(d[31])<<8|uint32(d[30]), 3)
	return out.String()
}
