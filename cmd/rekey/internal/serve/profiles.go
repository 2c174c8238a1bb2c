package serve

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
)

// profile is what a credentials file says under one heading.
type profile map[string]string

// maxCredentials bounds what is read of a file that is something else.
const maxCredentials = 1 << 20

// readProfiles reads the shared credentials file of the AWS CLI and the SDKs
// (https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html), which must be its
// owner's alone. Profiles without keys (of a role, of single sign-on) are left out. The errors
// name lines, and nothing of what is in them.
func readProfiles(path string) (map[string]profile, error) {
	wrong := func(format string, args ...any) error {
		return usage.Errorf("--credentials: %s: %s", path, fmt.Sprintf(format, args...))
	}
	file, err := os.Open(path)
	if err != nil {
		cause := (*os.PathError)(nil)
		errors.As(err, &cause)
		return nil, wrong("%v: give a file in the format of ~/.aws/credentials", cause.Err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, wrong("%v", err)
	case !info.Mode().IsRegular():
		return nil, wrong("it is no file: give one in the format of ~/.aws/credentials")
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return nil, wrong("others than its owner may use it (mode %04o): run chmod 600 on it", info.Mode().Perm())
	}
	all, place, reason := parseProfiles(file)
	if reason != "" {
		return nil, wrong("line %d: %s", place, reason)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		id, secret := all[name]["aws_access_key_id"], all[name]["aws_secret_access_key"]
		switch {
		case id == "" && secret == "":
			delete(all, name)
		case id == "" || secret == "":
			return nil, wrong("the profile %s has one of aws_access_key_id and aws_secret_access_key only: give both", printable(name))
		case len(id) > 128 || strings.ContainsAny(id, "/, \t"):
			return nil, wrong("the profile %s has an access key id that no request can carry: give up to 128 letters and digits", printable(name))
		}
	}
	if len(all) == 0 {
		return nil, wrong("no profile has aws_access_key_id and aws_secret_access_key: give at least one")
	}
	return all, nil
}

// parseProfiles returns the profiles, or the line that is wrong and why.
func parseProfiles(r io.Reader) (all map[string]profile, place int, wrong string) {
	all = map[string]profile{}
	var current profile
	scanner := bufio.NewScanner(io.LimitReader(r, maxCredentials))
	for scanner.Scan() {
		place++
		raw := strings.TrimPrefix(scanner.Text(), "\ufeff")
		line := strings.TrimSpace(raw)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
			continue
		case line[0] == '[':
			name, rest, closed := strings.Cut(line[1:], "]")
			name, rest = strings.TrimSpace(name), strings.TrimSpace(rest)
			if !closed || name == "" || rest != "" && rest[0] != '#' && rest[0] != ';' {
				return nil, place, "it is no heading: write [PROFILE]"
			}
			if all[name] == nil {
				all[name] = profile{}
			}
			current = all[name] // two of one name count as one, as for the CLI
			continue
		case raw[0] == ' ' || raw[0] == '\t':
			continue // of a setting with parts of its own, such as s3: none of them is a key
		}
		key, value, found := strings.Cut(line, "=")
		switch {
		case !found:
			return nil, place, "it is neither [PROFILE] nor NAME = VALUE"
		case current == nil:
			return nil, place, "it is under no [PROFILE]"
		}
		current[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
	}
	if scanner.Err() != nil {
		return nil, place + 1, "it is too long"
	}
	return all, 0, ""
}
