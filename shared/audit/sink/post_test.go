package sink_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/sink"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// script answers with statuses one after the other, the last for ever.
func script(retryAfter string, statuses ...int) func(int, sent) (int, http.Header, error) {
	return func(n int, _ sent) (int, http.Header, error) {
		status := statuses[min(n, len(statuses))-1]
		if status == 0 {
			return 0, nil, io.ErrUnexpectedEOF
		}
		h := http.Header{}
		if status == http.StatusTooManyRequests {
			h.Set("Retry-After", retryAfter)
		}
		return status, h, nil
	}
}

// What may succeed a moment later is tried again; as late as the receiver asks for; and nothing
// of the address is in an error.
func TestTries(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		retryAfter string
		statuses   []int
		kind       error
		tries      int
		waits      time.Duration // of the first pause, at least
		anew       int
	}{
		"accepted":            {"", []int{202}, nil, 1, 0, 0},
		"its trouble passes":  {"", []int{500, 503, 200}, nil, 3, time.Millisecond, 0},
		"its trouble stays":   {"", []int{502}, rotation.ErrVendor, 5, time.Millisecond, 0},
		"connection lost":     {"", []int{0, 0, 200}, nil, 3, time.Millisecond, 0},
		"never connected":     {"", []int{0}, rotation.ErrUnreachable, 5, time.Millisecond, 0},
		"limited, in seconds": {"17", []int{429, 200}, nil, 2, 17 * time.Second, 0},
		"limited, by date":    {clock.Add(23 * time.Second).Format(http.TimeFormat), []int{429, 200}, nil, 2, 23 * time.Second, 0},
		"limited, unsaid":     {"soon", []int{429, 200}, nil, 2, time.Millisecond, 0},
		"limited for long":    {"600", []int{429, 200}, rotation.ErrThrottled, 1, 0, 0},
		"new address":         {"", []int{410, 200}, nil, 2, 0, 1},
		"no address any more": {"", []int{404}, rotation.ErrRefused, 2, 0, 1},
		"wrong key":           {"", []int{403}, rotation.ErrRefused, 2, 0, 1},
		"not its format":      {"", []int{400}, rotation.ErrVendor, 1, 0, 0},
		"elsewhere":           {"", []int{307}, rotation.ErrConfig, 1, 0, 0},
	} {
		for _, which := range []string{"slack", "teams", "pager", "hook"} {
			t.Run(name+", "+which, func(t *testing.T) {
				t.Parallel()
				s := newSet()
				s.wire.answer = script(c.retryAfter, c.statuses...)
				ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(time.Minute))
				defer cancel()
				s.options.Now = func() time.Time { return clock }
				if c.retryAfter == "600" {
					s.options.Now = time.Now
				}
				err := people(t, s)[which].Deliver(ctx, []audit.Finding{failed()})
				if !errors.Is(err, c.kind) || len(s.wire.sent) != c.tries || s.vault.anew != c.anew {
					t.Fatalf("%v after %d tries, the secret read anew %d times", err, len(s.wire.sent), s.vault.anew)
				}
				if c.waits > 0 && (len(s.pauses) == 0 || s.pauses[0] < c.waits) {
					t.Errorf("it waited %v, want %s at first", s.pauses, c.waits)
				}
				if err != nil && (strings.Contains(err.Error(), "secret-path") || !strings.Contains(err.Error(), host(t, s.wire.sent[0].url))) {
					t.Errorf("the error is %q", err)
				}
			})
		}
	}
}

// A value that is read anew is used.
func TestNewSecret(t *testing.T) {
	t.Parallel()
	s := newSet()
	s.vault.values["slack"] = append(s.vault.values["slack"], `{"url": "https://hooks.slack.com/services/new"}`)
	s.wire.answer = func(_ int, r sent) (int, http.Header, error) {
		if r.url == slackURL {
			return http.StatusNotFound, nil, nil
		}
		return http.StatusOK, nil, nil
	}
	if err := sink.NewSlack("slack", "slack", s.options).Deliver(t.Context(), []audit.Finding{failed(), failed()}); err != nil {
		t.Error(err)
	}
}

func TestBadSecrets(t *testing.T) {
	t.Parallel()
	for _, which := range []string{"slack", "teams", "pager", "hook"} {
		for _, value := range []string{
			"", "secret-path", `[]`, `{}`, `{"url": "http://secret-path.example.com/"}`, `{"url": "https://user:secret-path@example.com/"}`, `{"url": "secret-path"}`,
			`{"url": "https://example.com/", "secret-path": 1}`, `{"url": "https://example.com/", "key": "whsec_c2hvcnQ="}`,
		} {
			if which != "hook" && strings.Contains(value, "whsec_") && which != "pager" {
				continue // a key that is not used
			}
			s := newSet()
			s.vault.values[which] = []string{value}
			err := people(t, s)[which].Deliver(t.Context(), []audit.Finding{failed()})
			if !errors.Is(err, rotation.ErrConfig) || strings.Contains(err.Error(), "secret-path") || len(s.wire.sent) > 0 {
				t.Errorf("%s, %s: %v", which, value, err)
			}
		}
	}
}

