package lambda

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// api is a Runtime API that the test speaks to in place of a function.
type api struct {
	t      *testing.T
	server *httptest.Server
	*runtimeAPI
}

func newAPI(t *testing.T) *api {
	t.Helper()
	a := &api{t: t, runtimeAPI: newRuntimeAPI()}
	a.server = httptest.NewServer(a.handler())
	t.Cleanup(a.server.Close)
	return a
}

// do sends a request and returns the status, the headers and the body.
func (a *api) do(method, path, body string) (int, http.Header, string) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.server.URL+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Lambda-Runtime-Function-Error-Type", "Runtime.Header")
	resp, err := a.server.Client().Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, strings.TrimSpace(string(text))
}

func (a *api) event() *event {
	select {
	case ev := <-a.events:
		return &ev
	default:
		return nil
	}
}

const current = "11111111-2222-4333-8444-555555555555"

// advance brings the protocol to a state with an invocation.
func (a *api) advance(state runtimeState) {
	a.t.Helper()
	inv := &invocation{id: current, arn: "arn", trace: "Root=1", payload: []byte(`{"a":1}`), deadline: time.UnixMilli(1542409706888)}
	switch state {
	case stateReady: // after an invocation; nobody waits
		a.advance(stateResponseSent)
		ctx, cancel := context.WithCancel(a.t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.server.URL+apiPath+"/invocation/next", nil)
		if err != nil {
			a.t.Fatal(err)
		}
		time.AfterFunc(20*time.Millisecond, cancel)
		if resp, err := a.server.Client().Do(req); err == nil {
			_ = resp.Body.Close()
			a.t.Fatal("there is no invocation, but next answered")
		}
		if ev := a.event(); ev == nil || ev.kind != eventReady {
			a.t.Fatalf("asking gave event %+v", ev)
		}
	case stateRunning:
		if _, _, refused := a.ask(time.Now()); refused != "" {
			a.t.Fatalf("refused in state %s", refused)
		}
		a.event()
		a.begin(inv)
		a.do("GET", apiPath+"/invocation/next", "")
	case stateResponseSent:
		a.advance(stateRunning)
		a.do("POST", apiPath+"/invocation/"+current+"/response", "{}")
		a.event()
	case stateInitError:
		a.do("POST", apiPath+"/init/error", "{}")
		a.event()
	}
}

