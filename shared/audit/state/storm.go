package state

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/rekey-aws/rekey/shared/audit"
)

// storms are listed: what came after the alert is told when the window is over.
const storms = "storms"

// storm is a window of equal findings (see Alike), which began with an alert.
type storm struct {
	Alert string    `json:"alert"` // the key of the finding that was told
	Count int       `json:"count"` // that it stood for
	Ends  time.Time `json:"ends"`
	// More have come since; Last is the latest of them.
	More int             `json:"more,omitempty"`
	Last json.RawMessage `json:"last,omitempty"`
	// Untold is a reminder that was made of them, and that is not known to be told.
	Untold json.RawMessage `json:"untold,omitempty"`
}

// until is when nobody needs it any more. All of them are listed each time: those of which
// nothing is to be told stay for a day, in which a finding may join again.
func (s *storm) until() time.Time {
	if s.More == 0 && s.Untold == nil {
		return s.Ends.Add(24 * time.Hour)
	}
	return s.Ends.Add(remembered)
}

// Alike is the same for equal findings: those of one incident, by the same caller.
func Alike(f audit.Finding) string { return f.Incident + "|" + f.Actor.Principal }

// Join says what becomes of a finding that stands for f.Count equal ones: it is the alert of
// its window, with the count that is returned, or one of those that are told when the window
// is over (0). A finding that joins again, because telling
// it did not succeed, is the alert again.
func (b *Book) Join(ctx context.Context, f audit.Finding, window time.Duration) (count int, err error) {
	last := encode(f)
	err = edit(ctx, b, Key{storms, short(Alike(f))}, func(s *storm, known bool) (bool, time.Time) {
		now := b.now()
		switch {
		case known && s.Alert == f.Key:
			count = s.Count
			return false, now
		case known && now.Before(s.Ends):
			count = 0
			s.More += f.Count
			s.Last = last
		default:
			count = f.Count + s.More
			*s = storm{Alert: f.Key, Count: count, Ends: now.Add(window), Untold: s.Untold}
		}
		return true, s.until()
	})
	return count, err
}

// Reminders are the alerts of windows that are over and in which more came than was told: the
// last of them, with their count. Each stays one until Reminded.
func (b *Book) Reminders(ctx context.Context, window time.Duration) ([]audit.Finding, error) {
	listed, err := b.records.List(ctx, storms)
	if err != nil {
		return nil, err
	}
	var due []audit.Finding
	for name, r := range listed {
		var s storm
		if json.Unmarshal(r.Value, &s) != nil || s.Untold == nil && (s.More == 0 || b.now().Before(s.Ends)) {
			continue
		}
		f, err := b.remind(ctx, name, window)
		if err != nil {
			return due, err
		}
		if f != nil {
			due = append(due, *f)
		}
	}
	slices.SortFunc(due, func(x, y audit.Finding) int { return cmp.Compare(x.Key, y.Key) })
	return due, nil
}

// remind makes an alert of what came in a window, which begins the next. What cannot be read
// any more, because its detection is gone, is dropped.
func (b *Book) remind(ctx context.Context, name string, window time.Duration) (f *audit.Finding, err error) {
	err = edit(ctx, b, Key{storms, name}, func(s *storm, _ bool) (bool, time.Time) {
		f = nil
		over := s.More > 0 && !b.now().Before(s.Ends)
		switch {
		case s.Untold != nil:
			if f = decode(s.Untold); f != nil {
				return false, time.Time{}
			}
			s.Untold = nil
		case over:
			f = decode(s.Last)
			if f == nil {
				s.More = 0
				break
			}
			f.Count = s.More
			f.Key += "|" + s.Ends.UTC().Format(time.RFC3339)
			*s = storm{Alert: f.Key, Count: f.Count, Ends: b.now().Add(window), Untold: encode(*f)}
		default:
			return false, time.Time{} // a finding has begun the next window, and told them
		}
		return true, s.until()
	})
	return f, err
}

// Reminded ends a reminder.
func (b *Book) Reminded(ctx context.Context, f audit.Finding) error {
	return edit(ctx, b, Key{storms, short(Alike(f))}, func(s *storm, _ bool) (bool, time.Time) {
		if s.Untold == nil {
			return false, time.Time{}
		}
		s.Untold = nil
		return true, s.until()
	})
}

// kept is a finding with its detection's id, by which it is found again.
type kept struct {
	ID      string        `json:"id"`
	Finding audit.Finding `json:"finding"`
}

func encode(f audit.Finding) json.RawMessage {
	id := f.Detection.ID
	f.Detection = nil
	text, err := json.Marshal(kept{id, f})
	if err != nil {
		panic(err) // a finding is plain data
	}
	return text
}

// decode returns nil if the finding cannot be read by this version.
func decode(text json.RawMessage) *audit.Finding {
	var k kept
	if json.Unmarshal(text, &k) != nil {
		return nil
	}
	d, known := audit.Find(k.ID)
	if !known {
		return nil
	}
	k.Finding.Detection = d
	return &k.Finding
}
