package redshift

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/shared/pgwire"
)

// settingEdits are the changes of ALTER USER … SET. alter is the statement's
// beginning; the settings are name=value, as pg_user has them.
//
// https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_USER.html
func settingEdits(alter string, want, have []string) (all []edit, err error) {
	for _, s := range have {
		name, _, _ := strings.Cut(s, "=")
		if !slices.ContainsFunc(want, func(w string) bool { return strings.HasPrefix(w, name+"=") }) {
			all = append(all, edit{alter + "RESET " + identifier(name), "reset its setting " + name})
		}
	}
	for _, s := range want {
		if slices.Contains(have, s) {
			continue
		}
		name, value, _ := strings.Cut(s, "=")
		if name == "search_path" {
			value = strings.Join(path(value), ", ")
		} else if value, err = literal(value); err != nil {
			return nil, fmt.Errorf("copying the setting %q: %w", name, err)
		}
		all = append(all, edit{alter + "SET " + identifier(name) + " TO " + value, "set its setting " + name})
	}
	return all, nil
}

// path are the schemas of a search_path, quoted. It is stored as it was written:
// "$user", public.
//
// https://docs.aws.amazon.com/redshift/latest/dg/r_search_path.html
func path(list string) (schemas []string) {
	for _, name := range pgwire.Names(list) {
		schemas = append(schemas, identifier(name))
	}
	return schemas
}
