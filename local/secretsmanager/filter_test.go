package secretsmanager_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// with makes a secret with a description and one tag.
func (w *world) with(name, description, key, value string) {
	w.t.Helper()
	in := &api.CreateSecretInput{Name: &name, SecretString: aws.String("s")}
	if description != "" {
		in.Description = &description
	}
	if key != "" {
		in.Tags = []types.Tag{{Key: &key, Value: &value}}
	}
	must(w.CreateSecret(w.t.Context(), in))(w.t)
	w.pass(time.Second)
}

// found are the names that filters find, in order. A filter is its key, then its values.
func (w *world) found(filters ...[]string) (names []string) {
	w.t.Helper()
	in := &api.ListSecretsInput{}
	for _, f := range filters {
		in.Filters = append(in.Filters, types.Filter{Key: types.FilterNameStringType(f[0]), Values: f[1:]})
	}
	for _, s := range must(w.ListSecrets(w.t.Context(), in))(w.t).SecretList {
		names = append(names, *s.Name)
	}
	return names
}

type finding struct {
	filters [][]string
	want    []string
}

func (w *world) findings(list []finding) {
	w.t.Helper()
	for _, f := range list {
		if got := w.found(f.filters...); !slices.Equal(got, f.want) {
			w.t.Errorf("%v finds %v, want %v", f.filters, got, f.want)
		}
	}
}

func by(f ...string) [][]string { return [][]string{f} }

// Recorded on AWS: https://github.com/localstack/localstack, test_list_secrets_filtering.
func TestFiltersRecordedByLocalStack(t *testing.T) {
	w := newWorld(t)
	w.with("testing1/one-12345", "a secret", "", "")
	w.with("/testing2/two-12345", "an secret", "", "")
	w.with("testing3/three-12345", "asecret", "", "")
	w.with("/testing4/four-12345", "thesecret", "", "")
	one, two, three, four := "testing1/one-12345", "/testing2/two-12345", "testing3/three-12345", "/testing4/four-12345"
	w.findings([]finding{
		{by("name", "/"), []string{two, four}},
		{by("name", "!/"), []string{one, three}},
		{by("name", "testing1 one"), nil},
		{by("description", "a"), []string{one, two, three}},
		{by("description", "!a"), []string{four}},
		{by("description", "a secret"), []string{one, two}},
		{by("description", "!c"), []string{one, two, three, four}},
		{[][]string{{"description", "a"}, {"name", "secret"}}, nil},
	})
}

// Verified on AWS by https://github.com/getmoto/moto, tests/test_secretsmanager/test_list_secrets.py.
func TestFiltersVerifiedByMoto(t *testing.T) {
	w := newWorld(t)
	w.with("SecretOnec0ffee", "", "", "")
	w.with("SecretTwoc0ffee", "DescTwo", "", "")
	w.with("Thirdsecretc0ffee", "", "", "")
	w.with("SecretFTagc0ffee", "", "1", "foo")
	w.with("SecretFValuec0ffee", "", "foo", "v")
	w.with("nonec0ffee", "", "", "")
	one, two, third, key, value := "SecretOnec0ffee", "SecretTwoc0ffee", "Thirdsecretc0ffee", "SecretFTagc0ffee", "SecretFValuec0ffee"
	w.findings([]finding{
		{by("all", "SecretOne"), []string{one}},
		{by("all", "foo"), []string{key, value}},
		{by("all", "Secret"), []string{one, two, key, value}},
		{by("all", "secret"), []string{one, two, key, value}},
		{by("all", "ret"), nil},
		{by("all", "SomeSecret"), nil},
		{by("all", "d"), []string{two}},
		{by("all", "d t"), []string{two}},
		{by("all", "t"), []string{two, third, key}},
	})

	w = newWorld(t)
	var names []string
	for _, separator := range []string{"/", "_", "+", "=", ".", "@", "-"} {
		names = append(names, "prod"+separator+"AppBeta"+separator+"c0ffee")
		w.with(names[len(names)-1], "", "", "")
	}
	w.with("prod-AppBeta/c0ffee", "", "", "") // two separators: one word
	w.with("uat/COMPANY/c0ffee", "", "", "")
	w.with("uat/COMPANYthings/c0ffee", "", "", "")
	w.findings([]finding{
		{by("all", "AppBeta"), names},
		{by("all", "Beta"), names},
		{by("all", "AppBeta", "prod"), append(slices.Clone(names), "prod-AppBeta/c0ffee")},
		{by("all", "+"), nil},
		{by("all", "c0ffee"), append(slices.Clone(names), "uat/COMPANY/c0ffee", "uat/COMPANYthings/c0ffee")},
		{by("all", "company"), []string{"uat/COMPANY/c0ffee"}},
		{by("all", "things"), nil},
		{by("all", "Ythings"), []string{"uat/COMPANYthings/c0ffee"}},
		{by("all", "N"), nil},
		{by("all", "pany"), nil},
	})

	w = newWorld(t)
	for name, description := range map[string]string{"foo": "one two", "bar": "one and two", "baz": "one", "qux": "two", "none": "unrelated"} {
		w.with(name, description, name, "x"+name)
	}
	sorted := func(filters ...[]string) []string { names := w.found(filters...); slices.Sort(names); return names }
	for _, f := range []finding{
		{[][]string{{"description", "one"}, {"description", "two"}}, []string{"bar", "foo"}},
		{by("description", "o t"), []string{"bar", "foo"}},
		{by("description", "t"), []string{"bar", "foo", "qux"}},
		{by("description", "!o"), []string{"none", "qux"}},
		{by("description", "one", "!two"), []string{"bar", "baz", "foo", "none"}},
		{by("name", "foo", "bar"), []string{"bar", "foo"}},
		{by("tag-key", "ba"), []string{"bar", "baz"}},
		{by("tag-value", "xba"), []string{"bar", "baz"}},
		{by("tag-key", "Ba"), nil},
		{[][]string{{"tag-key", "ba"}, {"tag-value", "xbar"}}, []string{"bar"}},
		{by("owning-service", "rds"), nil},
		{by("primary-region", "us"), nil},
	} {
		if got := sorted(f.filters...); !slices.Equal(got, f.want) {
			t.Errorf("%v finds %v, want %v", f.filters, got, f.want)
		}
	}
}

