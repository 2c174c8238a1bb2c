package dbuser

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rekey-aws/rekey/shared/rotation"
)

var anyRules = Rules{MaxPassword: 128, MaxUsername: 32, UsernameLength: utf8.RuneCountInString, DefaultPort: 5432}

func lookup(environment map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := environment[name]; return v, ok }
}

func TestPolicy(t *testing.T) {
	for _, c := range []struct {
		name   string
		env    map[string]string
		length int
		never  string // characters that no password has
		always []string
	}{
		{"the templates' defaults", nil, 32, `:/@"'\`, []string{lowercase, uppercase, numbers, punctuation}},
		{"length", map[string]string{"PASSWORD_LENGTH": "8"}, 8, `:/@"'\`, []string{lowercase, uppercase, numbers, punctuation}},
		{"nothing excluded", map[string]string{"EXCLUDE_CHARACTERS": "", "PASSWORD_LENGTH": "128"}, 128, " ", []string{punctuation}},
		{"letters only", map[string]string{"EXCLUDE_NUMBERS": "true", "EXCLUDE_PUNCTUATION": "Yes"}, 32, numbers + punctuation, []string{lowercase, uppercase}},
		{"digits only", map[string]string{"EXCLUDE_LOWERCASE": "1", "EXCLUDE_UPPERCASE": "t", "EXCLUDE_PUNCTUATION": "y"}, 32, lowercase + uppercase + punctuation, []string{numbers}},
		{"types not required", map[string]string{"REQUIRE_EACH_INCLUDED_TYPE": "false", "EXCLUDE_CHARACTERS": numbers}, 32, numbers, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := PolicyFrom(lookup(c.env))
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for range 500 {
				password, err := p.generate(anyRules, "postgres")
				if err != nil {
					t.Fatal(err)
				}
				if len(password) != c.length || strings.ContainsAny(password, c.never) || seen[password] {
					t.Fatalf("made %q", password)
				}
				seen[password] = true
				for _, of := range c.always {
					if !strings.ContainsAny(password, of) {
						t.Fatalf("%q has none of %q", password, of)
					}
				}
			}
		})
	}
}

// Every character of the alphabet turns up, in every place.
func TestPasswordsAreUniform(t *testing.T) {
	p, err := PolicyFrom(lookup(map[string]string{"EXCLUDE_CHARACTERS": ""}))
	if err != nil {
		t.Fatal(err)
	}
	const passwords = 4000
	first, all := map[byte]int{}, map[byte]int{}
	for range passwords {
		password, err := p.generate(anyRules, "postgres")
		if err != nil {
			t.Fatal(err)
		}
		first[password[0]]++
		for _, c := range []byte(password) {
			all[c]++
		}
	}
	if len(all) != 94 || len(first) != 94 {
		t.Errorf("%d characters in all places and %d in the first, want 94", len(all), len(first))
	}
	for c, n := range all {
		// One of each type is required, so digits, of which there are few, come
		// up to twice as often as the mean.
		if mean := passwords * 32 / 94; n < mean/2 || n > mean*2 {
			t.Errorf("%q came %d times, the mean is %d", c, n, mean)
		}
	}
}

func TestPoliciesThatCannotBeMet(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		says string
	}{
		"not a number":   {map[string]string{"PASSWORD_LENGTH": "long"}, "PASSWORD_LENGTH"},
		"too short":      {map[string]string{"PASSWORD_LENGTH": "7"}, "PASSWORD_LENGTH"},
		"too long":       {map[string]string{"PASSWORD_LENGTH": "129"}, "PASSWORD_LENGTH"},
		"absurd":         {map[string]string{"PASSWORD_LENGTH": "99999999999999999999"}, "PASSWORD_LENGTH"},
		"not a boolean":  {map[string]string{"EXCLUDE_NUMBERS": "maybe"}, "EXCLUDE_NUMBERS"},
		"no digits left": {map[string]string{"EXCLUDE_CHARACTERS": numbers}, "numbers"},
		"nothing left":   {map[string]string{"EXCLUDE_LOWERCASE": "true", "EXCLUDE_UPPERCASE": "true", "EXCLUDE_NUMBERS": "true", "EXCLUDE_PUNCTUATION": "true"}, "no character"},
		"one character": {map[string]string{
			"EXCLUDE_LOWERCASE": "true", "EXCLUDE_UPPERCASE": "true", "EXCLUDE_PUNCTUATION": "true",
			"EXCLUDE_CHARACTERS": "123456789",
		}, "one password"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := PolicyFrom(lookup(c.env))
			if err == nil {
				_, err = p.generate(anyRules, "postgres")
			}
			if !errors.Is(err, rotation.ErrConfig) || !strings.Contains(err.Error(), c.says) || rotation.Hint(err) == "" {
				t.Errorf("got %v", err)
			}
		})
	}
}

func BenchmarkGenerate(b *testing.B) {
	p, err := PolicyFrom(lookup(nil))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := p.generate(anyRules, "postgres"); err != nil {
			b.Fatal(err)
		}
	}
}
