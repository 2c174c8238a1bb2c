package jsonscan_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/shared/audit/internal/jsonscan"
)

// walk rebuilds a text from what the scanner yields.
func walk(s *jsonscan.Scanner) any {
	switch s.Next() {
	case '{':
		all := map[string]any{}
		for s.Object(); s.Member(); {
			name := string(s.Name())
			all[name] = walk(s)
		}
		return all
	case '[':
		all := []any{}
		for s.Array(); s.Element(); {
			all = append(all, walk(s))
		}
		return all
	case '"':
		return string(s.Text())
	case 't', 'f':
		return s.Bool()
	case 'n':
		s.Skip()
		return nil
	}
	return float64(s.Number())
}

func same(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

func TestWalk(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{}`, `[]`, `{"a":1}`, ` { "a" : [ 1 , 2 , {} , [ ] , "x" ] , "b" : { "c" : null } } `,
		`{"a\"b":"c\\","d":"\u00e9\\\"","e":true,"f":false}`, `[[[["deep"]]],{"a":{"b":{"c":{}}}}]`, `""`, `17`,
	} {
		s := jsonscan.New([]byte(text))
		got := walk(&s)
		var want any
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		if s.Err() != nil || s.Next() != 0 || !same(got, want) {
			t.Errorf("%s: %v, error %v, left %q", text, got, s.Err(), s.Rest())
		}
	}
}

// Every text that is cut is short, wherever it is cut: a stream reads on then.
func TestShort(t *testing.T) {
	t.Parallel()
	text := `{"a":[1,"b\"c",{"d":null}],"e":{"f":[true]}}`
	for n := range len(text) {
		for name, read := range map[string]func(*jsonscan.Scanner){
			"walk": func(s *jsonscan.Scanner) { walk(s) },
			"skip": func(s *jsonscan.Scanner) { s.Skip() },
		} {
			s := jsonscan.New([]byte(text[:n]))
			if read(&s); n > 0 && !errors.Is(s.Err(), jsonscan.ErrShort) {
				t.Errorf("%s of %q: %v", name, text[:n], s.Err())
			}
		}
	}
}

func TestSyntax(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"a" 1}`, `{"a":}`, `{a:1}`, `{"a":1 "b":2}`, `[1 2]`, `[,1]`, `[1,]`, `{,}`, `{"a":[}`, `[{]}`, `}`, `{"a":1]`, `(`,
		strings.Repeat("[", 600) + strings.Repeat("]", 600),
	} {
		s := jsonscan.New([]byte(text))
		if strings.HasPrefix(text, "[[[") {
			s.Skip()
		} else {
			walk(&s)
		}
		if !errors.Is(s.Err(), jsonscan.ErrSyntax) {
			t.Errorf("%.20s: %v", text, s.Err())
		}
	}
}

func TestWrongKinds(t *testing.T) {
	t.Parallel()
	for text, read := range map[string]func(*jsonscan.Scanner) bool{
		`{"a":1}`: func(s *jsonscan.Scanner) bool { return s.Text() == nil },
		`"x"`:     func(s *jsonscan.Scanner) bool { return !s.Object() },
		`[1]`:     func(s *jsonscan.Scanner) bool { return !s.Object() },
		`{}`:      func(s *jsonscan.Scanner) bool { return !s.Array() },
		`"true"`:  func(s *jsonscan.Scanner) bool { return !s.Bool() },
		`1.5`:     func(s *jsonscan.Scanner) bool { return s.Number() == -1 },
		`"7"`:     func(s *jsonscan.Scanner) bool { return s.Number() == -1 },
		`-7`:      func(s *jsonscan.Scanner) bool { return s.Number() == -1 },
	} {
		s := jsonscan.New([]byte(text))
		if !read(&s) || s.Err() != nil || s.Next() != 0 {
			t.Errorf("%s: error %v, left %q", text, s.Err(), s.Rest())
		}
	}
}

func TestLeave(t *testing.T) {
	t.Parallel()
	s := jsonscan.New([]byte(`{"a":{"b":1,"c":[{}],"d":"}"},"e":2}`))
	s.Object()
	s.Member()
	s.Object()
	s.Member()
	s.Skip()
	s.Leave()
	if !s.Member() || string(s.Name()) != "e" || s.Number() != 2 || s.Member() || s.Err() != nil {
		t.Errorf("after leaving: %q, %v", s.Rest(), s.Err())
	}
}

// What encoding/json takes, the scanner reads the same.
func FuzzWalk(f *testing.F) {
	f.Add(`{"a":[1,"b\"c",{"d":null}],"e":{"f":[true]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		s := jsonscan.New([]byte(text))
		s.Skip()
		skipped, at := s.Err(), s.At()
		var want any
		if json.Unmarshal([]byte(text), &want) != nil {
			return
		}
		if skipped != nil || len(strings.TrimSpace(text[at:])) != 0 {
			t.Errorf("skipping %q: %v at %d", text, skipped, at)
		}
		s = jsonscan.New([]byte(text))
		if walk(&s); s.Err() != nil && !strings.Contains(text, strings.Repeat("[", 500)) && !strings.Contains(text, strings.Repeat("{", 500)) {
			t.Errorf("walking %q: %v", text, s.Err())
		}
	})
}