// Addresses that are not public are refused, whatever name leads there; redirects are not
// followed; unless they are allowed.
func TestGuard(t *testing.T) {
	t.Parallel()
	reached := 0
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached++
		if r.URL.Path == "/elsewhere" {
			http.Redirect(w, r, "/", http.StatusTemporaryRedirect)
		}
	}))
	defer web.Close()
	port := web.URL[strings.LastIndexByte(web.URL, ':'):]
	s := newSet()
	s.options.Transport = nil
	deliver := func(address string, private bool) error {
		s.vault.values["hook"] = []string{`{"url": "` + address + `", "key": "` + hookKey + `"}`}
		hook, err := sink.NewWebhook("hook", "hook", "", private, s.options)
		if err != nil {
			t.Fatal(err)
		}
		return hook.Deliver(t.Context(), []audit.Finding{failed()})
	}
	for _, name := range []string{"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]", "10.0.0.1", "169.254.169.254", "100.64.0.1", "[fd00::1]", "[64:ff9b::7f00:1]"} {
		if err := deliver("https://"+name+port+"/", false); !errors.Is(err, rotation.ErrConfig) || !strings.Contains(err.Error(), "is private") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if reached > 0 {
		t.Fatal("a private address was reached")
	}
	if err := deliver(web.URL+"/elsewhere", true); !errors.Is(err, rotation.ErrConfig) || reached != 1 {
		t.Errorf("after a redirect: %v, %d requests", err, reached)
	}
	if err := deliver(web.URL, true); err != nil || reached != 2 {
		t.Errorf("allowed: %v, %d requests", err, reached)
	}
}

// A finding's text makes neither markup nor mentions, links or lines of its own.
func TestHostileText(t *testing.T) {
	t.Parallel()
	for which, forbidden := range map[string][]string{
		"slack": {"<!channel>", "<https://evil", "\nSubject"},
		"teams": {"[click](", "\nSubject"},
	} {
		s := newSet()
		if err := people(t, s)[which].Deliver(t.Context(), []audit.Finding{hostile()}); err != nil {
			t.Fatal(err)
		}
		for text := range texts(t, s.wire.sent[0].body) {
			for _, f := range forbidden {
				if strings.Contains(text, f) {
					t.Errorf("%s: %q is in %q", which, f, text)
				}
			}
		}
	}
}

func TestDeadlineEndsWaiting(t *testing.T) {
	t.Parallel()
	s := newSet()
	s.wire.answer = script("", 503)
	s.options.Pause = func(context.Context, time.Duration) error { return context.Canceled }
	err := sink.NewSlack("slack", "slack", s.options).Deliver(t.Context(), []audit.Finding{failed()})
	if !errors.Is(err, rotation.ErrVendor) || len(s.wire.sent) != 1 {
		t.Errorf("%v after %d tries", err, len(s.wire.sent))
	}
}

// Pauses grow, and are not the same for those who failed together.
func TestJitter(t *testing.T) {
	t.Parallel()
	var firsts []time.Duration
	for range 20 {
		s := newSet()
		s.wire.answer = script("", 500)
		if sink.NewSlack("slack", "slack", s.options).Deliver(t.Context(), []audit.Finding{failed()}) == nil {
			t.Fatal("it was accepted")
		}
		firsts = append(firsts, s.pauses[0])
		if s.pauses[3] <= s.pauses[0] {
			t.Errorf("the pauses are %v", s.pauses)
		}
	}
	if slices.Min(firsts) == slices.Max(firsts) {
		t.Errorf("all begin with %s", firsts[0])
	}
}

func ExampleMessage_Text() {
	fmt.Print(sink.Describe(failed(), "https://example.com/playbooks/").Text())
	// Output:
	// Rotation failed: prod/billing/db [high]
	//
	// Rotation failed: prod/billing/db in setSecret.
	//
	// Secret:    prod/billing/db
	// Account:   123456789012
	// Region:    eu-central-1
	// Function:  rotate-rds
	// When:      2026-05-04 12:00:00 UTC
	// Step:      setSecret
	// Kind:      refused
	// Cause:     logging in as "billing": the password is refused by every version
	//
	// Why it matters: The credential stays older than its policy allows until a rotation succeeds.
	// What to do: Put the password that the database accepts into AWSCURRENT, then run the rotation again.
	//
	// Playbook: https://example.com/playbooks/rotation-failed.md
	// Console:  https://eu-central-1.console.aws.amazon.com/secretsmanager/secret?name=prod%2Fbilling%2Fdb&region=eu-central-1
}
