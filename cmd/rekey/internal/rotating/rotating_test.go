package rotating

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alecthomas/kong"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/functionlog"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
)

func command(t *testing.T, args ...string) *Command {
	t.Helper()
	c := &Command{}
	parser, err := kong.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(args); err != nil {
		t.Fatal(err)
	}
	return c
}

// rotateWith runs the command against the cloud, in a bubble.
func rotateWith(ctx context.Context, c *cloud, stdout io.Writer, cmd *Command) error {
	r := &run{
		command: cmd, api: c, region: "eu-west-1", logs: functionlog.New(c, readLogs), screen: terminal.Plain(stdout), aside: terminal.Plain(io.Discard),
		now: time.Now, after: time.After,
	}
	if cmd.Form.Format() != "table" {
		r.screen = terminal.Plain(io.Discard)
	} else {
		r.aside = r.screen
	}
	r.told = newTeller(r, stdout)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go r.logs.Run(watching)
	all, err := r.choose(ctx)
	if err != nil {
		return err
	}
	return r.rotate(ctx, all.rotate)
}

func TestOutcomes(t *testing.T) {
	reattempted := &types.InvalidRequestException{Message: aws.String("A previous rotation isn't complete. That rotation will be reattempted.")}
	for name, test := range map[string]struct {
		course  func(*cloud, string, string)
		prepare func(*cloud)
		out     string
		err     string
	}{
		"well":                    {course: well, out: "ok   app rotated in 4."},
		"mended by another try":   {course: fails(2, "unreachable"), out: "ok   app rotated in "},
		"what no other try mends": {course: fails(1, "refused"), out: "FAIL app failed in setSecret (refused) after ", err: "the rotation failed"},
		"three of a kind":         {course: fails(3, "unreachable"), out: "FAIL app failed in setSecret (unreachable) after ", err: "the rotation failed"},
		"cause and remedy":        {course: fails(1, "config"), out: "     the cause\n     What to do: The remedy.\n     Log: /aws/lambda/rotate-rds, version version-0000000000000000000000000001\n", err: "failed"},
		"for a person":            {course: func(c *cloud, _, v string) { c.says(v, "createSecret", "waiting", "waiting") }, out: "wait app waits for a person: rekey submit app", err: "rekey submit"},
		"never heard of":          {course: func(*cloud, string, string) {}, out: "FAIL app failed after 300", err: "failed"},
		"no log, well":            {course: well, prepare: func(c *cloud) { c.denied = true }, out: "ok   app rotated in "},
		"no log, and no end":      {course: func(*cloud, string, string) {}, prepare: func(c *cloud) { c.denied = true }, out: "the function's log could not be read: FilterLogEvents of /aws/lambda/rotate-rds: ", err: "failed"},
		"cancelled": {course: func(c *cloud, n, _ string) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.secrets[n].RotationEnabled = aws.Bool(false)
		}, out: "rotation was turned off meanwhile", err: "failed"},
		"a value was stored":       {course: func(c *cloud, n, v string) { c.label(n, v) }, out: "AWSPENDING was taken from version ", err: "failed"},
		"another's is followed":    {course: well, prepare: other(reattempted), out: "ok   app rotated in 4."},
		"no permission to invoke":  {prepare: refusing("AccessDeniedException", "Secrets Manager cannot invoke the specified Lambda function."), out: "Its policy must let secretsmanager.amazonaws.com; see rekey doctor app", err: "failed"},
		"no permission to rotate":  {prepare: refusing("AccessDeniedException", "not authorized to perform: secretsmanager:RotateSecret"), out: "FAIL app failed (denied) after ", err: "failed"},
		"both labels stay":         {course: func(c *cloud, n, v string) { time.Sleep(time.Second); c.label(n, v, "AWSPENDING", "AWSCURRENT") }, out: "ok   app rotated in 1."},
		"a token is taken once":    {course: well, prepare: onlyOnce, out: "ok   app rotated in 4."},
		"another one since":        {course: func(c *cloud, n, v string) { time.Sleep(time.Second); c.label(n, v, "AWSPREVIOUS") }, out: "ok   app rotated in 1."},
		"the network comes back":   {course: well, prepare: unreachable(2*time.Second, 30*time.Second), out: "ok   app rotated in 3"},
		"the network stays away":   {course: well, prepare: unreachable(2*time.Second, time.Hour), out: "it has not ended in 5m0s, as far as was seen; looking after it failed: DescribeSecret: ", err: "failed"},
		"managed by a service":     {course: func(c *cloud, n, v string) { time.Sleep(time.Second); c.label(n, v, "AWSCURRENT") }, prepare: managed, out: "ok   app rotated in 1."},
		"not there any more":       {course: func(c *cloud, n, _ string) { c.mu.Lock(); defer c.mu.Unlock(); delete(c.secrets, n) }, out: "looking after it failed: ", err: "failed"},
		"what failed before it is": {course: well, prepare: stuck, out: "ok   app rotated in 4."},
		"and when that is unread":  {course: well, prepare: func(c *cloud) { stuck(c); c.busy = 1; time.Sleep(time.Second) }, out: "ok   app rotated in 4."},
		"and then fails once more": {course: fails(1, "config"), prepare: func(c *cloud) { stuck(c); c.busy = 1; time.Sleep(time.Second) }, out: "FAIL app failed in setSecret (config) after ", err: "the rotation failed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCloud(test.course, "app")
				if test.prepare != nil {
					test.prepare(c)
				}
				var out bytes.Buffer
				err := rotateWith(t.Context(), c, &out, command(t, "app"))
				if !strings.Contains(out.String(), test.out) || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
					t.Errorf("%v:\n%s\nwant %q", err, out.String(), test.out)
				}
				time.Sleep(time.Minute) // rotations that go on end
			})
		})
	}
}

