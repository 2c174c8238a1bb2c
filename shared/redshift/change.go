package redshift

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// change runs a statement that changes something and may run twice. When others
// change the same thing in the same moment, as other invocations of a rotation
// may, Redshift refuses all but one, and it is tried again.
//
// https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html
func (s *session) change(ctx context.Context, statement string) error {
	return change(ctx, s.runner, statement)
}

func change(ctx context.Context, r runner, statement string) error {
	_, err := r.run(ctx, statement)
	var again *passing
	for wait := 5 * time.Millisecond; errors.As(err, &again) && wait < time.Second; wait *= 2 {
		select {
		case <-time.After(wait + rand.N(wait)):
		case <-ctx.Done():
		}
		_, err = r.run(ctx, statement)
	}
	return err
}

// create is change for a statement that makes something. That it is there is as
// good.
func create(ctx context.Context, r runner, statement string) error {
	err := change(ctx, r, statement)
	var there *present
	if errors.As(err, &there) {
		return nil
	}
	return err
}
