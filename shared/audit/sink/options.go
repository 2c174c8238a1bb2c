package sink

import (
	"context"
	"net/http"
	"time"
)

// Options are what sinks have in common.
type Options struct {
	Secrets   Secrets
	Playbooks string // where the pages of docs/playbooks are, with a slash at its end; or empty

	// The following are for tests; nil is the real thing.
	Transport http.RoundTripper                          // instead of guarded connections
	Now       func() time.Time                           // the clock
	Pause     func(context.Context, time.Duration) error // between tries
}

func (o Options) now() func() time.Time {
	if o.Now != nil {
		return o.Now
	}
	return time.Now
}

func (o Options) poster(name string, private bool) poster {
	p := poster{sink: name, client: direct(private), now: o.now(), pause: o.Pause}
	if o.Transport != nil {
		p.client.Transport = o.Transport
	}
	return p
}
