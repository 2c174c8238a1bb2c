// Package generated has the [apikey.Provider] of secrets that no vendor issues:
// they are made here, from the system's random source.
//
//	generated-string       value                                       text, hex, base64 or a UUID; HMAC keys
//	generated-key-pair     privateKey, publicKey, keyId                RSA, ECDSA or Ed25519, PEM
//	generated-jwks         privateKey, keyId, nextPrivateKey, jwks     keys that sign JWTs, and the set that verifies them
//	generated-ssh-key      privateKey, publicKey                       OpenSSH
//	generated-certificate  privateKey, certificate                     self-signed, or by an authority of one's own
//
// A secret may name a web hook that is told the new credential (webhookUrl), and a
// page that must accept it before it is promoted (checkUrl).
package generated
