// Package jsonscan walks a JSON text once, forwards, and decodes only what is asked for: of a
// CloudTrail record that is a tenth. It allocates nothing.
//
//	s := jsonscan.New(text)
//	if s.Object() {
//		for s.Member() {
//			switch string(s.Name()) {
//			case "id":
//				id = s.Text()
//			default:
//				s.Skip()
//			}
//		}
//	}
//	if s.Err() != nil …
//
// Of what is skipped, strings and brackets are checked, and nothing else.
package jsonscan

import (
	"bytes"
	"encoding/json"
	"errors"
)

// ErrShort says that the text ends before its value does.
var ErrShort = errors.New("the JSON text ends too early")

// ErrSyntax says that the text is not JSON.
var ErrSyntax = errors.New("the text is not JSON")

// Scanner is a place in a text. After an error it yields nothing more. What it returns is part
// of the text, and valid as long as the text is. Make one with New.
type Scanner struct {
	text  []byte
	at    int
	name  []byte
	err   error
	fresh bool // just after an opening bracket
}

// New begins at the first value of a text.
func New(text []byte) Scanner { return Scanner{text: text} }

// Err is the first error: ErrShort or ErrSyntax.
func (s *Scanner) Err() error { return s.err }

// At is the number of bytes that have been read.
func (s *Scanner) At() int { return s.at }

// Rest is what has not been read.
func (s *Scanner) Rest() []byte { return s.text[s.at:] }

// Next is the first byte of what comes next, after space: of a value, a comma, a bracket;
// 0 at the end of the text, which is no error.
func (s *Scanner) Next() byte {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

func (s *Scanner) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// unexpected is the error of a byte that cannot stand there.
func (s *Scanner) unexpected(c byte) {
	if c == 0 && s.at >= len(s.text) {
		s.fail(ErrShort)
		return
	}
	s.fail(ErrSyntax)
}

// Object enters an object, whose members Member walks. Anything else is skipped, and then
// Object is false.
func (s *Scanner) Object() bool { return s.enter('{') }

// Array enters an array, whose elements Element walks. Anything else is skipped, and then
// Array is false.
func (s *Scanner) Array() bool { return s.enter('[') }

func (s *Scanner) enter(bracket byte) bool {
	if s.err != nil {
		return false
	}
	if s.Next() != bracket {
		s.Skip()
		return false
	}
	s.at++
	s.fresh = true
	return true
}

// more goes to the next member or element, or past the closing bracket.
func (s *Scanner) more(closing byte) bool {
	if s.err != nil {
		return false
	}
	c := s.Next()
	first := s.fresh
	s.fresh = false
	switch {
	case c == closing:
		s.at++
		return false
	case first:
		return true
	case c != ',':
		s.unexpected(c)
		return false
	}
	s.at++
	return true
}

// Member goes to the next member of the object that was entered last; false after the last.
// The value must be read, entered or skipped before the next call.
func (s *Scanner) Member() bool {
	if !s.more('}') {
		return false
	}
	if c := s.Next(); c != '"' {
		s.unexpected(c)
		return false
	}
	s.name = s.quoted()
	if s.err != nil {
		return false
	}
	if c := s.Next(); c != ':' {
		s.unexpected(c)
		return false
	}
	s.at++
	if bytes.IndexByte(s.name, '\\') >= 0 {
		s.name = unescape(s.name)
	}
	return true
}

// Name is that of the member.
func (s *Scanner) Name() []byte { return s.name }

// Element goes to the next element of the array that was entered last; false after the last.
func (s *Scanner) Element() bool {
	if !s.more(']') {
		return false
	}
	if c := s.Next(); c == 0 || c == ']' || c == ',' {
		s.unexpected(c)
		return false
	}
	return true
}

// Text reads a string. Anything else is skipped, and then the text is nil. One with escapes is
// decoded, which allocates.
func (s *Scanner) Text() []byte {
	if s.err != nil {
		return nil
	}
	if s.Next() != '"' {
		s.Skip()
		return nil
	}
	raw := s.quoted()
	if bytes.IndexByte(raw, '\\') >= 0 {
		return unescape(raw)
	}
	return raw
}

// quoted reads a string without decoding it.
func (s *Scanner) quoted() []byte {
	begin := s.at + 1
	for at := begin; ; {
		n := bytes.IndexByte(s.text[at:], '"')
		if n < 0 {
			s.at = len(s.text)
			s.fail(ErrShort)
			return nil
		}
		at += n + 1
		escapes := 0
		for i := at - 2; i >= begin && s.text[i] == '\\'; i-- {
			escapes++
		}
		if escapes%2 == 0 {
			s.at = at
			return s.text[begin : at-1]
		}
	}
}

// unescape decodes the inside of a string; nil if it is none.
func unescape(raw []byte) []byte {
	text := make([]byte, 0, len(raw)+2)
	text = append(append(append(text, '"'), raw...), '"')
	var decoded string
	if json.Unmarshal(text, &decoded) != nil {
		return nil
	}
	return []byte(decoded)
}

// Bool reads true or false. Anything else is skipped, and false.
func (s *Scanner) Bool() bool {
	if s.err == nil && s.Next() == 't' {
		defer s.Skip()
		return bytes.HasPrefix(s.Rest(), []byte("true"))
	}
	s.Skip()
	return false
}

// Number reads a whole number from 0 to 999,999,999. Anything else is skipped, and -1.
func (s *Scanner) Number() int {
	if s.err != nil {
		return -1
	}
	s.Next()
	begin := s.at
	s.Skip()
	n := 0
	digits := s.text[begin:s.at]
	if len(digits) == 0 || len(digits) > 9 {
		return -1
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// maxDepth is well above what any record nests.
const maxDepth = 512

// Skip passes over the next value.
func (s *Scanner) Skip() {
	if s.err != nil {
		return
	}
	s.fresh = false
	switch c := s.Next(); c {
	case '"':
		s.quoted()
	case '{', '[':
		s.at++
		s.skipOut(c)
	case 0, '}', ']', ',', ':':
		s.unexpected(c)
	default:
		s.word()
	}
}

// word passes over a number, true, false or null.
func (s *Scanner) word() {
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c == ',' || c == '}' || c == ']' || c == ' ' || c == '\n' || c == '\r' || c == '\t':
			return
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c == '-', c == '+', c == '.', c == 'E':
		default:
			s.fail(ErrSyntax)
			return
		}
	}
}

// Leave passes over the rest of the object that was entered last, after one of its values.
func (s *Scanner) Leave() {
	if s.err == nil {
		s.fresh = false
		s.skipOut('{')
	}
}

// skipOut passes over what follows an opening bracket, to the one that closes it.
func (s *Scanner) skipOut(opening byte) {
	var objects [maxDepth / 64]uint64 // by depth: an object, not an array
	depth := 0
	if opening == '{' {
		objects[0] = 1
	}
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case '"':
			s.quoted()
			if s.err != nil {
				return
			}
			continue
		case '{', '[':
			if depth++; depth == maxDepth {
				s.fail(ErrSyntax)
				return
			}
			bit := uint64(1) << (depth % 64)
			if c == '{' {
				objects[depth/64] |= bit
			} else {
				objects[depth/64] &^= bit
			}
		case '}', ']':
			if isObject := objects[depth/64]>>(depth%64)&1 == 1; isObject != (c == '}') {
				s.fail(ErrSyntax)
				return
			}
			if depth--; depth < 0 {
				s.at++
				return
			}
		}
		s.at++
	}
	s.fail(ErrShort)
}
