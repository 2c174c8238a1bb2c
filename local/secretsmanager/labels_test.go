package secretsmanager_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// put writes a version with labels, and moves a label, as short calls.
func (w *world) put(n int, stages ...string) error {
	_, err := w.PutSecretValue(context.Background(), &api.PutSecretValueInput{
		SecretId: aws.String("s"), ClientRequestToken: aws.String(token(n)), SecretString: aws.String(token(n)), VersionStages: stages,
	})
	return err
}

func (w *world) move(stage, to, from string) error {
	in := &api.UpdateSecretVersionStageInput{SecretId: aws.String("s"), VersionStage: &stage}
	if to != "" {
		in.MoveToVersionId = &to
	}
	if from != "" {
		in.RemoveFromVersionId = &from
	}
	_, err := w.UpdateSecretVersionStage(context.Background(), in)
	return err
}

// Sequences recorded on AWS: https://github.com/localstack/localstack,
// tests/aws/services/secretsmanager/test_secretsmanager.snapshot.json.
func TestRecordedLabelSequences(t *testing.T) {
	type labels = map[string][]string
	v := func(n int) string { return token(n) }
	for what, steps := range map[string][]struct {
		do   func(*world) error
		want labels
	}{
		"current_pending": {
			{func(w *world) error { return w.put(2, "AWSPENDING") }, labels{v(1): {"AWSCURRENT"}, v(2): {"AWSPENDING"}}},
			{func(w *world) error { return w.move("AWSCURRENT", v(2), v(1)) }, labels{v(1): {"AWSPREVIOUS"}, v(2): {"AWSCURRENT", "AWSPENDING"}}},
			{func(w *world) error { return w.put(3) }, labels{v(2): {"AWSPREVIOUS"}, v(3): {"AWSCURRENT"}}},
		},
		"current_pending_cycle_custom_stages_2": {
			{func(w *world) error { return w.put(2, "AWSCURRENT", "PUT0") }, labels{v(1): {"AWSPREVIOUS"}, v(2): {"AWSCURRENT", "PUT0"}}},
			{func(w *world) error { return w.put(3, "AWSPENDING", "PUT1") }, labels{v(1): {"AWSPREVIOUS"}, v(2): {"AWSCURRENT", "PUT0"}, v(3): {"AWSPENDING", "PUT1"}}},
			{func(w *world) error { return w.move("AWSCURRENT", v(3), v(2)) }, labels{v(2): {"AWSPREVIOUS", "PUT0"}, v(3): {"AWSCURRENT", "AWSPENDING", "PUT1"}}},
			{func(w *world) error { return w.put(4, "AWSPENDING", "PUT2") }, labels{v(2): {"AWSPREVIOUS", "PUT0"}, v(3): {"AWSCURRENT", "PUT1"}, v(4): {"AWSPENDING", "PUT2"}}},
			{func(w *world) error { return w.move("AWSCURRENT", v(4), v(3)) }, labels{v(2): {"PUT0"}, v(3): {"AWSPREVIOUS", "PUT1"}, v(4): {"AWSCURRENT", "AWSPENDING", "PUT2"}}},
		},
		"non_versioning_version_stages_no_replacement": {
			{func(w *world) error { return w.put(2, "one", "two", "three") }, labels{v(1): {"AWSCURRENT"}, v(2): {"one", "three", "two"}}},
			{func(w *world) error { return w.put(3, "one", "two", "four") }, labels{v(1): {"AWSCURRENT"}, v(2): {"three"}, v(3): {"four", "one", "two"}}},
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			must(w.CreateSecret(t.Context(), &api.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String(v(1)), ClientRequestToken: aws.String(v(1))}))(t)
			for i, step := range steps {
				must(0, step.do(w))(t)
				if diff := cmp.Diff(step.want, w.stages("s")); diff != "" {
					t.Fatalf("after step %d: %s", i+1, diff)
				}
			}
		})
	}
}

