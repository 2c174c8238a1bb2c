// Package redshift puts the engine together that the function rotate-redshift rotates with.
package redshift

import (
	"errors"
	"strings"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/redshift"
	"github.com/rekey-aws/rekey/shared/redshiftapi"
)

// Engine reads the settings of docs/engines/redshift.md; lookup is os.LookupEnv. It calls
// nobody. Errors are ErrConfig: badClient of the settings that all clients of AWS share,
// badPolicy of those for passwords.
func Engine(lookup func(string) (string, bool)) (engine *dbuser.Engine, badClient, badPolicy error) {
	directory, badClient := redshiftapi.New(lookup)
	policy, badRules := dbuser.PolicyFrom(lookup)
	sha256, badHash := redshift.SHA256From(lookup)
	hosts, _ := lookup("ALLOW_PLAINTEXT_HOSTS")
	return &dbuser.Engine{
		Drivers:        map[string]dbuser.Driver{"redshift": redshift.Driver{API: directory, SHA256: sha256}},
		Policy:         policy,
		RDS:            directory,
		PlaintextHosts: strings.FieldsFunc(hosts, func(c rune) bool { return c == ',' || c == ' ' }),
	}, badClient, errors.Join(badRules, badHash)
}
