package database

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// embedded is the flavour of local/embeddeddb.
type embedded struct{}

// embeddedConfig is the file that the embedded server reads; its own module has
// the same fields.
type embeddedConfig struct {
	Address      string `json:"address"`
	Certificate  string `json:"certificate,omitempty"`
	Key          string `json:"key,omitempty"`
	RequireTLS   bool   `json:"requireTLS"`
	StatementLog string `json:"statementLog,omitempty"`
	Database     string `json:"database"`
	User         string `json:"user"`
	Password     string `json:"password"`
}

// prepare brings the program to where the server's user can read it: as root, that
// is another user, and the program is probably under root's home.
func (embedded) prepare(_ context.Context, s *Server) error {
	if os.Geteuid() != 0 {
		return nil
	}
	own := s.folder.path("embeddeddb")
	if err := copyFile(s.installation.command[0], own); err != nil {
		return err
	}
	s.installation.command = []string{own}
	return errors.Join(giveToServer(own), os.Chmod(own, 0o500))
}

func (embedded) command(s *Server) ([]string, error) {
	config := embeddedConfig{
		Address: fmt.Sprintf("127.0.0.1:%d", s.Port), RequireTLS: s.options.TLS == TLSRequired,
		Database: s.Database, User: s.AdminUser, Password: s.AdminPassword,
	}
	if s.options.TLS != TLSOff {
		config.Certificate, config.Key = s.folder.path("server.pem"), s.folder.path("server.key")
	}
	if s.options.LogStatements {
		config.StatementLog = s.folder.path("statements.log")
	}
	content, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	if err := s.folder.write("embedded.json", content); err != nil {
		return nil, err
	}
	return append(s.installation.command, "-config", s.folder.path("embedded.json")), nil
}

func (embedded) connector(s *Server, l login) (driver.Connector, error) { return mysqlConnector(s, l) }

func (embedded) evidence(context.Context, *Server) ([]string, []string, error) {
	return []string{"statements.log"}, nil, nil
}

const rootModule = "github.com/rekey-aws/rekey"

// buildEmbedded builds the embedded server from this project's source. The go
// command's cache makes the second time quick.
func buildEmbedded(ctx context.Context) (Installation, error) {
	source, err := embeddedSource(ctx)
	if err != nil {
		return Installation{}, fmt.Errorf("finding the source of %s: %w", Embedded.title(), err)
	}
	cache, err := cacheFolder()
	if err != nil {
		return Installation{}, err
	}
	lock, err := awaitLock(ctx, filepath.Join(cache, "embeddeddb.lock"))
	if err != nil {
		return Installation{}, err
	}
	defer lock.Close()
	binary := filepath.Join(cache, "embeddeddb")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, ".")
	build.Dir = source
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOOS=", "GOARCH=", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		return Installation{}, fmt.Errorf("building %s in %s: %w:\n%s", Embedded.title(), source, err, out)
	}
	return Installation{Engine: Embedded, Path: binary, command: []string{binary}}, nil
}

// embeddedSource finds local/embeddeddb, a module of its own, beside this one.
func embeddedSource(ctx context.Context) (string, error) {
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", rootModule)
	list.Env = append(os.Environ(), "GOWORK=off")
	var complaint strings.Builder
	list.Stderr = &complaint
	out, err := list.Output()
	if err != nil {
		return "", fmt.Errorf("asking the go command where %s is (run this inside a clone of it): %w: %s",
			rootModule, err, strings.TrimSpace(complaint.String()))
	}
	source := filepath.Join(strings.TrimSpace(string(out)), "local", "embeddeddb")
	if _, err := os.Stat(filepath.Join(source, "go.mod")); err != nil {
		return "", fmt.Errorf("%w; run this inside a clone of %s", err, rootModule)
	}
	return source, nil
}
