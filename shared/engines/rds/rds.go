// Package rds puts the engine together that the function rotate-rds rotates with: for users of
// PostgreSQL, MySQL and MariaDB.
package rds

import (
	"strings"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/mysql"
	"github.com/rekey-aws/rekey/shared/postgres"
	"github.com/rekey-aws/rekey/shared/rdsapi"
)

// Engine reads the settings of docs/engines/settings.md; lookup is os.LookupEnv. It calls
// nobody. Errors are ErrConfig: badClient of the settings that all clients of AWS share,
// badPolicy of those for passwords.
func Engine(lookup func(string) (string, bool)) (engine *dbuser.Engine, badClient, badPolicy error) {
	directory, badClient := rdsapi.New(lookup)
	policy, badPolicy := dbuser.PolicyFrom(lookup)
	hosts, _ := lookup("ALLOW_PLAINTEXT_HOSTS")
	return &dbuser.Engine{
		Drivers: map[string]dbuser.Driver{
			"postgres":          postgres.Driver{},
			"aurora-postgresql": postgres.Driver{},
			"mysql":             mysql.Driver{},
			"aurora-mysql":      mysql.Driver{},
			"mariadb":           mysql.Driver{MariaDB: true},
		},
		Policy:         policy,
		RDS:            directory,
		PlaintextHosts: strings.FieldsFunc(hosts, func(c rune) bool { return c == ',' || c == ' ' }),
	}, badClient, badPolicy
}
