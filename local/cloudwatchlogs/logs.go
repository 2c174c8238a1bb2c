// Package cloudwatchlogs is Amazon CloudWatch Logs on one machine, as far as this project
// reads it: the lines that functions write, by log group, and FilterLogEvents with a filter
// pattern that compares members of JSON lines. What it does not know it refuses.
//
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
package cloudwatchlogs

import (
	"context"
	"encoding/json"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rekey-aws/rekey/local/awsjson"
)

// Options configure Logs; the zero value will do.
type Options struct {
	Now    func() time.Time                      // of the lines; time.Now if nil
	OnCall func(action string)                   // see awsjson.Service
	Fault  func(operation string) *awsjson.Error // see awsjson.Service
}

// Logs serves the API. It is safe for concurrent use.
type Logs struct {
	awsjson.Service
	now func() time.Time

	mu     sync.Mutex
	groups map[string][]event
}

type event struct {
	at   int64 // Unix milliseconds
	text string
}

// kept bounds the lines of one group: the oldest go first.
const kept = 10_000

// New makes one without log groups.
func New(o Options) *Logs {
	l := &Logs{groups: map[string][]event{}, now: o.Now}
	if l.now == nil {
		l.now = time.Now
	}
	l.Service = awsjson.Service{
		Name: "logs", Version: "1.1", Target: "Logs_20140328.", OnCall: o.OnCall, Fault: o.Fault,
		Operations: map[string]awsjson.Operation{"FilterLogEvents": awsjson.Handle(l.filter)},
	}
	return l
}

// Group makes a log group if there is none of the name, and returns the writer of its events:
// each Write is one line, as lambda.Config.Logs gets them.
func (l *Logs) Group(name string) io.Writer {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.groups[name] == nil {
		l.groups[name] = []event{}
	}
	return &group{logs: l, name: name}
}

type group struct {
	logs *Logs
	name string
}

func (g *group) Write(line []byte) (int, error) {
	l := g.logs
	l.mu.Lock()
	defer l.mu.Unlock()
	all := append(l.groups[g.name], event{l.now().UnixMilli(), strings.TrimSuffix(string(line), "\n")})
	l.groups[g.name] = all[max(0, len(all)-kept):]
	return len(line), nil
}

type request struct {
	LogGroupName  string `json:"logGroupName"`
	FilterPattern string `json:"filterPattern"`
	StartTime     int64  `json:"startTime"`
	EndTime       int64  `json:"endTime"`
	Limit         int    `json:"limit"`
	NextToken     string `json:"nextToken"`
}

type answer struct {
	Events    []found `json:"events"`
	NextToken string  `json:"nextToken,omitempty"`
}

type found struct {
	Timestamp     int64  `json:"timestamp"`
	IngestionTime int64  `json:"ingestionTime"`
	Message       string `json:"message"`
}

// perPage is how many events one call looks at: as AWS may, it answers pages without any.
const perPage = 1000

func (l *Logs) filter(_ context.Context, r request) (*answer, error) {
	matches, err := compile(r.FilterPattern)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	events, known := l.groups[r.LogGroupName]
	if !known {
		return nil, awsjson.Refuse("ResourceNotFoundException", "The specified log group does not exist.")
	}
	from := 0
	if r.NextToken != "" {
		if from, err = strconv.Atoi(r.NextToken); err != nil || from < 0 || from > len(events) {
			return nil, awsjson.Refuse("InvalidParameterException", "The specified nextToken is invalid.")
		}
	}
	a := &answer{Events: []found{}}
	for n, e := range events[from:] {
		if n == perPage || r.Limit > 0 && len(a.Events) == r.Limit {
			a.NextToken = strconv.Itoa(from + n)
			break
		}
		if e.at >= r.StartTime && (r.EndTime == 0 || e.at < r.EndTime) && matches(e.text) {
			a.Events = append(a.Events, found{e.at, e.at, e.text})
		}
	}
	return a, nil
}

var comparison = regexp.MustCompile(`^\(?\s*\$\.([A-Za-z0-9_]+)\s*=\s*"([^"*]*)"\s*\)?$`)

// compile reads patterns of the form { $.member = "text" && … }:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
func compile(pattern string) (func(line string) bool, error) {
	inner, ok := strings.CutPrefix(strings.TrimSpace(pattern), "{")
	if ok {
		inner, ok = strings.CutSuffix(inner, "}")
	}
	want := map[string]string{}
	for part := range strings.SplitSeq(inner, "&&") {
		m := comparison.FindStringSubmatch(strings.TrimSpace(part))
		if m == nil {
			ok = false
			break
		}
		want[m[1]] = m[2]
	}
	if !ok {
		return nil, awsjson.Refuse("InvalidParameterException", `Invalid filter pattern, or one that the stand-in does not know: give { $.member = "text" && … }`)
	}
	return func(line string) bool {
		var members map[string]any
		if json.Unmarshal([]byte(line), &members) != nil {
			return false
		}
		for name, text := range want {
			if members[name] != text {
				return false
			}
		}
		return true
	}, nil
}
