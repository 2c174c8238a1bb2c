package redshift

import (
	"context"
	"strings"

	"github.com/rekey-aws/rekey/shared/dbuser"
)

// Inspect implements [dbuser.Session]. Every user may change its own password, and
// there are no replicas that users log in to.
//
// https://docs.aws.amazon.com/redshift/latest/dg/r_VERSION.html
func (s *session) Inspect(ctx context.Context) (dbuser.Inspection, error) {
	rows, err := s.run(ctx, "SELECT version()")
	in := dbuser.Inspection{Server: "Redshift"}
	if err == nil && len(rows) == 1 && len(rows[0]) == 1 {
		if _, version, found := strings.Cut(rows[0][0], "Redshift "); found {
			in.Server += " " + version
		}
	}
	return in, err
}
