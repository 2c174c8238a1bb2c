package secretsmanager_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

func TestGetRandomPassword(t *testing.T) {
	w := newWorld(t)
	yes, no := aws.Bool(true), aws.Bool(false)
	for what, c := range map[string]struct {
		in            api.GetRandomPasswordInput
		length        int
		alphabet      string
		code, message string
	}{
		"default":          {in: api.GetRandomPasswordInput{}, length: 32},
		"only digits":      {in: api.GetRandomPasswordInput{PasswordLength: aws.Int64(4096), ExcludeLowercase: yes, ExcludeUppercase: yes, ExcludePunctuation: yes}, length: 4096, alphabet: "0123456789"},
		"one of each":      {in: api.GetRandomPasswordInput{PasswordLength: aws.Int64(4)}, length: 4},
		"excluded":         {in: api.GetRandomPasswordInput{ExcludeLowercase: yes, ExcludeUppercase: yes, ExcludePunctuation: yes, ExcludeCharacters: aws.String("0123456é")}, length: 32, alphabet: "789"},
		"space only":       {in: api.GetRandomPasswordInput{ExcludeLowercase: yes, ExcludeUppercase: yes, ExcludePunctuation: yes, ExcludeNumbers: yes, IncludeSpace: yes}, length: 32, alphabet: " "},
		"short, free":      {in: api.GetRandomPasswordInput{PasswordLength: aws.Int64(1), RequireEachIncludedType: no}, length: 1},
		"short":            {in: api.GetRandomPasswordInput{PasswordLength: aws.Int64(3)}, code: "InvalidParameterException", message: "Password length is too short based on the required types."},
		"nothing left":     {in: api.GetRandomPasswordInput{ExcludeLowercase: yes, ExcludeUppercase: yes, ExcludePunctuation: yes, ExcludeNumbers: yes}, code: "InvalidParameterException", message: "All characters have been excluded from selection."},
		"type left empty":  {in: api.GetRandomPasswordInput{ExcludeCharacters: aws.String("0123456789")}, code: "InvalidParameterException"},
		"too long":         {in: api.GetRandomPasswordInput{PasswordLength: aws.Int64(4097)}, code: "ValidationException", message: "1 validation error detected: Value '4097' at 'passwordLength' failed to satisfy constraint: Member must have value less than or equal to 4096"},
		"of no characters": {in: api.GetRandomPasswordInput{PasswordLength: aws.Int64(0)}, code: "ValidationException"},
	} {
		t.Run(what, func(t *testing.T) {
			out, err := w.GetRandomPassword(t.Context(), &c.in)
			if c.code != "" {
				refused(t, err, c.code, c.message)
				return
			}
			got := *must(out, err)(t).RandomPassword
			if len(got) != c.length {
				t.Errorf("%d characters, want %d", len(got), c.length)
			}
			if c.alphabet != "" && strings.Trim(got, c.alphabet) != "" {
				t.Errorf("%q has others than %q", got, c.alphabet)
			}
			if c.in.ExcludeNumbers == nil && c.in.RequireEachIncludedType == nil && !strings.ContainsAny(got, "0123456789") {
				t.Errorf("%q has no digit", got)
			}
		})
	}
}
