package secretsmanager

import (
	"cmp"
	"time"

	"github.com/tidwall/btree"
)

// shelf holds the secrets of one place, by name and in each order that ListSecrets knows, so
// that a page costs the same however many secrets there are.
type shelf struct {
	byName map[string]*secret
	orders map[string]*btree.BTreeG[*secret] // by SortBy
}

// The orders of ListSecrets. No two secrets of a place have one position, since ARNs differ.
var orders = map[string]func(a, b *secret) bool{
	"created-date":       byTime(func(s *secret) time.Time { return s.Created }),
	"last-accessed-date": byTime(func(s *secret) time.Time { return s.Accessed }),
	"last-changed-date":  byTime(func(s *secret) time.Time { return s.Changed }),
	"name":               func(a, b *secret) bool { return a.Name < b.Name },
}

func byTime(of func(*secret) time.Time) func(a, b *secret) bool {
	return func(a, b *secret) bool {
		return cmp.Or(of(a).Compare(of(b)), cmp.Compare(a.ARN, b.ARN)) < 0
	}
}

func newShelf() *shelf {
	s := &shelf{byName: map[string]*secret{}, orders: map[string]*btree.BTreeG[*secret]{}}
	for by, less := range orders {
		s.orders[by] = btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})
	}
	return s
}

// replace puts next in the place of old; either may be nil.
func (s *shelf) replace(old, next *secret) {
	if old != nil {
		delete(s.byName, old.Name)
		for _, tree := range s.orders {
			tree.Delete(old)
		}
	}
	if next != nil {
		s.byName[next.Name] = next
		for _, tree := range s.orders {
			tree.Set(next)
		}
	}
}

// walk visits the secrets after a position, or all for nil, until visit returns false.
func (s *shelf) walk(by string, descending bool, after *secret, visit func(*secret) bool) {
	tree, less := s.orders[by], orders[by]
	beyond := func(sec *secret) bool {
		if after != nil && !less(after, sec) && !less(sec, after) {
			return true // where the walk before this one ended
		}
		return visit(sec)
	}
	switch {
	case after == nil && descending:
		tree.Reverse(visit)
	case after == nil:
		tree.Scan(visit)
	case descending:
		tree.Descend(after, beyond)
	default:
		tree.Ascend(after, beyond)
	}
}
