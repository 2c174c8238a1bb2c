package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/rekey-aws/rekey/shared/netfault"
	"github.com/rekey-aws/rekey/shared/publicaddr"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// The pace of tries.
const (
	attempts       = 5
	attemptTimeout = 8 * time.Second
	firstPause     = 200 * time.Millisecond
	longestPause   = 5 * time.Second
)

// poster sends messages to one receiver.
type poster struct {
	sink   string // its name
	client *http.Client
	now    func() time.Time
	pause  func(context.Context, time.Duration) error // nil: a timer's
}

// message is what is posted, and where to.
type message struct {
	to     *url.URL
	header http.Header
	body   []byte
}

// send posts until the receiver accepts with a 2xx, refuses for good, or time is over. What a
// receiver asks for in Retry-After is waited, if there is that much time. make is called for
// each try, with whether the address and keys are to be read anew, since the receiver does not
// accept the ones that were used.
func (p *poster) send(ctx context.Context, build func(anew bool) (message, error)) error {
	anew, refused := false, false
	for n := 1; ; n++ {
		m, err := build(anew)
		if err != nil {
			return fmt.Errorf("telling %s: %w", p.sink, err)
		}
		wait, err := p.post(ctx, m)
		if err == nil {
			return nil
		}
		anew = errors.Is(err, rotation.ErrRefused) && !refused // once
		refused = refused || anew
		again := anew || wait > 0
		if !again || n == attempts {
			return p.failed(m, err)
		}
		if !anew {
			pause := max(wait, jitter(n))
			if deadline, ok := ctx.Deadline(); ok && deadline.Sub(p.now()) <= pause {
				return p.failed(m, err)
			}
			if p.wait(ctx, pause) != nil {
				return p.failed(m, err)
			}
		}
	}
}

func (p *poster) failed(m message, err error) error {
	return fmt.Errorf("telling %s (%s): %w", p.sink, m.to.Hostname(), err)
}

// jitter is a pause that doubles with each try; a random half of it is left away.
func jitter(n int) time.Duration {
	d := min(firstPause<<min(n-1, 10), longestPause)
	return d/2 + rand.N(d/2) //nolint:gosec // G404: how long to wait is nobody's secret
}

func (p *poster) wait(ctx context.Context, d time.Duration) error {
	if p.pause != nil {
		return p.pause(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// post makes one try. wait is above zero if another makes sense, and not before.
func (p *poster) post(ctx context.Context, m message) (wait time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.to.String(), bytes.NewReader(m.body))
	if err != nil {
		return 0, fmt.Errorf("its address is no URL: %w", rotation.ErrConfig)
	}
	r.Header = m.header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "rekey")
	answer, err := p.client.Do(r)
	if err != nil {
		return noAnswer(ctx, err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection is used again
	return p.judge(answer)
}

func noAnswer(ctx context.Context, err error) (time.Duration, error) {
	if private := (*publicaddr.Error)(nil); errors.As(err, &private) {
		return 0, rotation.WithHint(private,
			"Put a public https address into the sink's secret. A webhook of your own may be private: set privateAddresses.")
	}
	fault, known := netfault.Classify(ctx, err)
	if !known {
		fault = fmt.Errorf("the connection failed (%T): %w", err, rotation.ErrUnreachable)
	}
	if errors.Is(fault, rotation.ErrTLS) {
		return 0, rotation.WithHint(fault, "The receiver's certificate must be valid for its name, and signed by an authority that systems know.")
	}
	return time.Nanosecond, rotation.WithHint(fault, "In a VPC the function needs a way to the internet, such as a NAT gateway, to tell a service outside of AWS.")
}

// judge tells what a status means. The body is not read: receivers quote requests in it.
func (p *poster) judge(r *http.Response) (wait time.Duration, err error) {
	said := fmt.Sprintf("it answered %d %s", r.StatusCode, http.StatusText(r.StatusCode))
	switch {
	case r.StatusCode >= 200 && r.StatusCode < 300:
		return 0, nil
	case r.StatusCode >= 300 && r.StatusCode < 400:
		return 0, rotation.WithHint(fmt.Errorf("%s: %w", said, rotation.ErrConfig),
			"Redirects are not followed, as they could take the message elsewhere: put the final address into the sink's secret.")
	case r.StatusCode == http.StatusTooManyRequests:
		return max(p.retryAfter(r), time.Nanosecond), fmt.Errorf("%s: %w", said, rotation.ErrThrottled)
	case r.StatusCode == http.StatusRequestTimeout, r.StatusCode == http.StatusTooEarly, r.StatusCode >= 500:
		return max(p.retryAfter(r), time.Nanosecond), fmt.Errorf("%s: %w", said, rotation.ErrVendor)
	case r.StatusCode == http.StatusUnauthorized, r.StatusCode == http.StatusForbidden, r.StatusCode == http.StatusNotFound, r.StatusCode == http.StatusGone:
		return 0, rotation.WithHint(fmt.Errorf("%s: %w", said, rotation.ErrRefused),
			"The receiver does not know the address or the key any more: make a new one there, and put it into the sink's secret.")
	}
	return 0, fmt.Errorf("%s: %w", said, rotation.ErrVendor)
}

// retryAfter is a number of seconds or a date:
// https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
func (p *poster) retryAfter(r *http.Response) time.Duration {
	v := r.Header.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(v, 64); err == nil && seconds >= 0 && seconds < 1e6 {
		return time.Duration(seconds * float64(time.Second))
	}
	if at, err := http.ParseTime(v); err == nil {
		return at.Sub(p.now())
	}
	return 0
}
