package secretsmanager

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// filter is one filter of ListSecrets and BatchGetSecretValue. A secret must pass all; it
// passes one if any of its values matches.
type filter struct {
	Key    *string
	Values []string
}

// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Filter.html
var (
	filterKeys      = []string{"all", "name", "tag-key", "description", "tag-value", "primary-region", "owning-service"}
	filterValueForm = regexp.MustCompile(`^!?[a-zA-Z0-9 :_@/+=.\-!]*$`)
)

// checkFilters refuses what the service does. Its texts are recorded in
// https://github.com/getmoto/moto, tests/test_secretsmanager/test_list_secrets.py.
func checkFilters(filters []filter) error {
	if len(filters) > 10 {
		return violation("", "Filters", "Member must have length less than or equal to 10")
	}
	for i, f := range filters {
		member := fmt.Sprintf("Filters.%d.member", i+1)
		switch {
		case f.Key == nil || *f.Key == "":
			return invalidParameter("Invalid filter key")
		case !slices.Contains(filterKeys, *f.Key):
			return violation(fmt.Sprintf("'%.64s'", *f.Key), member+".key", "Member must satisfy enum value set: ["+strings.Join(filterKeys, ", ")+"]")
		case len(f.Values) == 0:
			return invalidParameter("Invalid filter values for key: %s", *f.Key)
		case len(f.Values) > 10:
			return violation("", member+".values", "Member must have length less than or equal to 10")
		}
		for j := range f.Values {
			if err := length(member+".values", &f.Values[j], 1, 512); err != nil {
				return err
			}
			if !filterValueForm.MatchString(f.Values[j]) {
				return violation("", member+".values", "Member must satisfy regular expression pattern: "+filterValueForm.String())
			}
		}
	}
	return nil
}

// compile makes one condition of filters.
func compile(filters []filter) func(*secret) bool {
	return func(sec *secret) bool {
		for _, f := range filters {
			if !slices.ContainsFunc(f.Values, func(v string) bool { return sec.passes(*f.Key, v) }) {
				return false
			}
		}
		return true
	}
}

// passes says whether one value of a filter matches, or does not for one that begins with !.
//
// Names, tags and the rest match by prefix. Descriptions match by words, though the API's
// reference says prefix: that is how the service behaves, as recorded in
// https://github.com/localstack/localstack, test_list_secrets_filtering, and by moto's tests
// that are verified on AWS.
func (s *secret) passes(key, v string) bool {
	if rest, negated := strings.CutPrefix(v, "!"); negated {
		return !s.passes(key, rest)
	}
	prefix := func(of string) bool { return strings.HasPrefix(of, v) }
	switch key {
	case "name":
		return prefix(s.Name)
	case "description":
		return hasWords(s.Description, v)
	case "tag-key":
		return slices.ContainsFunc(s.Tags, func(t tag) bool { return prefix(t.Key) })
	case "tag-value":
		return slices.ContainsFunc(s.Tags, func(t tag) bool { return prefix(t.Value) })
	case "primary-region":
		at := primaryRegion(s)
		return at != "" && prefix(at)
	case "owning-service":
		return s.Owner != "" && prefix(s.Owner)
	}
	return hasWords(s.Name, v) || hasWords(s.Description, v) || hasWords(s.Owner, v) || hasWords(primaryRegion(s), v) ||
		slices.ContainsFunc(s.Tags, func(t tag) bool { return hasWords(t.Key, v) || hasWords(t.Value, v) })
}

// hasWords says whether each word asked for begins a word of the text.
func hasWords(text, asked string) bool {
	if text == "" {
		return false
	}
	have, want := words(text), words(asked)
	for _, w := range want {
		if !slices.ContainsFunc(have, func(h string) bool { return strings.HasPrefix(h, w) }) {
			return false
		}
	}
	return len(want) > 0
}

// separators part words, if only one of them occurs in a text; if several do, it is one word.
const separators = "/-_+=.@"

// wordStart is where a word begins inside a text: anything but a small letter, followed by
// small letters. COMPANYthings is COMPAN and Ythings.
var wordStart = regexp.MustCompile(`[^a-z][a-z]+`)

// words breaks a text into words in small letters, in the way that moto's maintainers found
// out from the service (test_with_all_filter_special_characters, verified on AWS).
func words(text string) []string {
	parts := []string{text}
	if i := strings.IndexAny(text, separators); i >= 0 {
		parts = strings.Split(text, text[i:i+1])
		if strings.ContainsAny(strings.Join(parts, ""), separators) {
			return []string{strings.ToLower(text)}
		}
	}
	var list []string
	keep := func(word string) {
		if word = strings.ToLower(strings.TrimSpace(word)); word != "" {
			list = append(list, word)
		}
	}
	for _, part := range parts {
		end := 0
		for _, at := range wordStart.FindAllStringIndex(part, -1) {
			keep(part[end:at[0]])
			keep(part[at[0]:at[1]])
			end = at[1]
		}
		keep(part[end:])
	}
	return list
}
