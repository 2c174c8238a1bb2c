package forwarder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/sink"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// batcher is a sink that takes several findings in one call.
type batcher interface{ Batch() int }

// deliver tells every sink at once, each one finding after the other, or in batches. One that
// fails does not keep the others from being told.
func (f *Forwarder) deliver(ctx context.Context, all []*work) {
	ctx, cancel := keepBack(ctx)
	defer cancel()
	var group sync.WaitGroup
	var mu sync.Mutex // of what is noted in works
	for _, s := range f.Sinks {
		group.Go(func() {
			for _, batch := range f.batches(s, all, &mu) {
				findings := make([]audit.Finding, len(batch))
				for n, w := range batch {
					findings[n] = w.Finding
				}
				err := s.Deliver(ctx, findings)
				f.noteDelivery(ctx, s, batch, err, &mu)
			}
		})
	}
	group.Wait()
}

// batches are what a sink is to be told, in the portions that it takes.
func (f *Forwarder) batches(s Sink, all []*work, mu *sync.Mutex) [][]*work {
	mu.Lock()
	defer mu.Unlock()
	var wanted []*work
	for _, w := range all {
		if s.wants(&w.Finding) && !slices.Contains(w.has, s.Name()) {
			wanted = append(wanted, w)
		}
	}
	size := 1
	if b, is := s.Sink.(batcher); is {
		size = b.Batch()
	}
	return slices.Collect(slices.Chunk(wanted, size))
}

// required is the number of sinks that must be told.
func (f *Forwarder) required() (n int) {
	for _, s := range f.Sinks {
		if !s.Optional {
			n++
		}
	}
	return n
}

// wants says whether a sink is told of a finding. Who was told of a trouble is told of its end.
func (s *Sink) wants(f *audit.Finding) bool {
	for _, incident := range f.Resolves {
		id, _, _ := strings.Cut(incident, "|")
		if d, known := audit.Find(id); known && d.Severity >= s.From {
			return true
		}
	}
	return f.Detection.Severity >= s.From
}

// noteDelivery keeps what came of a delivery, at once: a function may be cut off before the
// next.
func (f *Forwarder) noteDelivery(ctx context.Context, s Sink, batch []*work, err error, mu *sync.Mutex) {
	if err != nil {
		f.Log.LogAttrs(ctx, slog.LevelError, "sink failed", slog.String("sink", s.Name()), slog.Bool("optional", s.Optional),
			slog.String("kind", rotation.KindName(err)), slog.String("error", err.Error()), slog.String("hint", rotation.Hint(err)),
			slog.Int("findings", len(batch)), slog.Int("SinkFailures", 1), sink.Metric(f.now(), "SinkFailures", []string{"sink"}))
	}
	for _, w := range batch {
		mu.Lock()
		switch {
		case err == nil:
			w.has = append(w.has, s.Name())
		case !s.Optional:
			w.err = errors.Join(w.err, fmt.Errorf("%s: %w", w.Key, err))
		}
		unclaimed := w.unclaimed
		mu.Unlock()
		if err == nil && !unclaimed && !s.Optional && f.required() > 1 {
			if err := f.State.Note(ctx, w.Key, s.Name()); err != nil {
				f.warn(ctx, "the state was not written: sinks may be told again", err)
			}
		}
	}
}

func (f *Forwarder) warn(ctx context.Context, what string, err error) {
	f.Log.LogAttrs(ctx, slog.LevelWarn, what, slog.String("kind", rotation.KindName(err)), slog.String("error", err.Error()), slog.String("hint", rotation.Hint(err)))
}

// failed logs an error, and returns it with what to do.
func (f *Forwarder) failed(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	f.Log.LogAttrs(ctx, slog.LevelError, what+" failed", slog.String("kind", rotation.KindName(err)), slog.String("error", err.Error()), slog.String("hint", rotation.Hint(err)))
	return fmt.Errorf("%w. What to do: %s", err, rotation.Hint(err))
}