func TestFiltersThatAreRefused(t *testing.T) {
	w := newWorld(t)
	for body, want := range map[string][2]string{
		`{"Filters":[{"Values":["x"]}]}`:                             {"InvalidParameterException", "Invalid filter key"},
		`{"Filters":[{"Key":"description"}]}`:                        {"InvalidParameterException", "Invalid filter values for key: description"},
		`{"Filters":[{"Key":"colour","Values":["x"]}]}`:              {"ValidationException", "1 validation error detected: Value 'colour' at 'filters.1.member.key' failed to satisfy constraint: Member must satisfy enum value set: [all, name, tag-key, description, tag-value, primary-region, owning-service]"},
		`{"Filters":[{"Key":"name","Values":["a%"]}]}`:               {"ValidationException", ""},
		`{"SortBy":"size"}`:                                          {"ValidationException", "1 validation error detected: Value 'size' at 'sortBy' failed to satisfy constraint: Member must satisfy enum value set: [created-date, last-accessed-date, last-changed-date, name]"},
		`{"SortBy":"NAME"}`:                                          {"ValidationException", ""},
		`{"SortOrder":"up"}`:                                         {"ValidationException", ""},
		`{"Filters":[{"Key":"name","Values":["a"],"Colour":"red"}]}`: {"UnsupportedOperationException", ""},
	} {
		_, _, reply := w.raw("secretsmanager.ListSecrets", body)
		message, _ := reply["message"].(string)
		if m, ok := reply["Message"].(string); ok {
			message = m
		}
		if reply["__type"] != want[0] || want[1] != "" && message != want[1] {
			t.Errorf("%s: %v", body, reply)
		}
	}
}

func TestSortOrders(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"c", "a", "b"} {
		w.with(name, "", "", "")
	}
	must(w.TagResource(t.Context(), &api.TagResourceInput{SecretId: aws.String("c"), Tags: []types.Tag{{Key: aws.String("x"), Value: aws.String("y")}}}))(t)
	w.value("b")
	w.pass(48 * time.Hour)
	w.value("a") // c was never read
	for order, want := range map[string][]string{"created-date": {"c", "a", "b"}, "name": {"a", "b", "c"}, "last-changed-date": {"a", "b", "c"}, "last-accessed-date": {"c", "b", "a"}} {
		for _, direction := range []types.SortOrderType{"asc", "desc"} {
			in := &api.ListSecretsInput{SortBy: types.SortByType(order), SortOrder: direction, MaxResults: aws.Int32(1)}
			var names []string
			for {
				out := must(w.ListSecrets(t.Context(), in))(t)
				for _, s := range out.SecretList {
					names = append(names, *s.Name)
				}
				if in.NextToken = out.NextToken; in.NextToken == nil {
					break
				}
			}
			if direction == "desc" {
				slices.Reverse(names)
			}
			if !slices.Equal(names, want) {
				t.Errorf("by %s %s: %v", order, direction, names)
			}
		}
	}
	token := must(w.ListSecrets(t.Context(), &api.ListSecretsInput{MaxResults: aws.Int32(1)}))(t).NextToken
	_, err := w.ListSecrets(t.Context(), &api.ListSecretsInput{NextToken: token, SortBy: "name"})
	refused(t, err, "InvalidNextTokenException", "") // a token belongs to its query
}

