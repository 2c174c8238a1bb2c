package awsclient

import (
	"context"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// retryer tries again what may succeed a moment later, as long as there is time
// (see UntilDeadline): a throttled call is worth more than three attempts.
func (e environment) retryer() (aws.Retryer, error) {
	attempts := 10
	if v := e.first("AWS_MAX_ATTEMPTS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return nil, badSetting("AWS_MAX_ATTEMPTS", "is not a number of attempts", "Set it to 1 or more, or unset it.")
		}
		attempts = n
	}
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.Backoff = attempts, retry.BackoffDelayerFunc(backoff)
	}), nil
}

// backoff is the pause after a failed attempt (the first is 1): from 100 ms,
// doubling up to 2 s, of which a random half is left away, so that functions
// that were throttled together do not come back together. The SDK's own begins
// at a second, which a function has better use for.
func backoff(attempt int, _ error) (time.Duration, error) {
	d := min(100*time.Millisecond<<min(attempt-1, 10), 2*time.Second)
	return d/2 + rand.N(d/2), nil
}

// UntilDeadline ends the attempts of one call when the wait before the next
// would outlast the context: so the answer of AWS is what is reported, and not
// that time ran out.
func UntilDeadline(ctx context.Context, r aws.Retryer) aws.Retryer {
	if deadline, ok := ctx.Deadline(); ok {
		return untilDeadline{Retryer: r, deadline: deadline}
	}
	return r
}

type untilDeadline struct {
	aws.Retryer
	deadline time.Time
}

// RetryDelay returns the error of the last attempt if there is no time for another.
func (u untilDeadline) RetryDelay(attempt int, last error) (time.Duration, error) {
	d, err := u.Retryer.RetryDelay(attempt, last)
	if err == nil && time.Until(u.deadline) <= d {
		err = last
	}
	return d, err
}
