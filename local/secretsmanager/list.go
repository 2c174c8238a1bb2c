package secretsmanager

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"
)

type listSecretsInput struct {
	Filters                []filter
	IncludePlannedDeletion *bool
	MaxResults             *int64
	NextToken              *string
	SortBy                 *string
	SortOrder              *string
}

type listSecretsOutput struct {
	SecretList []*description
	NextToken  string `json:",omitempty"`
}

func (s *Server) listSecrets(c *caller, in *listSecretsInput) (*listSecretsOutput, error) {
	if err := first(number("MaxResults", in.MaxResults, 1, 100), length("NextToken", in.NextToken, 1, 4096), enum("SortOrder", in.SortOrder, "asc", "desc"),
		enum("SortBy", in.SortBy, "created-date", "last-accessed-date", "last-changed-date", "name"), checkFilters(in.Filters)); err != nil {
		return nil, err
	}
	q := query{by: cmp.Or(deref(in.SortBy), "created-date"), descending: deref(in.SortOrder) == "desc", filters: in.Filters, planned: deref(in.IncludePlannedDeletion)}
	found, next, err := s.page(c.place, q, pageSize(in.MaxResults, 100), in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &listSecretsOutput{SecretList: []*description{}, NextToken: next}
	for _, sec := range found {
		d := sec.describe()
		d.SecretVersionsToStages = sec.stages()
		out.SecretList = append(out.SecretList, d)
	}
	return out, nil
}

// enum checks a member against the values that the API's model names.
func enum(member string, given *string, values ...string) error {
	if given == nil || slices.Contains(values, *given) {
		return nil
	}
	return violation(fmt.Sprintf("'%.64s'", *given), member, "Member must satisfy enum value set: ["+strings.Join(values, ", ")+"]")
}

func pageSize(most *int64, otherwise int) int {
	if most == nil {
		return otherwise
	}
	return int(*most)
}

// query is which secrets to list, and how.
type query struct {
	by         string
	descending bool
	filters    []filter
	planned    bool // those marked for deletion too
}

// looks is how many secrets one page looks at to find those that pass the filters. When it is
// reached, a page ends early, even empty, and a token says that there may be more: as AWS
// does, "such as when you ask for a filtered view of a long list".
const looks = 5000

// page returns up to n secrets of a place, and the token of the next page if there may be one.
// A secret that is deleted between two pages does not end the listing.
func (s *Server) page(where place, q query, n int, token *string) ([]*secret, string, error) {
	from, err := readCursor(token, q.id())
	if err != nil {
		return nil, "", err
	}
	passes := compile(q.filters)
	now := s.opt.Now()
	var found []*secret
	var last *secret
	seen, more := 0, false
	s.mu.RLock()
	defer s.mu.RUnlock()
	shelf := s.shelves[where]
	if shelf == nil {
		return nil, "", nil
	}
	shelf.walk(q.by, q.descending, from.position(), func(sec *secret) bool {
		if len(found) == n || seen == looks {
			more = true
			return false
		}
		seen++
		last = sec
		if !sec.gone(now) && (q.planned || !sec.deleted()) && passes(sec) {
			found = append(found, sec)
		}
		return true
	})
	if !more {
		return found, "", nil
	}
	return found, q.after(last).String(), nil
}

// id tells queries apart, so that a token of one is refused by another.
func (q query) id() string {
	h := fnv.New64a()
	_ = json.NewEncoder(h).Encode([]any{q.by, q.descending, q.planned, q.filters}) // a hash takes everything
	return strconv.FormatUint(h.Sum64(), 16)
}

// cursor is what a NextToken holds: the last element of a page, by what it is sorted by.
type cursor struct {
	Of   string // what was listed
	At   int64  `json:",omitempty"` // a time, in nanoseconds
	Seq  uint64 `json:",omitempty"` // of a version
	ARN  string `json:",omitempty"`
	Name string `json:",omitempty"`
}

// tokenMark tells our tokens from what someone else made.
const tokenMark = "rekey:"

// String is the token: opaque, as AWS's.
func (c cursor) String() string {
	text, _ := json.Marshal(c) // strings and a number
	return base64.RawURLEncoding.EncodeToString(append([]byte(tokenMark), text...))
}

func readCursor(token *string, of string) (*cursor, error) {
	if token == nil {
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(*token)
	text, ours := strings.CutPrefix(string(raw), tokenMark)
	c := &cursor{}
	if err != nil || !ours || json.Unmarshal([]byte(text), c) != nil || c.Of != of {
		return nil, errBadToken()
	}
	return c, nil
}

func (q query) after(sec *secret) cursor {
	c := cursor{Of: q.id(), ARN: sec.ARN}
	switch q.by {
	case "name":
		c.ARN, c.Name = "", sec.Name
	case "last-accessed-date":
		c.At = nanoseconds(sec.Accessed)
	case "last-changed-date":
		c.At = nanoseconds(sec.Changed)
	default:
		c.At = nanoseconds(sec.Created)
	}
	return c
}

// position is a secret that sorts where the page before ended.
func (c *cursor) position() *secret {
	if c == nil {
		return nil
	}
	var at time.Time
	if c.At != 0 {
		at = time.Unix(0, c.At)
	}
	return &secret{ARN: c.ARN, Name: c.Name, Created: at, Changed: at, Accessed: at}
}

func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}
