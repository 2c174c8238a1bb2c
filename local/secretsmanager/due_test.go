package secretsmanager_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rekey-aws/rekey/local/secretsmanager"
)

func TestScheduledRotation(t *testing.T) {
	w := newWorld(t)
	w.create("s", "v0")
	must(0, w.rotate(1, withRules(types.RotationRulesType{ScheduleExpression: aws.String("cron(0 8,20 * * ? *)"), Duration: aws.String("2h")})))(t)
	must(w.wait())(t)
	if next := w.describe("s").NextRotationDate; !next.Equal(time.Date(2026, 7, 15, 21, 59, 59, 0, time.UTC)) {
		t.Errorf("next rotation %v", next)
	}
	due := func(at time.Time, steps int) {
		t.Helper()
		w.pass(at.Sub(w.clock()))
		must(0, w.srv.RunDue(t.Context()))(t)
		w.wait()
		if got := len(w.function.ran()); got != steps {
			t.Fatalf("at %v %d steps had run, want %d", at, got, steps)
		}
	}
	day := time.Date(2026, 7, 15, 0, 0, 0, 0, time.UTC)
	due(day.Add(20*time.Hour-time.Second), 4)
	due(day.Add(20*time.Hour), 8)
	due(day.Add(21*time.Hour), 8) // once in a window
	w.function.fail = func(step string, _ int) error { return errors.New("no") }
	due(day.Add(32*time.Hour), 11)
	due(day.Add(33*time.Hour), 11)
	failed := w.function.payloads[10]["ClientRequestToken"]
	w.function.fail = nil
	due(day.Add(44*time.Hour), 15) // "That rotation will be reattempted": with its token
	if got := w.function.payloads[14]["ClientRequestToken"]; got != failed {
		t.Errorf("the next window rotated with %s, want %s again", got, failed)
	}
	if d := w.describe("s"); !d.LastRotatedDate.Equal(day.Add(44*time.Hour)) || !slices.Equal(d.VersionIdsToStages[failed], []string{"AWSCURRENT"}) {
		t.Errorf("described as %+v", d)
	}
}

func TestAValueWrittenByHandMovesTheNextRotation(t *testing.T) {
	w := newWorld(t)
	w.create("s", "v0")
	must(0, w.rotate(1, withRules(types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(10)})))(t)
	must(w.wait())(t)
	w.pass(3 * 24 * time.Hour)
	must(0, w.put(2))(t)
	if next := w.describe("s").NextRotationDate; !next.Equal(time.Date(2026, 7, 28, 23, 59, 59, 0, time.UTC)) {
		t.Errorf("next rotation %v", next)
	}
}

func TestRunAndClose(t *testing.T) {
	w := newWorld(t)
	w.create("s", "v0")
	must(0, w.rotate(1, testOnly, withRules(types.RotationRulesType{ScheduleExpression: aws.String("rate(4 hours)")})))(t)
	must(w.wait())(t)
	w.function.block, w.function.entered = make(chan struct{}), make(chan string, 4)
	w.pass(4 * time.Hour)
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error)
	go func() { ran <- w.srv.Run(ctx) }()
	<-w.function.entered
	waiting, giveUp := context.WithTimeout(t.Context(), time.Millisecond)
	defer giveUp()
	if _, err := w.srv.Wait(waiting, "s"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting in vain: %v", err)
	}
	stop()
	must(0, <-ran)(t)
	must(0, w.srv.Close())(t) // in the middle of a step
	if _, err := w.wait(); !errors.Is(err, secretsmanager.ErrClosed) {
		t.Errorf("the rotation ended with %v", err)
	}
}