func refusing(code, message string) func(*cloud) {
	return func(c *cloud) {
		c.refuse = func(*cloud, string) error { return &smithy.GenericAPIError{Code: code, Message: message} }
	}
}

// other has somebody else begin a rotation a moment before.
func other(refusal error) func(*cloud) {
	return func(c *cloud) {
		const version = "version-of-another-1234567890123456"
		c.refuse = func(c *cloud, _ string) error {
			c.secrets["app"].VersionIdsToStages[version] = []string{"AWSPENDING"}
			go well(c, "app", version)
			return refusal
		}
	}
}

// onlyOnce refuses the token of a rotation that is pending, and reattempts it without one.
func onlyOnce(c *cloud) {
	stuck(c)
	c.refuse = func(c *cloud, token string) error {
		if token != "" {
			return &types.InvalidRequestException{Message: aws.String("You can't use ClientRequestToken, because that value is already in use.")}
		}
		go well(c, "app", pendingVersion)
		return &types.InvalidRequestException{Message: aws.String("A previous rotation isn't complete. That rotation will be reattempted.")}
	}
}

// unreachable has the network go for a time.
func unreachable(from, until time.Duration) func(*cloud) {
	return func(c *cloud) {
		begin := time.Now()
		c.gone = func() bool { return time.Since(begin) > from && time.Since(begin) < until }
	}
}

func managed(c *cloud) {
	c.secrets["app"].RotationLambdaARN, c.secrets["app"].OwningService = nil, aws.String("rds")
}

const pendingVersion = "version-that-is-stuck-12345678901234"

// stuck has a rotation fail a moment ago, with the token that is taken up again.
func stuck(c *cloud) {
	c.label("app", pendingVersion, "AWSPENDING")
	c.says(pendingVersion, "setSecret", "failed", "refused")
}

// Many are begun at the rate, so many at once, and no further ones after enough failures.
func TestPace(t *testing.T) {
	var names []string
	for n := range 40 {
		names = append(names, fmt.Sprintf("app-%02d", n))
	}
	rotate := func(t *testing.T, course func(*cloud, string, string), args ...string) (*cloud, string, error) {
		var out bytes.Buffer
		c := newCloud(course, names...)
		err := rotateWith(t.Context(), c, &out, command(t, append(args, "--name-prefix", "app-", "--yes")...))
		return c, out.String(), err
	}
	t.Run("the rate", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, out, err := rotate(t, well, "--rate", "10")
			if took := c.begun[39].Sub(c.begun[0]); err != nil || took != 3900*time.Millisecond {
				t.Errorf("begun in %s: %v\n%s", took, err, out)
			}
			if looks := c.calls["DescribeSecret"]; looks > 40*10 {
				t.Errorf("%d looks at 40 secrets", looks)
			}
			if reads := c.calls["FilterLogEvents"]; reads > 10 {
				t.Errorf("the log was read %d times in 8 s", reads)
			}
			if !strings.HasSuffix(out, "\n40 secrets: 40 rotated\n") {
				t.Errorf("told:\n%s", out)
			}
		})
	})
	t.Run("at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			if c, _, err := rotate(t, well, "--rate", "25", "--at-once", "7"); err != nil || c.most != 7 {
				t.Errorf("%d at once, %v", c.most, err)
			}
		})
	})
	t.Run("failures", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, out, err := rotate(t, fails(1, "refused"), "--rate", "1", "--max-failures", "2")
			if n := len(c.begun); n < 2 || n > 6 || err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%d were not begun (--max-failures 2)", 40-n)) {
				t.Errorf("%d begun: %v\n%s", n, err, out)
			}
			time.Sleep(time.Minute)
		})
	})
	t.Run("no limit of failures", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, out, err := rotate(t, fails(1, "refused"), "--rate", "25", "--max-failures", "0", "--json")
			if len(c.begun) != 40 || err == nil || err.Error() != "40 rotations of 40 failed" || strings.Count(out, `"outcome":"failed"`) != 40 {
				t.Errorf("%d begun: %v\n%s", len(c.begun), err, out)
			}
			time.Sleep(time.Minute)
		})
	})
	t.Run("interrupted while one is begun", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			var out bytes.Buffer
			c := newCloud(well, "app")
			c.refuse = func(*cloud, string) error { cancel(); return nil }
			err := rotateWith(ctx, c, &out, command(t, "app"))
			if err == nil || !strings.Contains(err.Error(), "interrupted: 1 rotation is under way") || !strings.Contains(out.String(), "...  app was being begun") || strings.Contains(out.String(), "FAIL") {
				t.Errorf("%v\n%s", err, out.String())
			}
		})
	})
	t.Run("interrupted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			var out bytes.Buffer
			c := newCloud(well, names...)
			time.AfterFunc(3500*time.Millisecond, cancel)
			err := rotateWith(ctx, c, &out, command(t, "--name-prefix", "app-", "--yes", "--rate", "1"))
			if err == nil || err.Error() != "interrupted: 4 rotations are under way and going on in AWS (rekey status shows them), 36 not begun" {
				t.Errorf("%v\n%s", err, out.String())
			}
			if strings.Count(out.String(), "...  app-0") != 4 {
				t.Errorf("told:\n%s", out.String())
			}
			time.Sleep(time.Minute)
		})
	})
}

