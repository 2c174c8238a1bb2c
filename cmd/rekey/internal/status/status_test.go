package status

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/fleet"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
)

var now = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// many is an account of so many secrets, made when they are asked for: one of a thousand is
// overdue, one of ten thousand stuck.
type many struct {
	secrets int
	page    func(n int) // before each
}

// plain is the most of them.
var plain = types.SecretListEntry{
	RotationEnabled: aws.Bool(true), RotationLambdaARN: aws.String("arn:aws:lambda:eu-west-1:123456789012:function:rotate-rds"),
	LastRotatedDate: aws.Time(now.AddDate(0, 0, -10)), NextRotationDate: aws.Time(now.AddDate(0, 0, 20)), LastChangedDate: aws.Time(now.AddDate(0, 0, -10)),
	SecretVersionsToStages: map[string][]string{"v2": {"AWSCURRENT"}, "v1": {"AWSPREVIOUS"}},
	Tags:                   []types.Tag{{Key: aws.String("team"), Value: aws.String("payments")}},
}

func (m many) ListSecrets(_ context.Context, in *secretsmanager.ListSecretsInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretsOutput, error) {
	from := 0
	if in.NextToken != nil {
		from, _ = strconv.Atoi(*in.NextToken)
	}
	if m.page != nil {
		m.page(from / 100)
	}
	out := &secretsmanager.ListSecretsOutput{}
	for n := from; n < min(m.secrets, from+100); n++ {
		e := plain
		e.Name = aws.String("app/" + strconv.Itoa(1_000_000+n))
		e.ARN = aws.String("arn:aws:secretsmanager:eu-west-1:123456789012:secret:" + *e.Name + "-AbCdEf")
		switch {
		case n%10_000 == 9_999:
			e.SecretVersionsToStages = map[string][]string{"v2": {"AWSCURRENT"}, "v3": {"AWSPENDING"}}
		case n%1000 == 999:
			e.NextRotationDate = aws.Time(now.AddDate(0, 0, -5))
		}
		out.SecretList = append(out.SecretList, e)
	}
	if from+100 < m.secrets {
		out.NextToken = aws.String(strconv.Itoa(from + 100))
	}
	return out, nil
}

func newRun(t *testing.T, api fleet.API, stdout io.Writer, args ...string) *run {
	t.Helper()
	c := &Command{}
	parser, err := kong.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(args); err != nil {
		t.Fatal(err)
	}
	return &run{
		command: c, screen: terminal.Plain(stdout), aside: terminal.Plain(io.Discard),
		fleet: &fleet.Fleet{Regions: map[string]fleet.API{"eu-west-1": api}, Now: func() time.Time { return now }, Limits: fleet.DefaultLimits},
	}
}

// A table has the worst first, and one line at the end that tells how it stands.
func TestTable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := newRun(t, fixed(), &out)
	if err := r.once(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	want := `
HEALTH    SECRET        STRATEGY        LAST       NEXT      LABELS            NOTE
stuck     shop/reports  rotate-rds      40 d ago   in 4 h    current pending   for 2 d: rekey unstick shop/reports
overdue   shop/mail     rotate-apikey   61 d ago   31 d ago  current previous  for 31 d: rekey rotate shop/mail
rotating  shop/db       rotate-rds      30 d ago   in 30 d   current pending   for 5 min
off       notes         -               -          -         current           -
deleting  old           -               -          -         current           gone in 6 d
managed   rds!db-1      managed by rds  3 d ago    in 4 d    current previous  -
ok        shop/app      rotate-rds      59 min ago  in 29 d   current previous  -

7 secrets: 1 stuck, 1 overdue, 1 rotating, 1 off, 1 deleting, 1 managed, 1 ok
`
	want = strings.ReplaceAll(want, "59 min ago in", "59 min ago  in")
	if diff := cmp.Diff(strings.Fields(want), strings.Fields(out.String())); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, out.String())
	}
	column := -1 // all notes begin in the same one
	for line := range strings.Lines(out.String()) {
		if at := strings.Index(line, "current"); at >= 0 {
			if column >= 0 && at != column {
				t.Errorf("not in line:\n%s", out.String())
			}
			column = at
		}
	}
}

// pages are lists given once.
type pages []types.SecretListEntry

func (p pages) ListSecrets(context.Context, *secretsmanager.ListSecretsInput, ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretsOutput, error) {
	return &secretsmanager.ListSecretsOutput{SecretList: p}, nil
}