func TestRuntimeAPI(t *testing.T) {
	const (
		response = apiPath + "/invocation/" + current + "/response"
		failure  = apiPath + "/invocation/" + current + "/error"
		other    = apiPath + "/invocation/99999999-2222-4333-8444-555555555555"
		ok       = `{"status":"OK"}`
		wrongID  = `{"errorType":"InvalidRequestID","errorMessage":"Invalid request ID"}`
	)
	forbidden := func(from, to runtimeState) string {
		return fmt.Sprintf(`{"errorType":"InvalidStateTransition","errorMessage":"State transition from %s to %s failed for runtime. Error: State transition is not allowed"}`, from, to)
	}
	none := eventKind(-1)
	tests := []struct {
		state        runtimeState
		method, path string
		body         string
		status       int
		answer       string
		kind         eventKind
	}{
		{stateStarted, "POST", response, "{}", 400, wrongID, none},
		{stateStarted, "POST", failure, "{}", 400, wrongID, none},
		{stateStarted, "POST", apiPath + "/init/error", `{"errorType":"x"}`, 202, ok, eventInitError},
		{stateInitError, "POST", apiPath + "/init/error", "{}", 403, forbidden(stateInitError, stateInitError), none},
		{stateInitError, "GET", apiPath + "/invocation/next", "", 403, forbidden(stateInitError, stateReady), none},
		{stateRunning, "GET", apiPath + "/invocation/next", "", 200, `{"a":1}`, none},
		{stateRunning, "POST", response, `{"b":2}`, 202, ok, eventResponse},
		{stateRunning, "POST", response, "", 202, ok, eventResponse},
		{stateRunning, "POST", failure, `{"errorType":"x"}`, 202, ok, eventError},
		{stateRunning, "POST", other + "/response", "{}", 400, wrongID, none},
		{stateRunning, "POST", other + "/error", "{}", 400, wrongID, none},
		{stateRunning, "POST", response, strings.Repeat("x", maxResponseBytes), 202, ok, eventResponse},
		{
			stateRunning, "POST", response, strings.Repeat("x", maxResponseBytes+1), 413,
			`{"errorType":"RequestEntityTooLarge","errorMessage":"Exceeded maximum allowed payload size (6291556 bytes)."}`, eventTooLarge,
		},
		{stateRunning, "POST", apiPath + "/init/error", "{}", 403, forbidden(stateRunning, stateInitError), none},
		{stateResponseSent, "POST", response, "{}", 403, forbidden(stateResponseSent, stateResponse), none},
		{stateResponseSent, "POST", failure, "{}", 403, forbidden(stateResponseSent, stateErrorResponse), none},
		{stateResponseSent, "POST", other + "/response", "{}", 400, wrongID, none},
		{stateReady, "POST", response, "{}", 400, wrongID, none},
		{stateRunning, "PUT", response, "{}", 405, "Method Not Allowed", none},
		{stateRunning, "GET", "/2018-06-01/extension/event/next", "", 404, "404 page not found", none},
		{stateRunning, "GET", "/2015-03-31/runtime/invocation/next", "", 404, "404 page not found", none},
	}
	for _, tt := range tests {
		name := fmt.Sprintf("%s/%s %s %d bytes", tt.state, tt.method, tt.path, len(tt.body))
		t.Run(name, func(t *testing.T) {
			a := newAPI(t)
			a.advance(tt.state)
			status, _, answer := a.do(tt.method, tt.path, tt.body)
			if status != tt.status || answer != tt.answer {
				t.Errorf("got %d %s, want %d %s", status, answer, tt.status, tt.answer)
			}
			ev := a.event()
			if ev == nil && tt.kind != none || ev != nil && ev.kind != tt.kind {
				t.Fatalf("got event %+v, want kind %d", ev, tt.kind)
			}
			if ev != nil && (ev.kind == eventError || ev.kind == eventInitError) && ev.errorType != "Runtime.Header" {
				t.Errorf("error type %q of the header", ev.errorType)
			}
			if ev != nil && ev.kind == eventResponse && string(ev.body) != tt.body {
				t.Errorf("got a body of %d bytes", len(ev.body))
			}
		})
	}
}

func TestNextTellsTheInvocation(t *testing.T) {
	a := newAPI(t)
	a.advance(stateRunning)
	_, header, _ := a.do("GET", apiPath+"/invocation/next", "")
	for name, want := range map[string]string{
		"Lambda-Runtime-Aws-Request-Id":       current,
		"Lambda-Runtime-Deadline-Ms":          "1542409706888",
		"Lambda-Runtime-Invoked-Function-Arn": "arn",
		"Lambda-Runtime-Trace-Id":             "Root=1",
		"Content-Type":                        "application/json",
	} {
		if got := header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// A body that breaks off, and an error that a runtime finds in the middle of a response.
func TestResponsesThatFailOnTheWay(t *testing.T) {
	send := func(a *api, text string) string {
		conn, err := net.Dial("tcp", a.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := fmt.Fprintf(conn, "POST %s/invocation/%s/response HTTP/1.1\r\nHost: x\r\n%s", apiPath, current, text); err != nil {
			t.Fatal(err)
		}
		_ = conn.(*net.TCPConn).CloseWrite()
		status, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(status)
	}
	a := newAPI(t)
	a.advance(stateRunning)
	if status := send(a, "Content-Length: 100\r\n\r\nonly this"); status != "HTTP/1.1 400 Bad Request" || a.event() != nil {
		t.Errorf("a truncated response: %s", status)
	}
	trailers := "Transfer-Encoding: chunked\r\nTrailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n" +
		"3\r\nabc\r\n0\r\nLambda-Runtime-Function-Error-Type: Broken\r\nLambda-Runtime-Function-Error-Body: e30=\r\n\r\n"
	if status := send(a, trailers); status != "HTTP/1.1 202 Accepted" {
		t.Errorf("a response with error trailers: %s", status)
	}
	if ev := a.event(); ev == nil || ev.kind != eventError || ev.errorType != "Broken" || string(ev.body) != "{}" {
		t.Errorf("got event %+v", ev)
	}
}
