package submit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/account"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// secretFields are the parts that are secret; further parts may be given, such as the id by
// which the vendor ends the key.
func (s *submission) secretFields() (secret, further []string) {
	for _, name := range s.traits.Fields {
		if slices.Contains(s.traits.Public, name) || name == s.traits.ID {
			further = append(further, name)
		} else {
			secret = append(secret, name)
		}
	}
	if id := s.traits.ID; id != "" && !slices.Contains(further, id) {
		further = append(further, id)
	}
	return secret, further
}

// read gets the credential and makes the value of it.
func (s *submission) read(ctx context.Context) error {
	secret, further := s.secretFields()
	var parts map[string]string
	var err error
	if f := s.terminal(); f != nil {
		parts, err = ask(ctx, f, secret, further)
	} else {
		parts, err = s.parse(secret, further)
	}
	if err != nil {
		return err
	}
	changed := false
	for _, name := range slices.Concat(secret, further) {
		value, given := parts[name]
		if !given && !slices.Contains(secret, name) {
			value = "" // what belongs to the old key must not stay beside the new one
			if !s.document.Has(name) {
				continue
			}
		}
		if slices.Contains(secret, name) {
			if value == "" {
				return fmt.Errorf("%q is missing: nothing was changed", name)
			}
			var current string
			raw, _ := s.document.Raw(name)
			_ = json.Unmarshal(raw, &current) // another type is another value
			changed = changed || current != value
		}
		if s.document, err = s.document.Set(name, value); err != nil {
			return account.WithRemedy(err)
		}
	}
	if !changed {
		return fmt.Errorf("that is the key of %s: submit a new one; nothing was changed", rotation.Current)
	}
	s.next = s.document.Value()
	if s.next.Len() > rotation.MaxValueSize {
		return fmt.Errorf("the secret would have %d bytes, of %d that it may: nothing was changed", s.next.Len(), rotation.MaxValueSize)
	}
	return nil
}

// terminal is the standard input if it is one.
func (s *submission) terminal() *os.File {
	if s.command.stdin != nil || !terminal.Is(os.Stdin) {
		return nil
	}
	return os.Stdin
}

// ask asks for each part; nothing is shown of it.
func ask(ctx context.Context, in *os.File, secret, further []string) (map[string]string, error) {
	parts := map[string]string{}
	for _, name := range slices.Concat(secret, further) {
		aside := ""
		if !slices.Contains(secret, name) {
			aside = ", if there is one"
		}
		line, err := terminal.Hidden(ctx, in, os.Stderr, name+aside)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		if value := strings.TrimSpace(line); value != "" {
			parts[name] = value
		}
	}
	return parts, nil
}

// parse reads standard input. Its errors hold nothing of what was read.
func (s *submission) parse(secret, further []string) (map[string]string, error) {
	in := s.command.stdin
	if in == nil {
		in = os.Stdin
	}
	content, err := io.ReadAll(io.LimitReader(in, rotation.MaxValueSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading standard input: %w", err)
	}
	text := strings.TrimSpace(string(content))
	switch {
	case text == "":
		return nil, errors.New("standard input is empty: give the key there, such as rekey submit SECRET < file")
	case len(content) > rotation.MaxValueSize:
		return nil, fmt.Errorf("standard input has more than %d bytes: nothing was changed", rotation.MaxValueSize)
	case !strings.HasPrefix(text, "{"):
		if len(secret) != 1 {
			return nil, fmt.Errorf("a key of %s has %d secret parts: give a JSON object with %s", s.provider, len(secret), strings.Join(secret, ", "))
		}
		if strings.ContainsFunc(text, unicode.IsControl) {
			return nil, errors.New("standard input has more than a line, or a control character: give the key alone, or a JSON object; nothing was changed")
		}
		return map[string]string{secret[0]: text}, nil
	}
	var parts map[string]string
	if json.Unmarshal([]byte(text), &parts) != nil {
		return nil, errors.New("standard input is not a JSON object of strings: nothing was changed")
	}
	for name := range parts {
		if !slices.Contains(secret, name) && !slices.Contains(further, name) {
			return nil, fmt.Errorf("%.64q is no part of a key of %s: there are %s; nothing was changed", name, s.provider, strings.Join(slices.Concat(secret, further), ", "))
		}
	}
	return parts, nil
}
