package database

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// templateFormat changes when templates are made in another way.
const templateFormat = "2"

// copyTemplate gives a server its data directory: copying one takes a fraction of
// the time that initialising does.
func copyTemplate(ctx context.Context, s *Server) error {
	template, err := dataTemplate(ctx, s.installation)
	if err != nil {
		return err
	}
	if err := copyTree(template, s.folder.path("data"), nil); err != nil {
		return fmt.Errorf("copying %s: %w", template, err)
	}
	return nil
}

// dataTemplate returns a data directory as it is after initialising, with no
// accounts that anyone could use over the network. It is made once for a version
// and kept for later processes; several may ask at once.
func dataTemplate(ctx context.Context, i Installation) (string, error) {
	cache, err := cacheFolder()
	if err != nil {
		return "", err
	}
	template := filepath.Join(cache, fmt.Sprintf("%s-%s-%s", i.Engine, i.Version, templateFormat))
	lock, err := awaitLock(ctx, template+".lock")
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if _, err := os.Stat(template); err == nil {
		return template, nil
	}
	f, err := newFolder(i.Engine)
	if err != nil {
		return "", err
	}
	if err := errors.Join(makeTemplate(i, f, template), f.remove()); err != nil {
		return "", fmt.Errorf("initialising a data directory: %w", err)
	}
	return template, nil
}

// makeTemplate puts a whole data directory in place, or none.
func makeTemplate(i Installation, f *folder, template string) error {
	if err := initialise(i, f); err != nil {
		return err
	}
	made := template + ".new"
	if err := os.RemoveAll(made); err != nil { // what a killed process left
		return err
	}
	if err := copyTree(f.path("data"), made, nil); err != nil {
		return err
	}
	return os.Rename(made, template)
}

// cacheFolder is private to the user: what is in it becomes a server's data.
func cacheFolder() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		base = filepath.Join(os.TempDir(), fmt.Sprintf("rekey-cache-%d", os.Geteuid()))
	}
	cache := filepath.Join(base, "rekey", "databases")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", fmt.Errorf("making the cache of data directories: %w", err)
	}
	return cache, nil
}

func initialise(i Installation, f *folder) error {
	if i.Engine == Postgres {
		return initdb(i, f)
	}
	if err := f.mkdir("data"); err != nil {
		return err
	}
	// Small files: they are copied for every server.
	settings := []string{"--no-defaults", "--datadir=" + f.path("data"), "--tmpdir=" + f.path("tmp")}
	if i.Engine == MariaDB {
		install, err := i.tool("mariadb-install-db", "mysql_install_db")
		if err != nil {
			return err
		}
		return runTool(f, nil, append([]string{install}, append(settings,
			"--skip-test-db", "--innodb-log-file-size=4M")...)...)
	}
	for name, value := range placeSettings(i) {
		settings = append(settings, "--"+name+"="+value)
	}
	return runTool(f, nil, slices.Concat(i.command, settings,
		[]string{"--initialize-insecure", "--auto-generate-certs=OFF", "--innodb-redo-log-capacity=8M", "--innodb-doublewrite=OFF"})...)
}
