package mask

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// through writes a text in pieces of a size, and is what came out.
func through(t testing.TB, text string, size int, values ...string) string {
	t.Helper()
	var set Set
	set.Add(values...)
	var out bytes.Buffer
	w := NewWriter(&out, &set)
	for piece := range slices.Chunk([]byte(text), size) {
		if n, err := w.Write(piece); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestMasked(t *testing.T) {
	const awkward = `pä"ss/w+rd&<'\x> $1`
	inJSON, _ := json.Marshal(awkward)
	for name, test := range map[string]struct {
		values     []string
		text, want string
	}{
		"alone":             {[]string{"hunter22"}, "hunter22", "***"},
		"in a line":         {[]string{"hunter22"}, "it is hunter22.\n", "it is ***.\n"},
		"nothing":           {[]string{"hunter22"}, "hunter2 hunter3\n", "hunter2 hunter3\n"},
		"no values":         {nil, "hunter22", "hunter22"},
		"twice":             {[]string{"hunter22"}, "hunter22 hunter22", "*** ***"},
		"side by side":      {[]string{"hunter22", "correct"}, "hunter22correct", "***"},
		"overlapping":       {[]string{"abcdefg", "efghijk"}, "<abcdefghijk>", "<***>"},
		"one in another":    {[]string{"cdefg", "abcdefghi"}, "abcdefghi cdefg abcdefgh", "*** *** ab***h"},
		"begins again":      {[]string{"ababac"}, "abababac", "ab***"},
		"never complete":    {[]string{"hunter22"}, "hunter2", "hunter2"},
		"JSON":              {[]string{awkward}, `{"a":` + string(inJSON) + `}`, `{"a":"***"}`},
		"JSON of Python":    {[]string{awkward}, `"p\u00e4\"ss/w+rd&<'\\x> $1"`, `"***"`},
		"JSON of PHP":       {[]string{"a/b/c/d"}, `"a\/b\/c\/d"`, `"***"`},
		"query":             {[]string{awkward}, "?a=" + url.QueryEscape(awkward) + "&b=1", "?a=***&b=1"},
		"path":              {[]string{awkward}, "/" + url.PathEscape(awkward) + "/", "/***/"},
		"connection string": {[]string{awkward}, (&url.URL{Scheme: "postgres", Host: "h", User: url.UserPassword("app", awkward)}).String(), "postgres://app:***@h"},
		"lower hex":         {[]string{"a/b+c/d"}, "a%2fb%2bc%2fd", "***"},
		"base64":            {[]string{awkward}, base64.StdEncoding.EncodeToString([]byte(awkward)), "***"},
		"base64 of URLs":    {[]string{"??>>??>>~~"}, base64.RawURLEncoding.EncodeToString([]byte("??>>??>>~~")), "***"},
		"hex":               {[]string{"hunter22"}, hex.EncodeToString([]byte("hunter22")), "***"},
		"shell":             {[]string{"it's hunter"}, `p='it'\''s hunter'`, `p='***'`},
		"XML":               {[]string{"a<b>&c"}, "<p>a&lt;b&gt;&amp;c</p>", "<p>***</p>"},
		"lines":             {[]string{"first line\nsecond line\n"}, "> second line\r\n> first line\r\n", "> ***\r\n> ***\r\n"},
		"whole of lines":    {[]string{"first line\nsecond line\n"}, "first line\nsecond line\n!", "***!"},
		"short lines":       {[]string{"-----BEGIN-----\nab\n-----END-----"}, "-----BEGIN-----\nab\n-----END-----\nab", "***\nab"},
		"not UTF-8":         {[]string{"\xff\xfe\xfd\xfc\xfb"}, "<\xff\xfe\xfd\xfc\xfb>", "<***>"},
	} {
		t.Run(name, func(t *testing.T) {
			for size := 1; size <= len(test.text); size++ {
				if got := through(t, test.text, size, test.values...); got != test.want {
					t.Errorf("in pieces of %d: %q, want %q", size, got, test.want)
				}
			}
		})
	}
}

// Basic authentication has the password in the middle of its base64, at any of three places.
func TestMaskedInTheMiddleOfBase64(t *testing.T) {
	const password = "correct-horse-battery"
	for _, user := range []string{"a", "ab", "abc", "abcd"} {
		header := base64.StdEncoding.EncodeToString([]byte(user + ":" + password + "~"))
		got := through(t, header, 3, password)
		if !strings.Contains(got, stars) || len(got) > len(stars)+12 {
			t.Errorf("%s became %s", header, got)
		}
	}
}

// A key as base64 breaks it into lines.
func TestMaskedBase64InLines(t *testing.T) {
	key := strings.Repeat("0123456789abcdefghij", 12)
	encoded := base64.StdEncoding.EncodeToString([]byte(key))
	for _, width := range []int{64, 76} {
		var lines strings.Builder
		for line := range slices.Chunk([]byte(encoded), width) {
			fmt.Fprintf(&lines, "%s\n", line)
		}
		if got := strings.Trim(through(t, lines.String(), 10, key), "*\n="); got != "" {
			t.Errorf("lines of %d: %q is left", width, got)
		}
	}
}

func TestTooShort(t *testing.T) {
	var set Set
	if got := set.Add("", "5432", "hunter22", "a\nb\nc", "ab\nlong enough"); !slices.Equal(got, []string{"5432"}) {
		t.Errorf("too short: %q", got)
	}
	if got := set.Add("a\nb"); !slices.Equal(got, []string{"a\nb"}) {
		t.Errorf("too short: %q", got)
	}
}

// Nothing is held back that cannot be the beginning of a value: prompts appear.
func TestHeldBackNoLongerThanNeeded(t *testing.T) {
	var set Set
	set.Add("hunter22")
	var out bytes.Buffer
	w := NewWriter(&out, &set)
	_, _ = w.Write([]byte("Password: "))
	if out.String() != "Password: " {
		t.Errorf("of a prompt came %q", out.String())
	}
	_, _ = w.Write([]byte("hunter"))
	if out.String() != "Password: " {
		t.Errorf("a beginning was written: %q", out.String())
	}
	set.Add("another-value")
	_, _ = w.Write([]byte("22 another-val"))
	_, _ = w.Write([]byte("ue"))
	if err := w.Flush(); err != nil || out.String() != "Password: *** ***" {
		t.Errorf("%v, %q", err, out.String())
	}
}

// Wherever the output is cut, no value is in what comes out, and what is no value stays.
func FuzzWriter(f *testing.F) {
	f.Add("hunter22", "correct", "a hunter22 and correct", uint8(3), uint8(7))
	f.Add("aaaaab", "aaaaa", "aaaaaaaaaaabaaaaa", uint8(1), uint8(1))
	f.Add("line one\nline two", "two\nl", "line one\nline two\nline", uint8(2), uint8(5))
	f.Fuzz(func(t *testing.T, a, b, text string, first, step uint8) {
		var set Set
		short := set.Add(a, b)
		var forms []string
		for _, value := range []string{a, b} {
			if !slices.Contains(short, value) {
				forms = append(forms, formsOf(value)...)
			}
		}
		for _, text := range []string{text, text + a + text + b, b + a + text} {
			var out bytes.Buffer
			w := NewWriter(&out, &set)
			rest := text
			for n := min(int(first), len(rest)); rest != ""; n = min(int(step)%16+1, len(rest)) {
				_, _ = w.Write([]byte(rest[:n]))
				rest = rest[n:]
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			if want := covered(text, forms); out.String() != want {
				t.Fatalf("of %q with %q and %q: %q, want %q", text, a, b, out.String(), want)
			}
		}
	})
}

// covered masks a whole text at once, in the plainest way.
func covered(text string, forms []string) string {
	hidden := make([]bool, len(text))
	for _, form := range forms {
		for at := range len(text) {
			if strings.HasPrefix(text[at:], form) {
				for i := range len(form) {
					hidden[at+i] = true
				}
			}
		}
	}
	var out strings.Builder
	for i := range len(text) {
		if !hidden[i] {
			out.WriteByte(text[i])
		} else if i == 0 || !hidden[i-1] {
			out.WriteString(stars)
		}
	}
	return out.String()
}

func BenchmarkWriter(b *testing.B) {
	passwords := make([]string, 10)
	for i := range passwords {
		passwords[i] = fmt.Sprintf("a-rather-long-password-%d-%x", i, i*7919)
	}
	var key strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&key, "%x%x%x\n", i*104729, i*15485863, i*32452843)
	}
	for name, values := range map[string][]string{"passwords": passwords, "lines": {key.String()}} {
		b.Run(name, func(b *testing.B) {
			var set Set
			set.Add(values...)
			line := []byte(strings.Repeat("compiling the package number 17 of 200, with a rather usual line of output\n", 400))
			w := NewWriter(io.Discard, &set)
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				_, _ = w.Write(line)
			}
		})
	}
}
