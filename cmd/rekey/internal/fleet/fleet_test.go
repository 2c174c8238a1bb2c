package fleet

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	stand "github.com/rekey-aws/rekey/local/secretsmanager"
	"github.com/rekey-aws/rekey/shared/rotation"
)

var now = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

const function = "arn:aws:lambda:eu-west-1:123456789012:function:rotate-rds:live"

func daysAgo(n int) *time.Time { return aws.Time(now.AddDate(0, 0, -n)) }

// entryWith is a secret that rotates every 30 days and is well, changed.
func entryWith(change func(*types.SecretListEntry)) *types.SecretListEntry {
	e := &types.SecretListEntry{
		Name: aws.String("app"), ARN: aws.String("arn:aws:secretsmanager:eu-west-1:123456789012:secret:app-AbCdEf"),
		RotationEnabled: aws.Bool(true), RotationLambdaARN: aws.String(function), RotationRules: &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30)},
		LastRotatedDate: daysAgo(10), NextRotationDate: daysAgo(-20), LastChangedDate: daysAgo(10),
		SecretVersionsToStages: map[string][]string{"v2": {"AWSCURRENT", "AWSPENDING"}, "v1": {"AWSPREVIOUS"}},
	}
	change(e)
	return e
}

func TestHealth(t *testing.T) {
	t.Parallel()
	pend := map[string][]string{"v2": {"AWSCURRENT"}, "v3": {"AWSPENDING"}}
	for name, c := range map[string]struct {
		change func(*types.SecretListEntry)
		want   Health
		since  *time.Time
	}{
		"well":                 {func(*types.SecretListEntry) {}, OK, nil},
		"without old versions": {func(e *types.SecretListEntry) { e.SecretVersionsToStages = map[string][]string{"v2": {"AWSCURRENT"}} }, OK, nil},
		"just begun": {func(e *types.SecretListEntry) {
			e.SecretVersionsToStages, e.LastChangedDate = pend, aws.Time(now.Add(-15*time.Minute))
		}, Rotating, aws.Time(now.Add(-15 * time.Minute))},
		"too long": {func(e *types.SecretListEntry) {
			e.SecretVersionsToStages, e.LastChangedDate = pend, aws.Time(now.Add(-15*time.Minute-time.Second))
		}, Stuck, aws.Time(now.Add(-15*time.Minute - time.Second))},
		"stuck and overdue": {func(e *types.SecretListEntry) {
			e.SecretVersionsToStages, e.LastChangedDate, e.NextRotationDate = pend, daysAgo(3), daysAgo(3)
		}, Stuck, daysAgo(3)},
		"a day late":      {func(e *types.SecretListEntry) { e.NextRotationDate = aws.Time(now.Add(-24 * time.Hour)) }, OK, nil},
		"later":           {func(e *types.SecretListEntry) { e.NextRotationDate = aws.Time(now.Add(-24*time.Hour - time.Second)) }, Overdue, aws.Time(now.Add(-24*time.Hour - time.Second))},
		"by its policy":   {func(e *types.SecretListEntry) { e.LastRotatedDate, e.NextRotationDate = daysAgo(33), nil }, Overdue, daysAgo(2)},
		"never":           {func(e *types.SecretListEntry) { e.LastRotatedDate = nil }, Never, nil},
		"never, and late": {func(e *types.SecretListEntry) { e.LastRotatedDate, e.NextRotationDate = nil, daysAgo(2) }, Overdue, daysAgo(2)},
		"off":             {func(e *types.SecretListEntry) { e.RotationEnabled = nil }, Off, nil},
		"cancelled":       {func(e *types.SecretListEntry) { e.RotationEnabled, e.SecretVersionsToStages = aws.Bool(false), pend }, Off, nil},
		"deleted":         {func(e *types.SecretListEntry) { e.DeletedDate, e.SecretVersionsToStages = daysAgo(-7), pend }, Deleting, nil},
		"a primary":       {func(e *types.SecretListEntry) { e.PrimaryRegion = aws.String("eu-west-1") }, OK, nil},
		"a replica": {func(e *types.SecretListEntry) {
			e.PrimaryRegion, e.NextRotationDate = aws.String("us-east-1"), daysAgo(9)
		}, Replica, nil},
		"managed":       {func(e *types.SecretListEntry) { e.OwningService, e.RotationLambdaARN = aws.String("rds"), nil }, Managed, nil},
		"managed, late": {func(e *types.SecretListEntry) { e.OwningService, e.NextRotationDate = aws.String("rds"), daysAgo(9) }, Overdue, daysAgo(9)},
		"managed, stuck": {func(e *types.SecretListEntry) {
			e.OwningService, e.SecretVersionsToStages = aws.String("rds"), pend
		}, Stuck, daysAgo(10)},
	} {
		s := Of(entryWith(c.change), "eu-west-1", now, DefaultLimits)
		if s.Health != c.want || !s.Since.Equal(aws.ToTime(c.since)) {
			t.Errorf("%s: it is %s since %s", name, s.Health, s.Since)
		}
	}
}

