package state

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"time"

	"github.com/rekey-aws/rekey/shared/audit"
)

var _ audit.State = (*Book)(nil)

// sighting is when a key was seen first and last.
type sighting struct {
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// See is as in [audit.State]. Most calls read one document and write nothing.
func (b *Book) See(ctx context.Context, key string, at time.Time, keep time.Duration) (first time.Time, err error) {
	err = edit(ctx, b, Key{"seen " + short(key), "-"}, func(s *sighting, known bool) (bool, time.Time) {
		until := b.later(at).Add(keep)
		if !known || at.Sub(s.Last) > keep {
			*s, first = sighting{at, at}, at
			return true, until
		}
		first = s.First
		if at.Sub(s.Last) <= keep/20 {
			return false, until
		}
		s.Last = at
		return true, until
	})
	return first, err
}

// counting is a window and the members counted in it, as digests.
type counting struct {
	Since   time.Time `json:"since"`
	Members []string  `json:"members"`
}

// maxMembers is where a set may stop to grow: see audit.State.
const maxMembers = 1000

// Count is as in [audit.State].
func (b *Book) Count(ctx context.Context, key, member string, at time.Time, window time.Duration) (t audit.Tally, err error) {
	one := digest(member)
	err = edit(ctx, b, Key{"count " + short(key), "-"}, func(c *counting, known bool) (write bool, until time.Time) {
		until = b.later(at).Add(window)
		if !known || at.Sub(c.Since) >= window {
			*c, write = counting{Since: at}, true
		}
		if len(c.Members) < maxMembers && !slices.Contains(c.Members, one) {
			c.Members, write = append(c.Members, one), true
		}
		t = audit.Tally{Members: len(c.Members), Since: c.Since}
		return write, until
	})
	return t, err
}

// digest stands for a member, in 12 characters.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// longest leaves room in a Key for what tells kinds apart.
const longest = 900

// short is a key that fits into a Key: itself, unless it is too long.
func short(key string) string {
	if key == "" {
		return "-"
	}
	if len(key) <= longest {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return "sha256 " + base64.RawURLEncoding.EncodeToString(sum[:])
}
