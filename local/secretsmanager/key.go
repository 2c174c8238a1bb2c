package secretsmanager

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// sealer encrypts the records of a state file with AES-256-GCM. A sealed record is the form's
// number, the key's id, a random nonce and the ciphertext; the record's name is authenticated
// with it, so that no record passes for another.
type sealer struct {
	id   [8]byte
	aead cipher.AEAD
}

const (
	sealedForm = 1
	keyPrefix  = "rekey-local-key-1:" // in front of the key in its file, in base64
)

func newSealer(key []byte) (*sealer, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	s := &sealer{aead: aead}
	sum := sha256.Sum256(append([]byte("rekey key id\x00"), key...))
	copy(s.id[:], sum[:])
	return s, nil
}

func (s *sealer) seal(name string, plain []byte) []byte {
	nonce := make([]byte, s.aead.NonceSize())
	rand.Read(nonce)
	sealed := append([]byte{sealedForm}, s.id[:]...)
	sealed = append(sealed, nonce...)
	return s.aead.Seal(sealed, nonce, plain, []byte(name))
}

func (s *sealer) open(name string, sealed []byte) ([]byte, error) {
	head := 1 + len(s.id)
	if len(sealed) < head+s.aead.NonceSize() || sealed[0] != sealedForm {
		return nil, errors.New("it is not in a form this version reads")
	}
	if [8]byte(sealed[1:head]) != s.id {
		return nil, errors.New("it is encrypted with another key")
	}
	nonce, text := sealed[head:head+s.aead.NonceSize()], sealed[head+s.aead.NonceSize():]
	plain, err := s.aead.Open(nil, nonce, text, []byte(name))
	if err != nil {
		return nil, errors.New("it was changed since it was written")
	}
	return plain, nil
}

// readKey reads a key file, which only its owner may have access to.
func readKey(path string) (*sealer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	// Windows has no such modes; a file in the user's profile is theirs alone.
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o177 != 0 {
		return nil, fmt.Errorf("the key file %s is open to others (mode %04o): make it yours alone with chmod 600 %s, and consider its secrets known", path, mode, path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the key file: %w", err)
	}
	encoded, ours := strings.CutPrefix(strings.TrimSpace(string(content)), keyPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ours || err != nil || len(key) != 32 {
		return nil, fmt.Errorf("the key file %s holds no key: restore it from a copy, or remove the directory %s to start anew", path, filepath.Dir(path))
	}
	return newSealer(key)
}

// makeKey makes a key file. It appears whole or not at all, and never over another.
func makeKey(path string) (*sealer, error) {
	key := make([]byte, 32)
	rand.Read(key)
	temp, err := os.CreateTemp(filepath.Dir(path), ".key-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(temp.Name())
	_, err = temp.WriteString(keyPrefix + base64.StdEncoding.EncodeToString(key) + "\n")
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err != nil {
		return nil, err
	}
	if err := os.Link(temp.Name(), path); errors.Is(err, fs.ErrExist) {
		return readKey(path) // another process was faster
	} else if err != nil {
		return nil, err
	}
	return newSealer(key)
}
