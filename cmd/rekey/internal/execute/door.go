package execute

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
)

// door lets variables into the command's environment, or says why not.
type door struct {
	command  []string
	environ  []string // of rekey
	override bool
}

// admit is the whole environment. Everything is checked before anything is started.
func (d door) admit(variables []variable) ([]string, error) {
	if err := clash(variables); err != nil {
		return nil, err
	}
	already := map[string]bool{}
	for _, v := range d.environ {
		name, _, _ := strings.Cut(v, "=")
		already[folded(name)] = true
	}
	taken := map[string]bool{}
	for _, v := range variables {
		if err := admissible(v); err != nil {
			return nil, err
		}
		if already[folded(v.name)] && !d.override {
			return nil, fmt.Errorf("%s would become the variable %s, which the environment has already: %s, unset it, or replace it with --override", v.place(), v.name, another(v))
		}
		taken[folded(v.name)] = true
	}
	environ := slices.DeleteFunc(slices.Clone(d.environ), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return taken[folded(name)]
	})
	for _, v := range variables {
		environ = append(environ, v.name+"="+v.value.Reveal())
	}
	size := 0
	for _, s := range slices.Concat(d.command, environ) {
		size += len(s) + 1 + pointerSize
	}
	if most := maxTotal(); size > most {
		return nil, fmt.Errorf("the command's environment and arguments would have %d bytes, and this system takes %d: give the values in files (--files auto), or fewer of them (NAME#KEY=VARIABLE)", size, most)
	}
	return environ, nil
}

// clash refuses two values under one name.
func clash(variables []variable) error {
	seen := map[string]variable{}
	for _, v := range variables {
		if other, twice := seen[folded(v.name)]; twice {
			remedy := another(v)
			if v.of == other.of { // whose prefix changes nothing
				remedy = fmt.Sprintf("take its keys one by one (--secret '%s#KEY=NAME')", v.of.name)
			}
			return fmt.Errorf("%s and %s would both become %s: %s", other.place(), v.place(), v.name, remedy)
		}
		seen[folded(v.name)] = v
	}
	return nil
}

// pointerSize is what a system counts for each string besides its bytes.
const pointerSize = 8

// admissible refuses what cannot be a variable, or must not.
func admissible(v variable) error {
	switch value := v.value.Reveal(); {
	case reserved(v.name):
		return fmt.Errorf("%s would become the variable %s, which decides what programs do: %s", v.place(), v.name, another(v))
	case v.value.Binary():
		return fmt.Errorf("%s is binary, which no variable can hold: give it in a file (--files auto)", v.place())
	case strings.ContainsRune(value, 0):
		return fmt.Errorf("%s has a NUL character, which no variable can hold: give it in a file (--files auto)", v.place())
	case len(v.name)+len("=")+len(value)+1 > maxString():
		return fmt.Errorf("%s has %d bytes, and this system takes %d in a variable: give it in a file (--files auto)", v.place(), len(value), maxString())
	}
	return nil
}

// another is how a variable gets another name.
func another(v variable) string {
	if v.of.key != "" {
		return fmt.Sprintf("give it another name (--secret %s#%s=NAME)", v.of.name, v.of.key)
	}
	return fmt.Sprintf("give it another prefix (--secret %s=PREFIX)", v.of.name)
}

// folded makes names comparable: on Windows their case does not matter.
func folded(name string) string {
	if runtime.GOOS == "windows" {
		return strings.ToUpper(name)
	}
	return name
}

// reserved tells the names by which shells, loaders and interpreters find or change what they
// run. Whoever may write a secret would decide that.
func reserved(name string) bool {
	name = strings.ToUpper(name)
	return decisive[name] || slices.ContainsFunc(decisivePrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

var decisivePrefixes = []string{"LD_", "DYLD_", "BASH_", "GIT_CONFIG", "NPM_CONFIG_", "LC_"}

var decisive = namesOf(`
	PATH IFS ENV SHELL SHELLOPTS BASHOPTS CDPATH GLOBIGNORE PS1 PS2 PS4 PROMPT_COMMAND ZDOTDIR FPATH
	HOME PWD OLDPWD USER LOGNAME TMPDIR TMP TEMP TERM TZ LANG LANGUAGE EDITOR VISUAL PAGER LESSOPEN LESSCLOSE BROWSER
	GLIBC_TUNABLES GCONV_PATH LOCPATH NLSPATH HOSTALIASES RES_OPTIONS LOCALDOMAIN RESOLV_HOST_CONF NIS_PATH
	PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONINSPECT PYTHONUSERBASE PYTHONBREAKPOINT PYTHONWARNINGS
	NODE_OPTIONS NODE_PATH NODE_EXTRA_CA_CERTS PERL5LIB PERLLIB PERL5OPT PERL5DB RUBYLIB RUBYOPT GEM_PATH GEM_HOME
	JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS JAVA_HOME JAVA_OPTS CLASSPATH MAVEN_OPTS GRADLE_OPTS
	PHPRC PHP_INI_SCAN_DIR LUA_PATH LUA_CPATH LUA_INIT GOFLAGS GOROOT GOPATH GODEBUG RUSTC_WRAPPER CARGO_HOME
	GIT_SSH GIT_SSH_COMMAND GIT_EXEC_PATH GIT_ASKPASS GIT_EDITOR GIT_PAGER GIT_PROXY_COMMAND GIT_EXTERNAL_DIFF GIT_TEMPLATE_DIR GIT_DIR GIT_WORK_TREE
	CC CXX MAKEFLAGS MAKEFILES SSH_ASKPASS SSH_AUTH_SOCK SUDO_ASKPASS AWS_CONFIG_FILE AWS_ENDPOINT_URL AWS_CA_BUNDLE
	SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE REQUESTS_CA_BUNDLE OPENSSL_CONF OPENSSL_MODULES OPENSSL_ENGINES
	HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY PGSYSCONFDIR PGSERVICEFILE
	COMSPEC PATHEXT SYSTEMROOT SYSTEMDRIVE WINDIR APPDATA LOCALAPPDATA USERPROFILE PROGRAMFILES PROGRAMDATA PSMODULEPATH
`)

func namesOf(list string) map[string]bool {
	names := map[string]bool{}
	for _, name := range strings.Fields(list) {
		names[name] = true
	}
	return names
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
