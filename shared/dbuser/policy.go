package dbuser

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Policy is how new passwords are made: the settings of the official rotation
// templates, which are those of GetRandomPassword. Use [PolicyFrom]; the zero
// Policy makes none.
type Policy struct {
	Length                  int
	ExcludeCharacters       string
	ExcludeNumbers          bool
	ExcludePunctuation      bool
	ExcludeUppercase        bool
	ExcludeLowercase        bool
	RequireEachIncludedType bool
}

// Passwords shorter than 8 characters are refused by RDS and by most audits.
const (
	minPasswordLength = 8
	maxPasswordLength = 4096 // GetRandomPassword's
)

// PolicyFrom reads the policy from the function's environment; lookup is
// os.LookupEnv. What is not set has the templates' default. Errors are ErrConfig.
//
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot_rotation.html
func PolicyFrom(lookup func(string) (string, bool)) (Policy, error) {
	p := Policy{Length: 32, ExcludeCharacters: `:/@"'\`, RequireEachIncludedType: true}
	if v, _ := lookup("PASSWORD_LENGTH"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < minPasswordLength || n > maxPasswordLength {
			return Policy{}, badSetting("PASSWORD_LENGTH", v, fmt.Sprintf("a number from %d to %d", minPasswordLength, maxPasswordLength))
		}
		p.Length = n
	}
	if v, set := lookup("EXCLUDE_CHARACTERS"); set { // empty: exclude none
		p.ExcludeCharacters = v
	}
	for _, setting := range []struct {
		name string
		to   *bool
	}{
		{"EXCLUDE_NUMBERS", &p.ExcludeNumbers},
		{"EXCLUDE_PUNCTUATION", &p.ExcludePunctuation},
		{"EXCLUDE_UPPERCASE", &p.ExcludeUppercase},
		{"EXCLUDE_LOWERCASE", &p.ExcludeLowercase},
		{"REQUIRE_EACH_INCLUDED_TYPE", &p.RequireEachIncludedType},
	} {
		switch v, _ := lookup(setting.name); strings.ToLower(v) {
		case "":
		case "true", "t", "yes", "y", "1":
			*setting.to = true
		case "false", "f", "no", "n", "0":
			*setting.to = false
		default:
			return Policy{}, badSetting(setting.name, v, "true or false")
		}
	}
	return p, nil
}

func badSetting(name, value, expected string) error {
	return rotation.WithHint(fmt.Errorf("reading the function's settings: %s is %q: %w", name, clip(value), rotation.ErrConfig),
		fmt.Sprintf("%s must be %s.", name, expected))
}

// The types of characters, as GetRandomPassword has them.
//
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetRandomPassword.html
const (
	lowercase   = "abcdefghijklmnopqrstuvwxyz"
	uppercase   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	numbers     = "0123456789"
	punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
)

// generate makes a password that the policy and the server both allow, or says
// why there is none. It is printable ASCII, which every server takes.
func (p Policy) generate(rules Rules, engine string) (_ string, err error) {
	if p.Length > rules.MaxPassword {
		return "", badSetting("PASSWORD_LENGTH", strconv.Itoa(p.Length), fmt.Sprintf("at most %d for %s", rules.MaxPassword, engine))
	}
	p.ExcludeCharacters += rules.NotInPassword
	if rules.MixedPassword {
		if p, err = p.mixed(engine); err != nil {
			return "", err
		}
	}
	types, err := p.types()
	if err != nil {
		return "", err
	}
	all := strings.Join(types, "")
	password := make([]byte, 0, p.Length)
	if p.RequireEachIncludedType {
		for _, t := range types {
			password = append(password, t[random(len(t))])
		}
	}
	for len(password) < p.Length {
		password = append(password, all[random(len(all))])
	}
	for i := len(password) - 1; i > 0; i-- { // so that the required ones stand anywhere
		j := random(i + 1)
		password[i], password[j] = password[j], password[i]
	}
	return string(password), nil
}

// mixed is the policy for a server that wants letters of both cases and a number
// in every password.
func (p Policy) mixed(engine string) (Policy, error) {
	if p.ExcludeLowercase || p.ExcludeUppercase || p.ExcludeNumbers {
		return p, rotation.WithHint(
			fmt.Errorf("reading the function's settings: the EXCLUDE_ settings leave no password that %s takes: %w", engine, rotation.ErrConfig),
			"Exclude punctuation or single characters only: it wants lower-case letters, upper-case letters and numbers.")
	}
	if !p.RequireEachIncludedType {
		p.RequireEachIncludedType = true
		p.ExcludePunctuation = p.ExcludePunctuation || strings.Trim(punctuation, p.ExcludeCharacters) == ""
	}
	return p, nil
}

// types are the characters left of each included type.
func (p Policy) types() ([]string, error) {
	var types []string
	for _, t := range []struct {
		chars, name string
		excluded    bool
	}{
		{lowercase, "lower-case letters", p.ExcludeLowercase},
		{uppercase, "upper-case letters", p.ExcludeUppercase},
		{numbers, "numbers", p.ExcludeNumbers},
		{punctuation, "punctuation", p.ExcludePunctuation},
	} {
		if t.excluded {
			continue
		}
		left := strings.Map(func(c rune) rune {
			if strings.ContainsRune(p.ExcludeCharacters, c) {
				return -1
			}
			return c
		}, t.chars)
		if left == "" && p.RequireEachIncludedType {
			return nil, rotation.WithHint(
				fmt.Errorf("reading the function's settings: EXCLUDE_CHARACTERS leaves no %s, and each type is required: %w", t.name, rotation.ErrConfig),
				"Exclude fewer characters, exclude the whole type, or set REQUIRE_EACH_INCLUDED_TYPE to false.")
		}
		if left != "" {
			types = append(types, left)
		}
	}
	if len(types) == 0 {
		return nil, rotation.WithHint(
			fmt.Errorf("reading the function's settings: the EXCLUDE_ settings leave no character for a password: %w", rotation.ErrConfig),
			"Exclude fewer characters.")
	}
	if all := strings.Join(types, ""); len(all) < 2 {
		return nil, rotation.WithHint(
			fmt.Errorf("reading the function's settings: the EXCLUDE_ settings leave one character, so one password: %w", rotation.ErrConfig),
			"Exclude fewer characters.")
	}
	return types, nil
}

// random is uniform in [0, n).
func random(n int) int {
	i, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		panic("crypto/rand failed") // it never does, see its documentation
	}
	return int(i.Int64())
}
