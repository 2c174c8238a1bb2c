package audit

import "context"

// Sink takes findings to where someone acts on them.
type Sink interface {
	// Name tells sinks apart in logs and configuration.
	Name() string
	// Deliver returns nil when the sink has every finding. After an error the caller may
	// deliver all of them again: a sink that can, tells a finding that it has already by its
	// Key. Deliver must not keep the slice, and must be safe for several goroutines.
	Deliver(ctx context.Context, findings []Finding) error
}
