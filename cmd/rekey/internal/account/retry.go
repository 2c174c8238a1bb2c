package account

import (
	"cmp"
	"errors"
	"net"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// usualAttempts is as many as the AWS CLI's legacy mode makes: two more than the SDK's, since a
// command that goes through a fleet is throttled.
const usualAttempts = 5

// newRetryer tries again as AWS_MAX_ATTEMPTS and AWS_RETRY_MODE, or the profile, say.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
func newRetryer(attempts int, mode aws.RetryMode) aws.Retryer {
	standard := func(o *retry.StandardOptions) { o.MaxAttempts = cmp.Or(attempts, usualAttempts) }
	if mode == aws.RetryModeAdaptive {
		return promptly{retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
			o.StandardOptions = append(o.StandardOptions, standard)
		})}
	}
	return promptly{retry.NewStandard(standard)}
}

// promptly waits little where nobody is there: a server that begins to listen a moment later is
// found, and a person who mistyped an address learns it.
type promptly struct{ aws.RetryerV2 }

// soon is the pause then.
const soon = 500 * time.Millisecond

// RetryDelay is that of the SDK, which goes up to 20 seconds, where somebody answered.
func (p promptly) RetryDelay(attempt int, err error) (time.Duration, error) {
	pause, last := p.RetryerV2.RetryDelay(attempt, err)
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" && !op.Timeout() {
		pause = min(pause, soon)
	}
	return pause, last
}
