package redshiftapi

import "time"

// Hurry has the directory look at statements often, wait for a cancellation for as
// long as a busy machine takes, and read a clock.
func (d *Directory) Hurry(now func() time.Time) {
	d.pause, d.patience = 5*time.Millisecond, time.Minute
	if now != nil {
		d.now = now
	}
}
