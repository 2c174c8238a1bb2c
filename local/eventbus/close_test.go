package eventbus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestCloseDeliversOrBuriesEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 500
		f := &function{fail: func(attempt int) error {
			if attempt < 3 {
				return errors.New("not yet")
			}
			return nil
		}}
		folder := t.TempDir()
		b := open(t, f, func(o *Options) {
			o.DeadLetters, o.Backoff = folder, func(int) time.Duration { return time.Hour }
		})
		everything(t, b, Retry{Attempts: 10})
		for i := range n {
			put(t, b, event(fmt.Sprint(i), `{}`))
		}
		synctest.Wait() // each has failed once, and waits an hour
		begin := time.Now()
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("Close waited %s for retries", took)
		}
		dead := letters(t, folder)
		if len(f.delivered())+len(dead) != n {
			t.Errorf("%d delivered, %d dead, of %d", len(f.delivered()), len(dead), n)
		}
		for _, l := range dead {
			if f.tries[l.Event.ID] != 2 {
				t.Fatalf("event %s was tried %d times, want once more at the close", l.Event.ID, f.tries[l.Event.ID])
			}
		}
		if err := b.Put(t.Context(), event("late", `{}`)); !errors.Is(err, ErrClosed) {
			t.Errorf("Put after Close: %v", err)
		}
		if err := b.PutRule(Rule{Name: "late", Pattern: `{"a": [1]}`}); !errors.Is(err, ErrClosed) {
			t.Errorf("PutRule after Close: %v", err)
		}
		if err := b.Close(t.Context()); err != nil {
			t.Errorf("Close again: %v", err)
		}
	})
}

func TestCloseCutsInvocationsWhenItMust(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &function{block: make(chan struct{})}
		folder := t.TempDir()
		b := open(t, f, func(o *Options) { o.DeadLetters = folder })
		everything(t, b, Retry{})
		for i := range 10 {
			put(t, b, event(fmt.Sprint(i), `{}`))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Fatal(err)
		}
		if dead := letters(t, folder); len(dead) != 10 {
			t.Errorf("%d dead letters, want 10", len(dead))
		}
	})
}

func TestCloseSaysWhatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &function{fail: func(int) error { return errors.New("no") }}
		b := open(t, f, nil)
		everything(t, b, Retry{Attempts: 1})
		put(t, b, event("1", `{}`), event("2", `{}`))
		err := b.Close(t.Context())
		if err == nil || !strings.Contains(err.Error(), "2 undelivered events are lost: there is no folder") {
			t.Errorf("Close: %v", err)
		}
	})
}
