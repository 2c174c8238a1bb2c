// Package statetest is what every store of records must pass.
package statetest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/state"
)

// Exercise runs the suite. open returns two views of one new and empty store: two processes,
// where the store can have two.
func Exercise(t *testing.T, open func(t *testing.T) (state.Records, state.Records)) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, one, other state.Records){
		"versions": versions, "odd keys": oddKeys, "list": list, "sums are whole": sums, "one wins": oneWins,
		"windows": windows,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, other := open(t)
			test(t, one, other)
		})
	}
	t.Run("as the model", func(t *testing.T) {
		t.Parallel()
		one, other := open(t)
		asTheModel(t, one, other)
	})
}

func must[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var later = time.Date(2100, 1, 2, 3, 4, 5, 0, time.UTC)

func versions(t *testing.T, one, other state.Records) {
	ctx, k := t.Context(), state.Key{Partition: "p", Name: "n"}
	swap := func(r state.Records, version int64, value string) bool {
		ok, err := r.Swap(ctx, k, state.Record{Version: version, Value: []byte(value), Expires: later})
		return must(t, ok, err)
	}
	load := func(r state.Records) state.Record {
		got, err := r.Load(ctx, k)
		return must(t, got, err)
	}
	if got := load(one); got.Version != 0 {
		t.Fatalf("there is %+v in an empty store", got)
	}
	if swap(one, 1, `1`) {
		t.Error("a version that is not there was swapped")
	}
	if !swap(one, 0, `{"a":1}`) || swap(other, 0, `2`) {
		t.Error("the first version is to be made once")
	}
	if got := load(other); got.Version != 1 || string(got.Value) != `{"a":1}` || !got.Expires.Equal(later) {
		t.Errorf("loaded %+v", got)
	}
	if !swap(other, 1, `3`) || swap(one, 1, `4`) {
		t.Error("the second version is to be made once")
	}
	if got := load(one); got.Version != 2 || string(got.Value) != `3` {
		t.Errorf("loaded %+v", got)
	}
}

func oddKeys(t *testing.T, one, _ state.Records) {
	ctx := t.Context()
	long := strings.Repeat("k", 1000)
	keys := []state.Key{
		{Partition: "a", Name: "bc"},
		{Partition: "ab", Name: "c"},
		{Partition: "a|b", Name: "c"},
		{Partition: "arn:aws:iam::123456789012:role/ü \"x\"", Name: "-"},
		{Partition: long, Name: long},
	}
	for n, k := range keys {
		ok, err := one.Swap(ctx, k, state.Record{Value: fmt.Appendf(nil, "%d", n), Expires: later})
		if !must(t, ok, err) {
			t.Errorf("%.40q is another's key", k)
		}
	}
	for n, k := range keys {
		r, err := one.Load(ctx, k)
		if r = must(t, r, err); string(r.Value) != fmt.Sprint(n) {
			t.Errorf("%.40q: loaded %+v", k, r)
		}
	}
}

func list(t *testing.T, one, other state.Records) {
	ctx := t.Context()
	const many = 230
	for n := range many {
		ok, err := one.Swap(ctx, state.Key{Partition: "listed", Name: fmt.Sprint("name ", n)}, state.Record{Value: []byte(`true`), Expires: later})
		must(t, ok, err)
	}
	ok, err := one.Swap(ctx, state.Key{Partition: "listed not", Name: "x"}, state.Record{Value: []byte(`true`), Expires: later})
	must(t, ok, err)
	got, err := other.List(ctx, "listed")
	if got = must(t, got, err); len(got) != many || got["name 229"].Version != 1 || string(got["name 229"].Value) != "true" {
		t.Errorf("%d are listed, the last as %+v", len(got), got["name 229"])
	}
	none, err := one.List(ctx, "empty")
	if len(must(t, none, err)) != 0 {
		t.Error("an empty partition lists something")
	}
}

// sums: what many add at once is all there.
func sums(t *testing.T, one, other state.Records) {
	ctx, at := t.Context(), time.Now()
	books := []*state.Book{state.New(one, nil), state.New(other, nil)}
	var group sync.WaitGroup
	for n := range 24 {
		group.Go(func() {
			for range 2 { // delivered twice
				if _, err := books[n%2].Count(ctx, "key", fmt.Sprint("member ", n), at, time.Hour); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	tally, err := books[0].Count(ctx, "key", "member 3", at, time.Hour)
	if tally = must(t, tally, err); tally.Members != 24 {
		t.Errorf("%d members, want 24", tally.Members)
	}
}

// oneWins: of many who claim a finding at once, one tells of it; when its lease is over, the
// next; and nobody any more when it was told.
func oneWins(t *testing.T, one, other state.Records) {
	ctx := t.Context()
	var clock offset
	books := []*state.Book{state.New(one, clock.now), state.New(other, clock.now)}
	claim := func(n int) state.Claim {
		c, err := books[n%2].Claim(ctx, "finding", fmt.Sprint("owner ", n), time.Minute)
		if err != nil {
			t.Error(err)
		}
		return c
	}
	round := func(want int) {
		t.Helper()
		var mu sync.Mutex
		var group sync.WaitGroup
		won := 0
		for n := range 10 {
			group.Go(func() {
				if claim(n).Status == state.Won {
					mu.Lock()
					defer mu.Unlock()
					won++
				}
			})
		}
		group.Wait()
		if won != want {
			t.Errorf("%d claims won, want %d", won, want)
		}
	}
	round(1)
	if err := books[0].Note(ctx, "finding", "chat"); err != nil {
		t.Error(err)
	}
	if got := claim(20); got.Status != state.Taken {
		t.Errorf("the claim under a lease is %+v", got)
	}
	clock.add(2 * time.Minute) // whoever it was has died
	if got := claim(30); got.Status != state.Won || len(got.Has) != 1 || got.Has[0] != "chat" {
		t.Errorf("the claim after the lease is %+v", got)
	}
	if err := books[1].Told(ctx, "finding", []string{"chat"}, false); err != nil {
		t.Error(err)
	}
	if got := claim(31); got.Status != state.Won {
		t.Errorf("the claim after a failure is %+v", got)
	}
	if err := books[1].Told(ctx, "finding", []string{"mail"}, true); err != nil {
		t.Error(err)
	}
	round(0)
	if got := claim(40); got.Status != state.Done || len(got.Has) != 2 {
		t.Errorf("the claim of what was told is %+v", got)
	}
}

// offset is a clock that goes on when it is told to, and a bit.
type offset struct {
	mu sync.Mutex
	by time.Duration
}

func (o *offset) add(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.by += d
}

func (o *offset) now() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC).Add(o.by)
}

// windows: equal findings are one alert with a count, in each window.
func windows(t *testing.T, one, other state.Records) {
	ctx := t.Context()
	var clock offset
	books := []*state.Book{state.New(one, clock.now), state.New(other, clock.now)}
	n := 0
	join := func(key string, of int) int {
		t.Helper()
		n++
		count, err := books[n%2].Join(ctx, audit.Finding{
			Key: key, Incident: "incident", Detection: audit.Catalogue()[0], Count: of, Event: audit.Event{ID: key},
		}, time.Minute)
		return must(t, count, err)
	}
	reminders := func() []audit.Finding {
		t.Helper()
		list, err := books[n%2].Reminders(ctx, time.Minute)
		return must(t, list, err)
	}
	if got := join("first", 3); got != 3 {
		t.Errorf("the first alert stands for %d", got)
	}
	if got := join("first", 3); got != 3 {
		t.Errorf("the first alert, told again, stands for %d", got)
	}
	for i := range 5 {
		if got := join(fmt.Sprint("more ", i), 1); got != 0 {
			t.Errorf("one of the same window is an alert of %d", got)
		}
	}
	if got := reminders(); len(got) != 0 {
		t.Errorf("a window that is not over is told: %v", got)
	}
	clock.add(2 * time.Minute)
	for range 2 { // until it is known to be told
		got := reminders()
		if len(got) != 1 || got[0].Count != 5 || got[0].Event.ID != "more 4" || got[0].Detection == nil || got[0].Key == "more 4" {
			t.Fatalf("the reminder is %+v", got)
		}
	}
	if err := books[0].Reminded(ctx, reminders()[0]); err != nil {
		t.Error(err)
	}
	if got := reminders(); len(got) != 0 {
		t.Errorf("told once more: %v", got)
	}
	if got := join("within the next", 1); got != 0 {
		t.Errorf("the reminder does not begin a window: %d", got)
	}
	clock.add(2 * time.Minute)
	if got := join("after it", 1); got != 2 {
		t.Errorf("the alert after a window stands for %d, want what came in it too", got)
	}
	if got := reminders(); len(got) != 0 {
		t.Errorf("what an alert told is told again: %v", got)
	}
}

// asTheModel: the state of detections answers as the one in memory does.
func asTheModel(t *testing.T, one, other state.Records) {
	ctx := t.Context()
	begin := time.Now().Truncate(time.Second)
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		model := audit.NewMemory()
		books := []*state.Book{state.New(one, nil), state.New(other, nil)}
		at := begin
		for range rapid.IntRange(1, 15).Draw(t, "calls") {
			at = at.Add(time.Duration(rapid.IntRange(-2, 40).Draw(t, "minutes")) * time.Minute)
			book := books[rapid.IntRange(0, 1).Draw(t, "book")]
			key := fmt.Sprint("run ", run, " key ", rapid.IntRange(0, 1).Draw(t, "key"))
			member := fmt.Sprint("member ", rapid.IntRange(0, 4).Draw(t, "member"))
			want, err := model.Count(ctx, key, member, at, time.Hour)
			got, bad := book.Count(ctx, key, member, at, time.Hour)
			if err != nil || bad != nil || got.Members != want.Members || !got.Since.Equal(want.Since) {
				t.Fatalf("counted %+v, %v; the model %+v, %v", got, bad, want, err)
			}
			first, err := model.See(ctx, key, at, time.Hour)
			seen, bad := book.See(ctx, key, at, time.Hour)
			if err != nil || bad != nil || !seen.Equal(first) {
				t.Fatalf("seen %s, %v; the model %s, %v", seen, bad, first, err)
			}
		}
	})
}
