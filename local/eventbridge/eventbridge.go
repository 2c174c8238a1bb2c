// Package eventbridge is Amazon EventBridge on one machine, as far as this project puts events
// of its own on a bus: PutEvents. What it does not know it refuses. The events of Secrets
// Manager, and rules, are local/eventbus's.
//
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
package eventbridge

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/rekey-aws/rekey/local/awsjson"
)

// Event is one that was put.
type Event struct {
	Bus, Source, DetailType string
	Detail                  string // JSON
	Resources               []string
}

// Bus serves the API. Set its fields before it is served; it is safe for concurrent use.
type Bus struct {
	Buses []string // the names of those that exist beside "default"

	OnEvent func(Event)
	OnCall  func(action string)                   // as for awsjson.Service
	Fault   func(operation string) *awsjson.Error // as for awsjson.Service

	mu     sync.Mutex
	events []Event
}

// Events are those that were put.
func (b *Bus) Events() []Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}

// ServeHTTP serves one call.
func (b *Bus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	service := awsjson.Service{
		Name: "events", Version: "1.1", Target: "AWSEvents.", OnCall: b.OnCall, Fault: b.Fault,
		Operations: map[string]awsjson.Operation{"PutEvents": awsjson.Handle(b.putEvents)},
	}
	service.ServeHTTP(w, r)
}

type putEventsInput struct {
	Entries []struct {
		EventBusName, Source, DetailType, Detail string
		Resources                                []string
	}
}

type result struct {
	EventId      string `json:",omitempty"` //nolint:staticcheck // the API's name
	ErrorCode    string `json:",omitempty"`
	ErrorMessage string `json:",omitempty"`
}

type putEventsOutput struct {
	FailedEntryCount int
	Entries          []result
}

// maxDetail is below EventBridge's limit of a whole entry, 256 KiB.
const maxDetail = 200 << 10

func (b *Bus) putEvents(_ context.Context, in putEventsInput) (putEventsOutput, error) {
	var out putEventsOutput
	if len(in.Entries) == 0 || len(in.Entries) > 10 {
		return out, awsjson.Refuse("ValidationException", "1 validation error detected: Entries must have 1 to 10 members")
	}
	for _, e := range in.Entries {
		bus := e.EventBusName[strings.LastIndex(e.EventBusName, "/")+1:]
		var detail map[string]any
		var failed result
		switch {
		case bus == "":
			bus = "default"
			fallthrough
		case bus == "default" || slices.Contains(b.Buses, bus):
			switch {
			case e.Source == "" || strings.HasPrefix(e.Source, "aws."):
				failed = result{ErrorCode: "InvalidArgument", ErrorMessage: "Parameter Source is not valid."}
			case e.DetailType == "":
				failed = result{ErrorCode: "InvalidArgument", ErrorMessage: "Parameter DetailType is not valid. Reason: DetailType is a required argument."}
			case json.Unmarshal([]byte(e.Detail), &detail) != nil || len(e.Detail) > maxDetail:
				failed = result{ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed."}
			}
		default:
			return out, awsjson.Refuse("ResourceNotFoundException", "Event bus %s does not exist.", bus)
		}
		if failed.ErrorCode != "" {
			out.FailedEntryCount++
			out.Entries = append(out.Entries, failed)
			continue
		}
		b.keep(Event{bus, e.Source, e.DetailType, e.Detail, e.Resources})
		out.Entries = append(out.Entries, result{EventId: rand.Text()})
	}
	return out, nil
}

func (b *Bus) keep(e Event) {
	b.mu.Lock()
	b.events = append(b.events, e)
	b.mu.Unlock()
	if b.OnEvent != nil {
		b.OnEvent(e)
	}
}