// What is chosen and left out is told, since nothing else would show it.
func TestLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(well, "app-1", "app-2")
		c.secrets["app-2"].RotationEnabled = nil
		var out bytes.Buffer
		if err := rotateWith(t.Context(), c, &out, command(t, "--name-prefix", "app-", "--yes")); err != nil || !strings.Contains(out.String(), "1 secret is left out: --plan says why") {
			t.Errorf("%v\n%s", err, out.String())
		}
	})
}

// What was named and cannot be rotated is an error before anything is begun.
func TestDoor(t *testing.T) {
	t.Parallel()
	for says, change := range map[string]func(*secretsmanager.DescribeSecretOutput){
		"is off: ":                  func(d *secretsmanager.DescribeSecretOutput) { d.RotationEnabled = nil },
		"has no rotation function":  func(d *secretsmanager.DescribeSecretOutput) { d.RotationEnabled, d.RotationLambdaARN = nil, nil },
		"restore-secret":            func(d *secretsmanager.DescribeSecretOutput) { d.DeletedDate = aws.Time(time.Now()) },
		"say --region us-east-1":    func(d *secretsmanager.DescribeSecretOutput) { d.PrimaryRegion = aws.String("us-east-1") },
		"--rotation-lambda-arn arn": func(d *secretsmanager.DescribeSecretOutput) { d.RotationEnabled = aws.Bool(false) },
		"--client-request-token it,": func(d *secretsmanager.DescribeSecretOutput) {
			d.RotationEnabled, d.VersionIdsToStages["it"] = aws.Bool(false), []string{"AWSPENDING"}
		},
	} {
		c := newCloud(well, "app", "other")
		change(c.secrets["app"])
		err := rotateWith(t.Context(), c, io.Discard, command(t, "other", "app", "--yes"))
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "nothing was begun") || c.calls["RotateSecret"] != 0 {
			t.Errorf("%d begun: %v, want %q", c.calls["RotateSecret"], err, says)
		}
		r := &run{command: &Command{}, api: c, now: time.Now}
		if err := r.rehearse(t.Context(), "app"); err == nil || c.calls["RotateSecret"] != 0 {
			t.Errorf("rehearsed: %v", err)
		}
	}
}

// A secret that is named twice, by name and ARN, is rotated once.
func TestTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(well, "app")
		if err := rotateWith(t.Context(), c, io.Discard, command(t, "app", *c.secrets["app"].ARN)); err != nil || len(c.begun) != 1 {
			t.Errorf("%d begun, %v", len(c.begun), err)
		}
	})
}

type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, errors.New("closed pipe") }

// Nobody reads any more: that is told, whatever the form.
func TestClosedPipe(t *testing.T) {
	for _, form := range []string{"table", "json", "csv"} {
		synctest.Test(t, func(t *testing.T) {
			err := rotateWith(t.Context(), newCloud(well, "app"), closed{}, command(t, "app", "--output", form))
			if err == nil || !strings.Contains(err.Error(), "closed pipe") {
				t.Errorf("%s: %v", form, err)
			}
		})
	}
}

