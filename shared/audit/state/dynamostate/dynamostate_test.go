package dynamostate_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rekey-aws/rekey/local/awsjson"
	"github.com/rekey-aws/rekey/local/dynamodb"
	"github.com/rekey-aws/rekey/shared/audit/state"
	"github.com/rekey-aws/rekey/shared/audit/state/dynamostate"
	"github.com/rekey-aws/rekey/shared/audit/state/statetest"
	"github.com/rekey-aws/rekey/shared/awsclient"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// database is one with a table called state; loses decides which answers are lost.
func database(t *testing.T, o dynamodb.Options, loses func() bool) string {
	t.Helper()
	o.Tables = []dynamodb.Table{{Name: "state", Partition: dynamostate.PartitionKey, Sort: dynamostate.SortKey}}
	d, err := dynamodb.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !loses() {
			d.ServeHTTP(w, r)
			return
		}
		d.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(web.Close)
	return web.URL
}

func never() bool { return false }

func table(t *testing.T, url, name string) *dynamostate.Table {
	t.Helper()
	s, err := awsclient.Read(func(name string) (string, bool) {
		v, ok := map[string]string{"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "example", "AWS_MAX_ATTEMPTS": "3"}[name]
		return v, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	return dynamostate.New(s, name)
}

func TestTable(t *testing.T) {
	t.Parallel()
	statetest.Exercise(t, func(t *testing.T) (state.Records, state.Records) {
		url := database(t, dynamodb.Options{}, never)
		return table(t, url, "state"), table(t, url, "state")
	})
}

// A write whose answer is lost counts as made, though the client makes it again.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	url := database(t, dynamodb.Options{}, func() bool { return calls.Add(1) == 1 })
	one := table(t, url, "state")
	ok, err := one.Swap(t.Context(), state.Key{Partition: "p", Name: "n"}, state.Record{Value: []byte("1")})
	if !ok || err != nil || calls.Load() != 2 {
		t.Errorf("swapped %t, %v, in %d calls", ok, err, calls.Load())
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	refused := func(code string) string {
		return database(t, dynamodb.Options{Fault: func(string) *awsjson.Error { return awsjson.Refuse(code, "no") }}, never)
	}
	for name, c := range map[string]struct {
		table *dynamostate.Table
		kind  error
		says  string
	}{
		"no table":  {table(t, database(t, dynamodb.Options{}, never), "other"), rotation.ErrConfig, "STATE_TABLE"},
		"denied":    {table(t, refused("AccessDeniedException"), "state"), rotation.ErrDenied, "dynamodb:GetItem"},
		"throttled": {table(t, refused("ProvisionedThroughputExceededException"), "state"), rotation.ErrThrottled, ""},
		"no answer": {table(t, "http://127.0.0.1:1", "state"), rotation.ErrUnreachable, "endpoint"},
	} {
		_, err := c.table.Load(t.Context(), state.Key{Partition: "p", Name: "n"})
		if !errors.Is(err, c.kind) || !strings.Contains(rotation.Hint(err), c.says) {
			t.Errorf("%s: %v (%s)", name, err, rotation.Hint(err))
		}
	}
}