// What is told without the value.
func TestStrategy(t *testing.T) {
	t.Parallel()
	tagged := func(key, value string) func(*types.SecretListEntry) {
		return func(e *types.SecretListEntry) { e.Tags = []types.Tag{{Key: &key, Value: &value}} }
	}
	for want, change := range map[string]func(*types.SecretListEntry){
		"rotate-rds":      func(*types.SecretListEntry) {},
		"rotate-redshift": tagged("rekey:function", "rotate-redshift"),
		"alternating":     tagged("rekey:strategy", "alternating"),
		"managed by rds":  func(e *types.SecretListEntry) { e.OwningService = aws.String("rds") },
		"":                func(e *types.SecretListEntry) { e.RotationLambdaARN = nil },
	} {
		if got := Of(entryWith(change), "eu-west-1", now, DefaultLimits).Strategy; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	s := Of(entryWith(func(e *types.SecretListEntry) {
		e.SecretVersionsToStages = map[string][]string{"a": {"AWSPREVIOUS", "zeta"}, "b": {"AWSCURRENT"}, "c": {"blue"}}
	}), "eu-west-1", now, DefaultLimits)
	if got := strings.Join(s.LabelNames(), " "); got != "current previous blue zeta" {
		t.Errorf("labels %q", got)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for _, h := range Healths() {
		var again Health
		text, _ := h.MarshalText()
		if err := again.UnmarshalText(text); err != nil || again != h {
			t.Errorf("%s: %v, %v", text, again, err)
		}
	}
	if new(Health).UnmarshalText([]byte("fine")) == nil || new(Tag).UnmarshalText([]byte("team")) == nil || new(Tag).UnmarshalText([]byte("=x")) == nil {
		t.Error("nonsense is taken")
	}
	var tag Tag
	if err := tag.UnmarshalText([]byte("a=b=c")); err != nil || tag != (Tag{"a", "b=c"}) {
		t.Errorf("%v, %v", tag, err)
	}
}

// world is two Regions of the stand-in, with 250 secrets in the first.
func world(t *testing.T) map[string]API {
	t.Helper()
	manager, err := stand.New(stand.Options{})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(manager)
	t.Cleanup(func() { web.Close(); _ = manager.Close() })
	regions := map[string]API{}
	for region, many := range map[string]int{"us-east-1": 250, "eu-west-1": 3} {
		client := secretsmanager.New(secretsmanager.Options{Region: region, BaseEndpoint: &web.URL, Credentials: credentials.NewStaticCredentialsProvider("k", "example", "")})
		regions[region] = client
		for n := range many {
			in := &secretsmanager.CreateSecretInput{Name: aws.String(fmt.Sprintf("s-%03d", n)), SecretString: aws.String("v")}
			for key, value := range map[string]string{"team": []string{"pay", "payments", "x"}[n%3], "odd!": fmt.Sprint("!", n%2), "other": "pay"} {
				in.Tags = append(in.Tags, types.Tag{Key: &key, Value: &value})
			}
			if _, err := client.CreateSecret(t.Context(), in); err != nil {
				t.Fatal(err)
			}
		}
	}
	return regions
}

func TestEach(t *testing.T) {
	t.Parallel()
	regions := world(t)
	for _, c := range []struct {
		choice Choice
		want   int
	}{
		{Choice{}, 253},
		{Choice{NamePrefix: "s-00"}, 13},
		{Choice{NamePrefix: "s-00", Tag: []Tag{{"team", "pay"}}}, 5},
		{Choice{Tag: []Tag{{"team", "pay"}}}, 85},
		{Choice{Tag: []Tag{{"team", "pay"}, {"odd!", "!1"}}}, 42}, // which no filter can ask for
		{Choice{Tag: []Tag{{"team", "p"}}}, 0},
		{Choice{Tag: []Tag{{"other", "payments"}}}, 0},
	} {
		f := &Fleet{Regions: regions, Choice: c.choice, Now: time.Now, Limits: DefaultLimits}
		seen := map[string]bool{}
		err := f.Each(t.Context(), func(p Page) error {
			for _, s := range p.Secrets {
				seen[s.Region+s.Name] = true
				if s.Region != p.Region || s.Health != Off {
					t.Errorf("%+v", s)
				}
			}
			return nil
		})
		if err != nil || len(seen) != c.want {
			t.Errorf("%s: %d secrets, want %d, %v", &c.choice, len(seen), c.want, err)
		}
	}
}

type answers func(in *secretsmanager.ListSecretsInput) (*secretsmanager.ListSecretsOutput, error)

func (f answers) ListSecrets(_ context.Context, in *secretsmanager.ListSecretsInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretsOutput, error) {
	return f(in)
}

// One Region that refuses ends the others, whose lists have no end here; so does the caller.
func TestEachEnds(t *testing.T) {
	t.Parallel()
	endless := answers(func(*secretsmanager.ListSecretsInput) (*secretsmanager.ListSecretsOutput, error) {
		return &secretsmanager.ListSecretsOutput{NextToken: aws.String("more")}, nil
	})
	refuses := answers(func(*secretsmanager.ListSecretsInput) (*secretsmanager.ListSecretsOutput, error) {
		return nil, &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "no"}
	})
	f := &Fleet{Regions: map[string]API{"eu-west-1": endless, "us-east-1": refuses}, Now: time.Now}
	err := f.Each(t.Context(), func(Page) error { return nil })
	if !errors.Is(err, rotation.ErrDenied) || !strings.Contains(err.Error(), "us-east-1") {
		t.Errorf("refused: %v", err)
	}
	f.Regions = map[string]API{"eu-west-1": endless}
	enough := errors.New("enough")
	if err := f.Each(t.Context(), func(Page) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("the caller's error: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := f.Each(ctx, func(Page) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// What the service matches by prefix, and what its filters cannot say.
func TestFilters(t *testing.T) {
	t.Parallel()
	c := Choice{NamePrefix: "shop/", Tag: []Tag{{"team", "!pay"}, {"a(b)", ""}}}
	var got []string
	for _, f := range c.filters() {
		got = append(got, string(f.Key)+" "+f.Values[0])
	}
	if want := []string{"name shop/", "tag-key team"}; !slices.Equal(got, want) {
		t.Errorf("filters %q", got)
	}
	for range 12 {
		c.Tag = append(c.Tag, Tag{"k", "v"})
	}
	if n := len(c.filters()); n != mostFilters {
		t.Errorf("%d filters", n)
	}
}
