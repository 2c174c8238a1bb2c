package secretsmanager

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// SetOwner does to a secret what no call of the API can: it hands it to another AWS service,
// as when RDS makes the secret of a database's admin. OwningService is then the service's name
// (such as rds), and tags, which must begin with aws:, are the service's own. An empty service
// takes both away. A secret that is named, not given by its ARN, is looked for in the server's
// own account and Region.
//
// AWS lets only the owner delete such a secret or change its rotation; that is not enforced.
func (s *Server) SetOwner(secretID, service string, tags map[string]string) error {
	for key := range tags {
		if !strings.HasPrefix(key, "aws:") {
			return fmt.Errorf("handing %q to %q: the tag %q is no tag of a service: those begin with aws: and a name", secretID, service, key)
		}
	}
	sec, err := s.find(s.home(secretID), secretID)
	if err != nil {
		return fmt.Errorf("handing %q to %q: %w", secretID, service, err)
	}
	return s.revise(sec, func(sec *secret) error {
		sec.Owner = service
		sec.Tags = slices.DeleteFunc(sec.Tags, func(t tag) bool { return strings.HasPrefix(t.Key, "aws:") })
		for _, key := range slices.SortedFunc(maps.Keys(tags), cmp.Compare) {
			sec.Tags = append(sec.Tags, tag{Key: key, Value: tags[key]})
		}
		return nil
	})
}
