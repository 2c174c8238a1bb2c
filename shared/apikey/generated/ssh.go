package generated

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"strings"

	"github.com/rekey-aws/rekey/shared/apikey"
)

// sshKind has Ed25519 keys as OpenSSH has them since 6.5.
//
// https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key
var sshKind = kind{
	name: "generated-ssh-key", fields: []string{"privateKey", "publicKey"}, public: []string{"publicKey"},
	settings: map[string]setting{"comment": {"rekey", func(s string) string {
		if len(s) <= 128 && !strings.ContainsAny(s, "\r\n\x00") {
			return ""
		}
		return "one line, at most 128 characters"
	}}},
	generate: func(_ Config, settings map[string]string, _, _ apikey.Material) (map[string]string, error) {
		key, err := newKey("ed25519")
		if err != nil {
			return nil, err
		}
		private := key.(ed25519.PrivateKey) // newKey's promise
		public := private.Public().(ed25519.PublicKey)
		return map[string]string{"privateKey": sshPrivate(private, settings["comment"]), "publicKey": authorizedKey(public, settings["comment"])}, nil
	},
	verify: func(_ Config, _ map[string]string, parts map[string]string) error {
		b, _ := pem.Decode([]byte(parts["privateKey"]))
		line := strings.Fields(parts["publicKey"])
		if b == nil || b.Type != sshBlock || len(line) < 2 || line[0] != sshAlgorithm {
			return wrong(`"privateKey" or "publicKey" is not an Ed25519 key of OpenSSH`)
		}
		public, err := base64.StdEncoding.DecodeString(line[1])
		if err != nil || !strings.Contains(string(b.Bytes), string(public)) {
			return wrong(`"publicKey" is not the one of "privateKey"`)
		}
		return nil
	},
}

const (
	sshBlock     = "OPENSSH PRIVATE KEY"
	sshAlgorithm = "ssh-ed25519"
)

// sshString is a string of the SSH protocol: its length, and its bytes.
func sshString[T string | []byte](to []byte, s T) []byte {
	to = binary.BigEndian.AppendUint32(to, uint32(len(s))) //nolint:gosec // the parts of a key are short
	return append(to, s...)
}

func sshPublic(public ed25519.PublicKey) []byte {
	return sshString(sshString(nil, sshAlgorithm), []byte(public))
}

// authorizedKey is the line of authorized_keys.
func authorizedKey(public ed25519.PublicKey, comment string) string {
	return strings.TrimSpace(sshAlgorithm + " " + base64.StdEncoding.EncodeToString(sshPublic(public)) + " " + comment)
}

// sshPrivate is the file id_ed25519, without a passphrase.
func sshPrivate(private ed25519.PrivateKey, comment string) string {
	public := private.Public().(ed25519.PublicKey)
	check := random(4) // twice the same, to tell a wrong passphrase
	secret := append(append([]byte{}, check...), check...)
	secret = sshString(sshString(secret, sshAlgorithm), []byte(public))
	secret = sshString(sshString(secret, []byte(private)), comment)
	for i := byte(1); len(secret)%8 != 0; i++ {
		secret = append(secret, i)
	}
	file := append([]byte("openssh-key-v1"), 0)
	for _, s := range []string{"none", "none", ""} { // cipher, key derivation, its options
		file = sshString(file, s)
	}
	file = binary.BigEndian.AppendUint32(file, 1) // keys
	file = sshString(sshString(file, sshPublic(public)), secret)
	return block(sshBlock, file)
}
