package state

import (
	"context"
	"time"
)

// Scan is how far a scheduled look at all secrets has come.
type Scan struct {
	// Next is where to go on; empty: at the beginning.
	Next string `json:"next,omitempty"`
	// Done is when the last one came to its end.
	Done time.Time `json:"done,omitzero"`
}

var scanKey = Key{"scan", "-"}

// LastScan is what SaveScan stored last; the zero Scan at first.
func (b *Book) LastScan(ctx context.Context) (s Scan, err error) {
	err = edit(ctx, b, scanKey, func(v *Scan, _ bool) (bool, time.Time) {
		s = *v
		return false, time.Time{}
	})
	return s, err
}

// SaveScan stores how far a scan has come.
func (b *Book) SaveScan(ctx context.Context, s Scan) error {
	return edit(ctx, b, scanKey, func(v *Scan, _ bool) (bool, time.Time) {
		*v = s
		return true, b.now().Add(remembered)
	})
}