// And nothing further is begun, since nobody would learn how it ended.
func TestClosedPipeEnds(t *testing.T) {
	for _, form := range []string{"table", "json"} {
		synctest.Test(t, func(t *testing.T) {
			var names []string
			for n := range 20 {
				names = append(names, fmt.Sprintf("app-%02d", n))
			}
			c := newCloud(well, names...)
			if err := rotateWith(t.Context(), c, closed{}, command(t, "--name-prefix", "app-", "--yes", "--at-once", "1", "--output", form)); err == nil || len(c.begun) > 2 {
				t.Errorf("%s: %d begun, %v", form, len(c.begun), err)
			}
		})
	}
}

func TestRulesStay(t *testing.T) {
	t.Parallel()
	days := &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30), Duration: aws.String("3h")}
	if same(nil) != nil || same(days) != days {
		t.Error("rules in days are not passed on as they are")
	}
	got := same(&types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(10), ScheduleExpression: aws.String("rate(10 days)"), Duration: aws.String("3h")})
	if got.AutomaticallyAfterDays != nil || *got.ScheduleExpression != "rate(10 days)" || *got.Duration != "3h" {
		t.Errorf("passed on %+v", got)
	}
}

// The result of a rehearsal is in the function's log alone.
func TestRehearsal(t *testing.T) {
	after := func(outcome string) func(*cloud, string, string) {
		return func(c *cloud, name, version string) {
			time.Sleep(time.Second)
			if outcome != "" {
				c.says(version, "testSecret", outcome, "refused")
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			delete(c.secrets[name].VersionIdsToStages, version)
		}
	}
	for name, test := range map[string]struct {
		course func(*cloud, string, string)
		denied bool
		out    string
		err    string
	}{
		"passed":      {course: after("rehearsed"), out: "ok   app passed its rehearsal in "},
		"failed":      {course: after("failed"), out: "FAIL app failed in testSecret (refused) after ", err: "the next rotation would too"},
		"no line":     {course: after(""), out: "? app ended its rehearsal, and nothing tells how", err: "not known"},
		"log denied":  {course: after("rehearsed"), denied: true, out: "FilterLogEvents", err: "not known"},
		"seen late":   {course: seenLate, out: "ok   app passed its rehearsal in "},
		"without end": {course: func(*cloud, string, string) {}, out: "it has not ended in 2m0s", err: "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCloud(test.course, "app")
				c.denied = test.denied
				var out bytes.Buffer
				r := &run{
					command: &Command{Timeout: 2 * time.Minute}, api: c, region: "eu-west-1", logs: functionlog.New(c, readLogs),
					screen: terminal.Plain(&out), aside: terminal.Plain(io.Discard), now: time.Now, after: time.After,
				}
				r.command.Form.Output = "table"
				r.told = newTeller(r, &out)
				watching, stop := context.WithCancel(t.Context())
				defer stop()
				go r.logs.Run(watching)
				err := r.rehearse(t.Context(), "app")
				if !strings.Contains(out.String(), test.out) || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
					t.Errorf("%v:\n%s", err, out.String())
				}
			})
		})
	}
}

// Ctrl-C while it is begun is told as such.
func TestRehearsalInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c := newCloud(well, "app")
	c.refuse = func(*cloud, string) error { cancel(); return nil }
	r := &run{command: &Command{}, api: c, now: time.Now}
	if err := r.rehearse(ctx, "app"); err == nil || !strings.Contains(err.Error(), "interrupted") || strings.Contains(err.Error(), "network") {
		t.Errorf("got %v", err)
	}
}

// seenLate is a rehearsal of which the first looks know nothing.
func seenLate(c *cloud, name, version string) {
	c.mu.Lock()
	delete(c.secrets[name].VersionIdsToStages, version)
	c.mu.Unlock()
	time.Sleep(time.Second)
	c.label(name, version, "AWSPENDING")
	time.Sleep(40 * time.Second)
	c.says(version, "testSecret", "rehearsed", "")
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.secrets[name].VersionIdsToStages, version)
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	res := result{Secret: "app", Outcome: Failed, Error: "a\x1b[2Jb\nc"}
	if text := strings.Join(lines(terminal.Plain(io.Discard), res), "|"); strings.ContainsAny(text, "\x1b\n") {
		t.Errorf("it prints %q", text)
	}
	var usage interface {
		error
		ExitCode() int
	}
	if err := (&Command{Secret: []string{"a"}, Rate: 26}).Validate(); !errors.As(err, &usage) || usage.ExitCode() != 2 {
		t.Errorf("%v", err)
	}
}