func TestMovingLabels(t *testing.T) {
	w := newWorld(t)
	must(w.CreateSecret(t.Context(), &api.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("v"), ClientRequestToken: aws.String(token(1))}))(t)
	must(0, w.put(2, "NEXT"))(t)
	explicit := "The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version " + token(1) + ", so you must explicitly reference that version in RemoveFromVersionId."
	refused(t, w.move("AWSCURRENT", token(2), ""), "InvalidParameterException", explicit)
	refused(t, w.move("AWSCURRENT", token(2), token(2)), "InvalidParameterException", "")
	refused(t, w.move("AWSCURRENT", token(2), token(9)), "InvalidParameterException", "")
	refused(t, w.move("AWSCURRENT", token(9), token(1)), "ResourceNotFoundException", "")
	refused(t, w.move("AWSCURRENT", "", token(1)), "InvalidParameterException", "You can only move staging label AWSCURRENT to a different secret version. It can’t be completely removed.")
	refused(t, w.move("NEXT", "", token(1)), "InvalidParameterException", "")
	refused(t, w.move("NOSUCH", "", token(1)), "InvalidParameterException", "")
	refused(t, w.move("NEXT", "", ""), "InvalidParameterException", "")
	must(0, w.move("NEXT", token(2), ""))(t) // where it is
	must(0, w.move("NEXT", token(1), token(2)))(t)
	if diff := cmp.Diff(map[string][]string{token(1): {"AWSCURRENT", "NEXT"}}, w.stages("s")); diff != "" {
		t.Error(diff)
	}
	must(0, w.move("AWSCURRENT", token(2), token(1)))(t) // a deprecated version comes back
	must(0, w.move("AWSCURRENT", token(1), token(2)))(t) // and a rollback swaps the two
	if diff := cmp.Diff(map[string][]string{token(1): {"AWSCURRENT", "NEXT"}, token(2): {"AWSPREVIOUS"}}, w.stages("s")); diff != "" {
		t.Error(diff)
	}
}

func TestTwentyLabelsAtMost(t *testing.T) {
	w := newWorld(t)
	w.create("s", "v")
	var stages []string
	for i := range 20 {
		stages = append(stages, fmt.Sprint("L", i))
	}
	must(0, w.put(1, stages...))(t)
	refused(t, w.move("ONEMORE", token(1), ""), "LimitExceededException", "")
	refused(t, w.put(2, append(stages, "ONEMORE")...), "ValidationException", "")
	if got := w.stages("s")[token(1)]; len(got) != 20 {
		t.Errorf("a refused call changed the labels: %v", got)
	}
}

func TestDeprecatedVersionsArePruned(t *testing.T) {
	w := newWorld(t)
	w.create("s", "v")
	count := func(deprecated bool) (n int) {
		in := &api.ListSecretVersionIdsInput{SecretId: aws.String("s"), IncludeDeprecated: &deprecated, MaxResults: aws.Int32(50)}
		pages := api.NewListSecretVersionIdsPaginator(w, in)
		for pages.HasMorePages() {
			n += len(must(pages.NextPage(t.Context()))(t).Versions)
		}
		return n
	}
	for i := range 120 {
		must(0, w.put(i))(t)
	}
	if count(false) != 2 || count(true) != 121 {
		t.Errorf("%d versions with labels, %d in all; those of a day are kept", count(false), count(true))
	}
	w.pass(25 * time.Hour)
	must(0, w.put(200))(t)
	if n := count(true); n != 102 {
		t.Errorf("%d versions, want 100 deprecated ones and 2", n)
	}
	if _, err := w.GetSecretValue(t.Context(), &api.GetSecretValueInput{SecretId: aws.String("s"), VersionId: aws.String(token(100))}); err != nil {
		t.Errorf("a deprecated version cannot be read: %v", err)
	}
	_, err := w.GetSecretValue(t.Context(), &api.GetSecretValueInput{SecretId: aws.String("s"), VersionId: aws.String(token(1))})
	refused(t, err, "ResourceNotFoundException", "")
}

// labelModel is the rules of labels, as small as they can be said: which version each label
// is on.
type labelModel struct {
	versions []string
	at       map[string]string // label → version
}

func (m *labelModel) set(label, v string) {
	from, moved := m.at[label]
	m.at[label] = v
	if label == "AWSCURRENT" && moved && from != v {
		m.at["AWSPREVIOUS"] = from
	}
}