// A page that filters leave empty still has a token, so that no call looks at everything.
func TestLongFilteredListsComeInParts(t *testing.T) {
	srv := stocked(t, 5010)
	post(srv, "CreateSecret", `{"Name":"last","ClientRequestToken":"`+token(1)+`"}`)
	w := &world{t: t, srv: srv}
	_, _, first := w.raw("secretsmanager.ListSecrets", `{"Filters":[{"Key":"name","Values":["last"]}]}`)
	if first["NextToken"] == nil || len(first["SecretList"].([]any)) != 0 {
		t.Fatalf("the first page is %v", first)
	}
	_, _, second := w.raw("secretsmanager.ListSecrets", fmt.Sprintf(`{"Filters":[{"Key":"name","Values":["last"]}],"NextToken":%q}`, first["NextToken"]))
	if second["NextToken"] != nil || len(second["SecretList"].([]any)) != 1 {
		t.Fatalf("the second page is %v", second)
	}
}

func TestBatches(t *testing.T) {
	w := newWorld(t)
	for i := range 25 {
		w.with(fmt.Sprint("s", i), "", "", "")
	}
	must(w.DeleteSecret(t.Context(), &api.DeleteSecretInput{SecretId: aws.String("s3")}))(t)
	in := &api.BatchGetSecretValueInput{Filters: []types.Filter{{Key: "name", Values: []string{"s"}}}}
	n := 0
	for pages := api.NewBatchGetSecretValuePaginator(w, in); pages.HasMorePages(); {
		out := must(pages.NextPage(t.Context()))(t)
		n += len(out.SecretValues)
		if len(out.SecretValues) > 20 || len(out.Errors) != 0 {
			t.Errorf("a page has %d values and the errors %v", len(out.SecretValues), out.Errors)
		}
	}
	if n != 24 {
		t.Errorf("%d values, want 24: one is marked for deletion", n)
	}
	out := must(w.BatchGetSecretValue(t.Context(), &api.BatchGetSecretValueInput{SecretIdList: []string{"s3", "s4"}}))(t)
	if len(out.SecretValues) != 1 || *out.Errors[0].ErrorCode != "InvalidRequestException" || *out.Errors[0].Message != marked {
		t.Errorf("got %+v", out)
	}
	for _, in := range []*api.BatchGetSecretValueInput{{}, {SecretIdList: []string{"s1"}, NextToken: aws.String("x")}} {
		_, err := w.BatchGetSecretValue(t.Context(), in)
		refused(t, err, "InvalidParameterException", "")
	}
	_, err := w.BatchGetSecretValue(t.Context(), &api.BatchGetSecretValueInput{SecretIdList: make([]string, 21)})
	refused(t, err, "ValidationException", "")
	if last := w.calls[len(w.calls)-4]; last.Operation != "BatchGetSecretValue" || len(last.BatchARNs) != 1 {
		t.Errorf("observed %+v", last)
	}
}

// What RDS does: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
func TestSecretsOfOtherServices(t *testing.T) {
	w := newWorld(t)
	w.with("rds!db-1", "", "team", "a")
	w.with("mine", "", "", "")
	must(0, w.srv.SetOwner("rds!db-1", "rds", map[string]string{"aws:rds:primaryDBInstanceArn": "arn:aws:rds:us-east-1:123456789012:db:db-1"}))(t)
	w.findings([]finding{
		{by("owning-service", "rds"), []string{"rds!db-1"}},
		{by("owning-service", "!rds"), []string{"mine"}},
		{by("tag-key", "aws:rds"), []string{"rds!db-1"}},
	})
	if d := w.describe("rds!db-1"); *d.OwningService != "rds" || len(d.Tags) != 2 {
		t.Errorf("described as %+v", d)
	}
	must(0, w.srv.SetOwner("rds!db-1", "", nil))(t)
	if d := w.describe("rds!db-1"); d.OwningService != nil || len(d.Tags) != 1 {
		t.Errorf("described as %+v", d)
	}
	if w.srv.SetOwner("nosuch", "rds", nil) == nil || w.srv.SetOwner("mine", "rds", map[string]string{"team": "a"}) == nil {
		t.Error("a mistake was taken")
	}
}