func fixed() fleet.API {
	const day = 24 * time.Hour
	at := func(d time.Duration) *time.Time { return aws.Time(now.Add(d)) }
	function := func(name string) *string { return aws.String("arn:aws:lambda:eu-west-1:123456789012:function:" + name) }
	well, pend := map[string][]string{"b": {"AWSCURRENT"}, "a": {"AWSPREVIOUS"}}, map[string][]string{"b": {"AWSCURRENT"}, "c": {"AWSPENDING"}}
	one := map[string][]string{"b": {"AWSCURRENT"}}
	yes := aws.Bool(true)
	return pages{
		{Name: aws.String("shop/app"), RotationEnabled: yes, RotationLambdaARN: function("rotate-rds"), LastRotatedDate: at(-59 * time.Minute), NextRotationDate: at(29 * day), SecretVersionsToStages: well},
		{Name: aws.String("notes"), SecretVersionsToStages: one},
		{Name: aws.String("shop/mail"), RotationEnabled: yes, RotationLambdaARN: function("rotate-apikey:live"), LastRotatedDate: at(-61 * day), NextRotationDate: at(-31 * day), SecretVersionsToStages: well},
		{Name: aws.String("shop/reports"), RotationEnabled: yes, RotationLambdaARN: function("rotate-rds"), LastRotatedDate: at(-40 * day), NextRotationDate: at(4 * time.Hour), LastChangedDate: at(-2 * day), SecretVersionsToStages: pend},
		{Name: aws.String("rds!db-1"), RotationEnabled: yes, OwningService: aws.String("rds"), LastRotatedDate: at(-3 * day), NextRotationDate: at(4 * day), SecretVersionsToStages: well},
		{Name: aws.String("old"), DeletedDate: at(6 * day), SecretVersionsToStages: one},
		{Name: aws.String("shop/db"), RotationEnabled: yes, RotationLambdaARN: function("rotate-rds"), LastRotatedDate: at(-30 * day), NextRotationDate: at(30 * day), LastChangedDate: at(-5 * time.Minute), SecretVersionsToStages: pend},
	}
}

