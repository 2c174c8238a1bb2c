package rotating

import (
	"context"
	"sync"
	"time"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/fleet"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/functionlog"
)

// rotate begins the rotations one after another at the rate, and follows each, so many at once.
func (r *run) rotate(ctx context.Context, all []*fleet.Secret) error {
	r.told.expect(len(all))
	var under sync.WaitGroup
	places := make(chan struct{}, r.command.AtOnce)
	every := time.Duration(float64(time.Second) / r.command.Rate)
	var next <-chan time.Time // nil: at once
	for _, s := range all {
		if !r.mayBegin(ctx, places, next) {
			break
		}
		next = r.after(every)
		r.told.began(s)
		under.Go(func() {
			defer func() { <-places }()
			r.told.ended(s, r.one(ctx, s))
		})
	}
	under.Wait()
	done, err := r.told.close()
	if err != nil {
		return err
	}
	return r.verdict(ctx, done, len(all))
}

// mayBegin waits for the rate and for a place, and takes it. It is false when no further
// rotation is to begin.
func (r *run) mayBegin(ctx context.Context, places chan struct{}, next <-chan time.Time) bool {
	if next != nil {
		select {
		case <-next:
		case <-ctx.Done():
			return false
		}
	}
	select {
	case places <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	if ctx.Err() != nil || r.told.tooMany() {
		<-places
		return false
	}
	return true
}

// one is a rotation from its beginning to its end.
func (r *run) one(ctx context.Context, s *fleet.Secret) result {
	begun := r.now()
	var past functionlog.Past
	if s.Pending != "" && r.command.Wait {
		past = r.logs.Past(ctx, s.FunctionARN, s.Pending, begun)
	}
	version, err := r.begin(ctx, s)
	res := r.result(s)
	switch {
	case err != nil && ctx.Err() != nil:
		res.Outcome = UnderWay // it may be
	case err != nil:
		res = res.failed(err)
	case !r.command.Wait:
		res.Version, res.Outcome = version, UnderWay
	default:
		res = r.follow(ctx, s, version, past, begun)
	}
	res.Seconds = r.now().Sub(begun).Seconds()
	return res
}
