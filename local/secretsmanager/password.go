package secretsmanager

import "strings"

// The four types of characters: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetRandomPassword.html
const (
	lowercase   = "abcdefghijklmnopqrstuvwxyz"
	uppercase   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits      = "0123456789"
	punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
)

type getRandomPasswordInput struct {
	PasswordLength          *int64
	ExcludeCharacters       *string
	ExcludeLowercase        *bool
	ExcludeUppercase        *bool
	ExcludeNumbers          *bool
	ExcludePunctuation      *bool
	IncludeSpace            *bool
	RequireEachIncludedType *bool
}

type getRandomPasswordOutput struct {
	RandomPassword string
}

func (s *Server) getRandomPassword(_ *caller, in *getRandomPasswordInput) (*getRandomPasswordOutput, error) {
	if err := first(number("PasswordLength", in.PasswordLength, 1, 4096), length("ExcludeCharacters", in.ExcludeCharacters, 0, 4096)); err != nil {
		return nil, err
	}
	n := 32
	if in.PasswordLength != nil {
		n = int(*in.PasswordLength)
	}
	requireEach := in.RequireEachIncludedType == nil || *in.RequireEachIncludedType
	types, err := in.types(requireEach)
	if err != nil {
		return nil, err
	}
	all := strings.Join(types, "")
	if deref(in.IncludeSpace) && !strings.Contains(deref(in.ExcludeCharacters), " ") {
		all += " " // a space may be in it, but is no required type
	}
	switch {
	case all == "":
		return nil, invalidParameter("All characters have been excluded from selection.")
	case requireEach && n < len(types):
		return nil, invalidParameter("Password length is too short based on the required types.")
	}
	password := []byte(randomFrom(all, n))
	if requireEach {
		// One of each type takes the first places, then all places are shuffled.
		for i, alphabet := range types {
			password[i] = randomFrom(alphabet, 1)[0]
		}
		for i := len(password) - 1; i > 0; i-- {
			j := randomBelow(i + 1)
			password[i], password[j] = password[j], password[i]
		}
	}
	return &getRandomPasswordOutput{RandomPassword: string(password)}, nil
}

// types are the alphabets to draw from, without the characters excluded one by one.
func (in *getRandomPasswordInput) types(requireEach bool) ([]string, error) {
	var types []string
	for _, t := range []struct {
		alphabet string
		exclude  *bool
	}{{lowercase, in.ExcludeLowercase}, {uppercase, in.ExcludeUppercase}, {digits, in.ExcludeNumbers}, {punctuation, in.ExcludePunctuation}} {
		if deref(t.exclude) {
			continue
		}
		left := strings.Map(func(r rune) rune {
			if strings.ContainsRune(deref(in.ExcludeCharacters), r) {
				return -1
			}
			return r
		}, t.alphabet)
		if left == "" && requireEach {
			return nil, invalidParameter("All characters of the desired type have been excluded.")
		}
		types = append(types, left)
	}
	return types, nil
}