func TestMachines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := newRun(t, fixed(), &out, "--output", "json", "--unhealthy").once(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(out.String()) {
		var r struct{ Secret, Health, Pending, Since string }
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		names = append(names, r.Secret+" "+r.Health+" "+r.Pending+" "+r.Since)
	}
	if diff := cmp.Diff([]string{"shop/mail overdue  2026-04-03T12:00:00Z", "shop/reports stuck c 2026-05-02T12:00:00Z"}, names); diff != "" {
		t.Error(diff)
	}
	out.Reset()
	if err := newRun(t, fixed(), &out, "--output", "csv", "--health", "off,managed").once(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	const want = `secret,region,health,since,strategy,rotates,last_rotated,next_rotation,last_changed,deleted,pending,labels,function,owner,arn
notes,eu-west-1,off,,,false,,,,,,current,,,
rds!db-1,eu-west-1,managed,,managed by rds,true,2026-05-01T12:00:00Z,2026-05-08T12:00:00Z,,,,current previous,,rds,
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	err := newRun(t, fixed(), io.Discard, "--check", "--health", "ok").once(t.Context(), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "2 need someone of 7 secrets") {
		t.Errorf("got %v", err)
	}
	if err := newRun(t, pages{}, io.Discard, "--check").once(t.Context(), io.Discard); err != nil {
		t.Error(err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for args, says := range map[string]string{
		"--unhealthy --health ok":       "leave one out",
		"--watch --output json":         "leave --output json out",
		"--watch --check":               "leave --check out",
		"--stuck-after 0s":              "--stuck-after",
		"--watch --every 1ms":           "--every",
		"--region a --regions b,c":      "leave one out",
		"--health fine":                 "no state of a secret",
		"--tag team":                    "no tag: give KEY=VALUE",
		"--output yaml":                 "--output",
		"--regions eu-west-1 an-extra1": "unexpected argument",
	} {
		parser, err := kong.New(&Command{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(strings.Fields(args)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", args, err, says)
		}
	}
}

// first tells when something is written for the first time.
type first struct {
	io.Writer
	wrote atomic.Bool
}

func (f *first) Write(p []byte) (int, error) {
	f.wrote.Store(true)
	return f.Writer.Write(p)
}

// A Region of 500,000 secrets streams: the first row is there after ten pages of a table, or
// one, and memory does not grow from page to page.
func TestHalfAMillion(t *testing.T) {
	for output, rowsAfter := range map[string]int{"table": 12, "json": 3, "csv": 3} {
		t.Run(output, func(t *testing.T) {
			secrets := 500_000
			if testing.Short() || output != "table" {
				secrets = 50_000
			}
			stdout := &first{Writer: &tail{}}
			firstRow, least, most := -1, uint64(1<<62), uint64(0)
			api := many{secrets: secrets, page: func(n int) {
				if stdout.wrote.Load() && firstRow < 0 {
					firstRow = n
				}
				if every := secrets / 1000; n%every == every/2 { // ten times
					var m runtime.MemStats
					runtime.GC()
					runtime.ReadMemStats(&m)
					least, most = min(least, m.HeapAlloc), max(most, m.HeapAlloc)
				}
			}}
			r := newRun(t, api, stdout, "--output", output)
			if err := r.once(t.Context(), stdout); err != nil {
				t.Fatal(err)
			}
			t.Logf("first row after %d pages; heap %d to %d KiB", firstRow, least>>10, most>>10)
			if firstRow < 0 || firstRow > rowsAfter {
				t.Errorf("the first row is there after %d pages", firstRow)
			}
			if most-least > 8<<20 {
				t.Errorf("the heap grows from %d to %d KiB", least>>10, most>>10)
			}
			if output == "table" {
				text := string(stdout.Writer.(*tail).kept)
				for _, want := range []string{"Once more, what needs someone:\nstuck", "more: --unhealthy", grouped(secrets) + " secrets: " + grouped(secrets/10_000) + " stuck, "} {
					if !strings.Contains(text, want) {
						t.Errorf("at the end is no %q:\n%s", want, text)
					}
				}
			}
		})
	}
}

// tail keeps the end of what is written.
type tail struct{ kept []byte }

func (w *tail) Write(p []byte) (int, error) {
	w.kept = append(w.kept, p...)
	if n := len(w.kept) - 8<<10; n > 8<<10 {
		w.kept = append([]byte(nil), w.kept[n:]...)
	}
	return len(p), nil
}

func TestWorst(t *testing.T) {
	t.Parallel()
	w := worst{most: 3}
	for n, h := range []fleet.Health{fleet.OK, fleet.Overdue, fleet.OK, fleet.Stuck, fleet.Off, fleet.Overdue, fleet.Never} {
		w.add(&fleet.Secret{Name: strconv.Itoa(n), Health: h, Since: now.Add(-time.Duration(n) * time.Hour)})
	}
	var got string
	for _, s := range w.secrets {
		got += s.Name
	}
	if got != "351" {
		t.Errorf("the worst are %s", got)
	}
}

// What was read before Ctrl-C is shown, and that it is not all.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	api := many{secrets: 30_000, page: func(n int) {
		if n == 15 {
			cancel()
		}
	}}
	err := newRun(t, api, &out).once(ctx, io.Discard)
	if err == nil || !strings.HasPrefix(err.Error(), "interrupted after 1,") || strings.Count(out.String(), "\n") < 1000 {
		t.Errorf("%v, %d lines", err, strings.Count(out.String(), "\n"))
	}
}

// sometimes fails the looks for which there is an error.
type sometimes struct {
	many
	looks []error
}

func (s *sometimes) ListSecrets(ctx context.Context, in *secretsmanager.ListSecretsInput, o ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretsOutput, error) {
	if in.NextToken == nil && len(s.looks) > 0 {
		err := s.looks[0]
		if s.looks = s.looks[1:]; err != nil {
			return nil, err
		}
	}
	return s.many.ListSecrets(ctx, in, o...)
}

// What goes wrong for a moment does not end the watching, once it has begun.
func TestWatchGoesOn(t *testing.T) {
	t.Parallel()
	throttled, denied := &smithy.GenericAPIError{Code: "ThrottlingException"}, &smithy.GenericAPIError{Code: "AccessDeniedException"}
	for _, c := range []struct {
		looks  []error
		tables int
		told   int
	}{
		{[]error{throttled}, 0, 0},
		{[]error{nil, throttled, nil, denied}, 2, 1},
	} {
		var out bytes.Buffer
		api := &sometimes{many: many{secrets: 10}, looks: c.looks}
		r := newRun(t, api, &out, "--watch")
		r.command.Every = time.Millisecond
		err := r.watch(t.Context(), io.Discard)
		text := out.String()
		if err == nil || len(api.looks) != 0 || strings.Count(text, "HEALTH") != c.tables || strings.Count(text, "ThrottlingException") != c.told {
			t.Errorf("%v; shown:\n%s", err, text)
		}
	}
}

// Watching shows the few that need someone, in a table of its own each time, until it is ended.
func TestWatch(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	looks := 0
	api := many{secrets: 30_000, page: func(n int) {
		if n == 0 {
			if looks++; looks == 2 {
				cancel()
			}
		}
	}}
	if err := newRun(t, api, &out, "--watch", "--every", "1s").watch(ctx, io.Discard); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Count(text, "\nstuck ") != 3 || strings.Count(text, "\noverdue ") != 17 || !strings.Contains(text, "30,000 secrets: 3 stuck, 27 overdue, 29,970 ok") {
		t.Errorf("shown:\n%s", text)
	}
}

func TestGrouped(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 500_000: "500,000", 1_234_567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
}

// Regions of every partition are ones.
func TestRegions(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "me")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "none")
	t.Setenv("AWS_REGION", "eusc-de-east-1")
	for _, c := range []*Command{{}, {Regions: []string{"eusc-de-east-1", "us-gov-west-1", "us-isob-east-1", "cn-north-1"}}} {
		if f, err := c.fleet(t.Context()); err != nil || len(f.Regions) != max(1, len(c.Regions)) {
			t.Errorf("%v: %v", c.Regions, err)
		}
	}
	if _, err := (&Command{Regions: []string{"eu-central-1", "eu-centrall"}}).fleet(t.Context()); err == nil || !strings.Contains(err.Error(), "eu-centrall") {
		t.Errorf("got %v", err)
	}
}