func (m *labelModel) put(v string, labels []string) bool {
	if slices.Contains(m.versions, v) {
		return true // the same value again
	}
	m.versions = append(m.versions, v)
	if len(labels) == 0 {
		labels = []string{"AWSCURRENT"}
	}
	if slices.Contains(labels, "AWSCURRENT") && !slices.Contains(labels, "AWSPENDING") {
		delete(m.at, "AWSPENDING")
	}
	for _, l := range labels {
		m.set(l, v)
	}
	return true
}

func (m *labelModel) move(label, to, from string) bool {
	holder, attached := m.at[label]
	switch {
	case to == "" && (from == "" || label == "AWSCURRENT"),
		to != "" && !slices.Contains(m.versions, to),
		from != "" && from != holder,
		from == "" && attached && holder != to:
		return false
	case to == "":
		delete(m.at, label)
	case holder != to:
		m.set(label, to)
	}
	return true
}

func (m *labelModel) stages() map[string][]string {
	out := map[string][]string{}
	for label, v := range m.at {
		out[v] = append(out[v], label)
		slices.Sort(out[v])
	}
	return out
}

// direct is the way from a client to its server without a network between.
type direct struct{ http.Handler }

func (d direct) Do(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	d.ServeHTTP(rec, r)
	return rec.Result(), nil
}

func TestLabelsFollowTheModel(t *testing.T) {
	w := newWorld(t)
	w.Client = w.client("us-east-1", func(o *api.Options) { o.HTTPClient = direct{w.srv} })
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		name := fmt.Sprint("s", n)
		model := &labelModel{versions: []string{token(0)}, at: map[string]string{"AWSCURRENT": token(0)}}
		if _, err := w.CreateSecret(t.Context(), &api.CreateSecretInput{Name: &name, SecretString: aws.String(token(0)), ClientRequestToken: aws.String(token(0))}); err != nil {
			rt.Fatal(err)
		}
		label := rapid.SampledFrom([]string{"AWSCURRENT", "AWSPREVIOUS", "AWSPENDING", "A", "B"})
		version := rapid.Map(rapid.IntRange(0, 5), token)
		maybe := rapid.OneOf(version, rapid.Just(""))
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				v, labels := version.Draw(rt, "version"), rapid.SliceOfNDistinct(label, 0, 3, rapid.ID).Draw(rt, "labels")
				if len(labels) == 0 {
					labels = nil
				}
				_, err := w.PutSecretValue(t.Context(), &api.PutSecretValueInput{SecretId: &name, ClientRequestToken: &v, SecretString: &v, VersionStages: labels})
				agree(rt, model.put(v, labels), err)
			},
			"move": func(rt *rapid.T) {
				l, to, from := label.Draw(rt, "label"), maybe.Draw(rt, "to"), maybe.Draw(rt, "from")
				in := &api.UpdateSecretVersionStageInput{SecretId: &name, VersionStage: &l}
				if to != "" {
					in.MoveToVersionId = &to
				}
				if from != "" {
					in.RemoveFromVersionId = &from
				}
				_, err := w.UpdateSecretVersionStage(t.Context(), in)
				agree(rt, model.move(l, to, from), err)
			},
			"": func(rt *rapid.T) {
				d, err := w.DescribeSecret(t.Context(), &api.DescribeSecretInput{SecretId: &name})
				if err != nil {
					rt.Fatal(err)
				}
				if diff := cmp.Diff(model.stages(), d.VersionIdsToStages); diff != "" {
					rt.Fatal(diff)
				}
				got, err := w.GetSecretValue(t.Context(), &api.GetSecretValueInput{SecretId: &name})
				if err != nil || *got.SecretString != model.at["AWSCURRENT"] {
					rt.Fatalf("AWSCURRENT reads %v, %v; want %s", got, err, model.at["AWSCURRENT"])
				}
			},
		})
	})
}

func agree(rt *rapid.T, allowed bool, err error) {
	var e smithy.APIError
	if err != nil && !errors.As(err, &e) {
		rt.Fatal(err)
	}
	if allowed != (err == nil) {
		rt.Fatalf("the model says %v, the server %v", allowed, err)
	}
}
