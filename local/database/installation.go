package database

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrNotInstalled is wrapped by the error for a server that is not on this machine.
var ErrNotInstalled = errors.New("not installed")

// Installation is a database server's program on this machine.
type Installation struct {
	Engine  Engine
	Version string // as the program says, such as "15.18"
	Path    string // the server's program

	// command starts the program: the path alone, or behind a loader of its own.
	command []string
}

// String names the installation in a sentence: "PostgreSQL 15.18".
func (i Installation) String() string {
	return strings.TrimSpace(i.Engine.title() + " " + i.Version)
}

// tool is the path of another program of the same installation, such as initdb.
func (i Installation) tool(names ...string) (string, error) {
	bin := filepath.Dir(i.Path)
	for _, dir := range []string{bin, filepath.Join(bin, "../bin"), filepath.Join(bin, "../scripts"), "/usr/bin"} {
		for _, name := range names {
			if path := filepath.Join(dir, name); isProgram(path) {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("%s beside %s is missing; install the whole server package", names[0], i.Path)
}

// Find returns the newest installation of engine whose version starts with
// version ("15" finds 15.18, "10.11" finds 10.11.19); an empty version is any. It
// looks in the folders that REKEY_TEST_SERVERS lists, in
// /opt/rekey-test-servers, where packages put servers, and in PATH.
func Find(engine Engine, version string) (Installation, error) {
	var others []string
	for _, i := range installed(engine) {
		if matches(i.Version, version) {
			return i, nil
		}
		others = append(others, i.Version)
	}
	if len(others) > 0 {
		return Installation{}, fmt.Errorf("%s %s is %w (found %s); %s",
			engine.title(), version, ErrNotInstalled, strings.Join(others, ", "), remedy(engine, version))
	}
	return Installation{}, fmt.Errorf("%s is %w; %s",
		strings.TrimSpace(engine.title()+" "+version), ErrNotInstalled, remedy(engine, version))
}

// Installed returns all installations on this machine, PostgreSQL first, then
// MySQL, then MariaDB, the newest of each first.
func Installed() []Installation {
	return slices.Concat(installed(Postgres), installed(MySQL), installed(MariaDB))
}

func remedy(engine Engine, version string) string {
	formula := map[Engine]string{Postgres: "postgresql", MySQL: "mysql", MariaDB: "mariadb"}[engine]
	switch {
	case formula == "":
		return "the engines are postgres, mysql, mariadb and embedded"
	case runtime.GOOS == "darwin" && version != "":
		return fmt.Sprintf("run: brew install %s@%s", formula, version)
	case runtime.GOOS == "darwin":
		return "run: brew install " + formula
	}
	return "run scripts/install-test-servers as root (Debian), or install it and put its folder into PATH"
}

// programs are the names of an engine's server program.
var programs = map[Engine][]string{
	Postgres: {"postgres"},
	MySQL:    {"mysqld"},
	MariaDB:  {"mariadbd", "mysqld"}, // MySQL's name, in MariaDB's older packages
}

// testServersFolder is where scripts/install-test-servers puts what is no package.
const testServersFolder = "/opt/rekey-test-servers"

// folders are where server programs are looked for, as patterns.
func folders() []string {
	var dirs []string
	roots := append(filepath.SplitList(os.Getenv("REKEY_TEST_SERVERS")), testServersFolder)
	for _, root := range roots {
		for _, sub := range []string{"bin", "sbin", "usr/bin", "usr/sbin"} {
			dirs = append(dirs, filepath.Join(root, "*", sub))
		}
	}
	dirs = append(dirs,
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin",
		"/usr/sbin", "/usr/bin", "/usr/libexec", "/usr/local/sbin", "/usr/local/bin", "/usr/local/mysql/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin")
	for _, cellar := range []string{"/opt/homebrew/opt", "/usr/local/opt", "/home/linuxbrew/.linuxbrew/opt"} {
		dirs = append(dirs, filepath.Join(cellar, "postgresql*", "bin"),
			filepath.Join(cellar, "mysql*", "bin"), filepath.Join(cellar, "mariadb*", "bin"))
	}
	return append(dirs, filepath.SplitList(os.Getenv("PATH"))...)
}

func installed(engine Engine) []Installation {
	var found []Installation
	seen := map[string]bool{}
	for _, folder := range folders() {
		for _, program := range programs[engine] {
			paths, _ := filepath.Glob(filepath.Join(folder, program)) // the only error is a bad pattern: nothing there
			for _, path := range paths {
				actual, err := filepath.EvalSymlinks(path)
				if err != nil || seen[actual] || !isProgram(actual) {
					continue
				}
				seen[actual] = true
				if i, ok := identify(actual); ok && i.Engine == engine {
					found = append(found, i)
				}
			}
		}
	}
	slices.SortStableFunc(found, func(a, b Installation) int { return compareVersions(b.Version, a.Version) })
	return found
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// identified remembers what programs said of themselves: asking costs a process.
var identified sync.Map // path → Installation

var (
	versionPattern = regexp.MustCompile(`\d+(\.\d+)*`)
	banner         = regexp.MustCompile(`postgres \(PostgreSQL\)|Ver `)
)

// identify asks a program what it is. Its file name does not tell: MariaDB also
// comes as mysqld.
func identify(path string) (Installation, bool) {
	if known, ok := identified.Load(path); ok {
		i := known.(Installation)
		return i, i.Engine != ""
	}
	i := Installation{Path: path, command: commandFor(path)}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	arguments := []string{"--version"}
	if filepath.Base(path) != "postgres" {
		arguments = []string{"--no-defaults", "--version"}
	}
	command := exec.CommandContext(ctx, i.command[0], append(i.command[1:], arguments...)...)
	command.Dir = "/"
	out, err := command.Output()
	text := string(out)
	if err == nil && banner.MatchString(text) {
		at := banner.FindStringIndex(text)
		i.Version = versionPattern.FindString(text[at[1]:])
		switch {
		case strings.Contains(text, "PostgreSQL"):
			i.Engine = Postgres
		case strings.Contains(text, "MariaDB"):
			i.Engine = MariaDB
		default:
			i.Engine = MySQL
		}
	}
	identified.Store(path, i)
	return i, i.Engine != ""
}

// commandFor is how to start a program. One that was unpacked together with the C
// library it was built for is started through that library's loader.
func commandFor(path string) []string {
	tree := filepath.Join(filepath.Dir(path), "../..")
	for loader, libraries := range map[string]string{
		"usr/lib64/ld-linux-x86-64.so.2": "usr/lib/x86_64-linux-gnu",
		"usr/lib/ld-linux-aarch64.so.1":  "usr/lib/aarch64-linux-gnu",
	} {
		if tree != "/" && isProgram(filepath.Join(tree, loader)) {
			return []string{filepath.Join(tree, loader), "--library-path", filepath.Join(tree, libraries), path}
		}
	}
	return []string{path}
}

// matches tells whether version is, or is a release of, wanted.
func matches(version, wanted string) bool {
	return wanted == "" || version == wanted || strings.HasPrefix(version, wanted+".")
}

func compareVersions(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(x, y string) int {
		m, _ := strconv.Atoi(x) // versionPattern: digits
		n, _ := strconv.Atoi(y)
		return m - n
	})
}
