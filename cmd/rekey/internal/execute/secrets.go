package execute

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/client"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/account"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
	"github.com/rekey-aws/rekey/shared/awsclient"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// wanted is one --secret.
type wanted struct {
	name   string // or ARN
	key    string // of the JSON object; all of them if empty
	prefix string
	chosen bool // the prefix was given
}

var prefixForm = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)?$`)

// parse reads NAME[#KEY][=PREFIX]. A name may have = in it, but no #.
//
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
func parse(given string) (w wanted, err error) {
	w.name = given
	if at := strings.LastIndexByte(given, '='); at >= 0 {
		w.name, w.prefix, w.chosen = given[:at], given[at+1:], true
	}
	hasKey := false
	w.name, w.key, hasKey = strings.Cut(w.name, "#")
	switch {
	case w.name == "":
		return w, usage.Errorf("--secret %s: the name is missing: give NAME, NAME=PREFIX or NAME#KEY=VARIABLE", given)
	case !prefixForm.MatchString(w.prefix):
		return w, usage.Errorf("--secret %s: %q cannot begin a variable's name: give letters, digits and _; where the secret's own name has a =, add =PREFIX", given, w.prefix)
	case hasKey && w.key == "":
		return w, usage.Errorf("--secret %s: the key is missing after #", given)
	case hasKey && w.chosen && w.prefix == "":
		return w, usage.Errorf("--secret %s: the variable's name is missing after =", given)
	}
	return w, nil
}

// variable is what the command gets: a value, under a name.
type variable struct {
	name  string
	value rotation.Value
	of    wanted
	key   string // of the JSON object; empty: the whole value
}

// place says where a variable comes from.
func (v variable) place() string {
	if v.key == "" {
		return v.of.name
	}
	return fmt.Sprintf("%s#%.64s", v.of.name, v.key)
}

// variablesOf takes a secret apart: one variable for each key of a JSON object, or one for all
// of anything else; and of an object too, if whole.
func variablesOf(w wanted, s *client.Secret, whole bool) ([]variable, error) {
	prefix := w.prefix
	if !w.chosen {
		prefix = defaultPrefix(s.ARN, w.name)
	}
	if w.key != "" {
		value, err := s.Field(w.key)
		if err != nil {
			return nil, account.WithRemedy(err)
		}
		name := prefix
		if !w.chosen {
			name = join(prefix, w.key)
		}
		return []variable{{name: name, value: value, of: w, key: w.key}}, nil
	}
	var keys map[string]json.RawMessage
	isObject := !s.Value.Binary() && json.Unmarshal([]byte(s.Text()), &keys) == nil && keys != nil
	var all []variable
	if !isObject || whole && prefix != "" {
		if prefix == "" {
			return nil, fmt.Errorf("the secret %s is no JSON object, so that its variable has no name: give it one, --secret %s=NAME", w.name, w.name)
		}
		all = append(all, variable{name: prefix, value: s.Value, of: w})
	}
	if !isObject {
		return all, nil
	}
	if _, err := rotation.ParseDocument(s.Value); err != nil { // a key that appears twice
		return nil, fmt.Errorf("the secret %s: %w", w.name, account.WithRemedy(err))
	}
	for _, key := range sorted(keys) {
		if string(keys[key]) == "null" {
			continue
		}
		value, err := s.Field(key)
		if err != nil {
			return nil, account.WithRemedy(err)
		}
		all = append(all, variable{name: join(prefix, key), value: value, of: w, key: key})
	}
	return all, nil
}

// join makes a variable's name: the prefix as it was given, the key in capitals.
func join(prefix, key string) string {
	name := capitals(key)
	switch {
	case prefix != "" && !strings.HasSuffix(prefix, "_"):
		return prefix + "_" + name
	case prefix == "" && (name == "" || name[0] >= '0' && name[0] <= '9'):
		return "_" + name
	}
	return prefix + name
}

// capitals makes a text one that a variable's name can have.
func capitals(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, s)
}

var suffixOfARN = regexp.MustCompile(`-[A-Za-z0-9]{6}$`)

// defaultPrefix is the last part of the secret's name, in capitals. The ARN ends in the name, a
// dash and six characters:
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html
func defaultPrefix(arn, name string) string {
	if at := strings.LastIndex(arn, ":secret:"); at >= 0 {
		name = suffixOfARN.ReplaceAllString(arn[at+len(":secret:"):], "")
	}
	prefix := capitals(name[strings.LastIndexByte(strings.TrimRight(name, "/"), '/')+1:])
	if prefix != "" && prefix[0] >= '0' && prefix[0] <= '9' {
		return "_" + prefix
	}
	return prefix
}

// source reads secrets for a person, whose errors are those of the other commands.
type source struct{ api client.API }

func (s source) Fetch(ctx context.Context, id string, _ bool) (*client.Secret, error) {
	// So that what AWS said last is told, and not that time ran out.
	out, err := s.api.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id}, func(o *secretsmanager.Options) {
		o.Retryer = awsclient.UntilDeadline(ctx, o.Retryer)
	})
	if err != nil {
		return nil, account.Explain(ctx, "GetSecretValue", err)
	}
	value := rotation.BinaryValue(out.SecretBinary)
	if out.SecretString != nil {
		value = rotation.TextValue(*out.SecretString)
	}
	return client.NewSecret(aws.ToString(out.ARN), aws.ToString(out.VersionId), value, time.Now()), nil
}

// reader reads what is wanted, and keeps what is current.
type reader struct {
	cache   *client.Cache
	wanted  []wanted
	current []held
}

type held struct {
	wanted wanted
	secret *client.Secret
}

// first reads all; the error is of the first in the order of the command line.
func (r *reader) first(ctx context.Context) error {
	r.current = nil
	for i, a := range r.each(ctx, r.cache.Get) {
		if a.err != nil {
			return a.err
		}
		r.current = append(r.current, held{r.wanted[i], a.secret})
	}
	return nil
}

// newer reads all again. What cannot be read stays as it is; the error is about one of those.
func (r *reader) newer(ctx context.Context) (current []held, err error) {
	current = append(current, r.current...)
	for i, a := range r.each(ctx, r.cache.RefreshNow) {
		if a.err != nil {
			err = a.err
		} else {
			current[i].secret = a.secret
		}
	}
	return current, err
}

// changed are the names of secrets that have other versions than before.
func changed(before, now []held) (names []string) {
	for i, h := range now {
		if h.secret.Version != before[i].secret.Version && !slices.Contains(names, h.wanted.name) {
			names = append(names, h.wanted.name)
		}
	}
	return names
}

type answer struct {
	secret *client.Secret
	err    error
}

// atOnce is how many secrets are read at the same time.
const atOnce = 8

// each gets every secret once, also where several keys of it are wanted: they belong together.
func (r *reader) each(ctx context.Context, get func(context.Context, string) (*client.Secret, error)) []*answer {
	found := map[string]*answer{}
	answers := make([]*answer, len(r.wanted))
	var readers sync.WaitGroup
	turns := make(chan struct{}, atOnce)
	for i, w := range r.wanted {
		if answers[i] = found[w.name]; answers[i] != nil {
			continue
		}
		a := &answer{}
		answers[i], found[w.name] = a, a
		readers.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			a.secret, a.err = get(ctx, w.name)
		})
	}
	readers.Wait()
	return answers
}
