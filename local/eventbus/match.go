package eventbus

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Pattern is a compiled event pattern. It never changes: any number of goroutines may match
// with it.
type Pattern struct {
	root *object
	text string
}

// String is the pattern as it was given.
func (p *Pattern) String() string { return p.text }

// object is a conjunction: every field and every $or must match.
type object struct {
	fields []field
	ors    [][]*object // of each $or, the alternatives
}

// field is a member to look at: an object inside it, or what its values are compared with.
type field struct {
	name string
	sub  *object
	leaf *leaf
}

// leaf is a disjunction: one value in the event must satisfy one comparison.
type leaf struct {
	strings         map[string]struct{}
	numbers         map[string]struct{} // as written: see the package's documentation
	null, yes, no   bool
	present, absent bool // exists: true, exists: false
	tests           []test
	path            []string // from the event's root, for absent
}

// test is a comparison other than with a literal. Which fields it uses depends on op.
type test struct {
	op     op
	not    bool // anything-but: satisfied by every value that op does not match
	texts  []string
	wild   [][]string // of each wildcard, the parts between its asterisks
	ranges numberRange
	values []float64
	prefix netip.Prefix
}

type op uint8

const (
	opEqual op = iota // used by anything-but only
	opEqualNumber
	opPrefix
	opSuffix
	opEqualFold
	opPrefixFold
	opSuffixFold
	opWildcard
	opNumeric
	opCIDR
)

type numberRange struct {
	low, high         float64
	openLow, openHigh bool
}

var documents = sync.Pool{New: func() any { return new(document) }}

// Matches says whether an event, a JSON object, matches. Text that is not a JSON object
// matches nothing.
func (p *Pattern) Matches(event []byte) bool {
	d := documents.Get().(*document)
	defer documents.Put(d)
	if d.parse(event) != nil || d.nodes[0].kind != kindObject {
		return false
	}
	return p.matches(d)
}

func (p *Pattern) matches(d *document) bool { return d.object(p.root, 0, true) }

// object matches against an object of the event; with there false, against none at all,
// which only fields that must be absent can match.
func (d *document) object(o *object, at int32, there bool) bool {
	for i := range o.fields {
		if !d.field(&o.fields[i], at, there) {
			return false
		}
	}
	for _, alternatives := range o.ors {
		if !d.any(alternatives, at, there) {
			return false
		}
	}
	return true
}

func (d *document) any(alternatives []*object, at int32, there bool) bool {
	for _, o := range alternatives {
		if d.object(o, at, there) {
			return true
		}
	}
	return false
}

func (d *document) field(f *field, at int32, there bool) bool {
	child := int32(0)
	if there {
		child, there = d.member(at, f.name)
	}
	if f.leaf != nil {
		if there && d.leaf(f.leaf, child) {
			return true
		}
		return f.leaf.absent && !d.leafAt(0, f.leaf.path)
	}
	// The fields of one object in the pattern must all match in one object of the event: of
	// an array's elements, never some here and some there.
	return there && d.inside(f.sub, child) || d.object(f.sub, 0, false)
}

func (d *document) inside(o *object, at int32) bool {
	switch d.nodes[at].kind {
	case kindObject:
		return d.object(o, at, true)
	case kindArray:
		for i := d.nodes[at].first; i != 0; i = d.nodes[i].next {
			if d.inside(o, i) {
				return true
			}
		}
	}
	return false
}

// leafAt says whether there is a value that is neither object nor array at the path, through
// arrays.
func (d *document) leafAt(at int32, path []string) bool {
	n := d.nodes[at]
	switch {
	case n.kind == kindArray:
		for i := n.first; i != 0; i = d.nodes[i].next {
			if d.leafAt(i, path) {
				return true
			}
		}
		return false
	case len(path) == 0:
		return n.kind != kindObject
	case n.kind != kindObject:
		return false
	}
	child, there := d.member(at, path[0])
	return there && d.leafAt(child, path[1:])
}

func (d *document) leaf(l *leaf, at int32) bool {
	switch d.nodes[at].kind {
	case kindObject:
		return false
	case kindArray:
		for i := d.nodes[at].first; i != 0; i = d.nodes[i].next {
			if d.leaf(l, i) {
				return true
			}
		}
		return false
	}
	if l.present || d.literal(l, at) {
		return true
	}
	for i := range l.tests {
		if d.test(&l.tests[i], at) {
			return true
		}
	}
	return false
}

func (d *document) literal(l *leaf, at int32) bool {
	switch d.nodes[at].kind {
	case kindString:
		_, ok := l.strings[string(d.string(at))]
		return ok
	case kindNumber:
		_, ok := l.numbers[string(d.raw(at))]
		return ok
	case kindTrue:
		return l.yes
	case kindFalse:
		return l.no
	}
	return l.null
}

func (d *document) test(t *test, at int32) bool {
	switch d.nodes[at].kind {
	case kindString:
		return t.matchString(d.string(at)) != t.not
	case kindNumber:
		return t.matchNumber(d.raw(at)) != t.not
	}
	return t.not // a comparison with text or numbers fails for null, true and false
}

func (t *test) matchNumber(raw []byte) bool {
	if t.op != opNumeric && t.op != opEqualNumber {
		return false
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || n < -maxNumber || n > maxNumber {
		return false
	}
	if t.op == opNumeric {
		return t.ranges.holds(n)
	}
	for _, v := range t.values {
		if v == n {
			return true
		}
	}
	return false
}

func (r numberRange) holds(n float64) bool {
	return (n > r.low || n == r.low && !r.openLow) && (n < r.high || n == r.high && !r.openHigh)
}

func (t *test) matchString(s []byte) bool {
	switch t.op {
	case opCIDR:
		a, err := netip.ParseAddr(string(s))
		return err == nil && t.prefix.Contains(a.Unmap())
	case opWildcard:
		for _, parts := range t.wild {
			if wildcard(parts, s) {
				return true
			}
		}
		return false
	}
	for _, text := range t.texts {
		if t.compare(s, text) {
			return true
		}
	}
	return false
}

func (t *test) compare(s []byte, text string) bool {
	switch t.op {
	case opEqual:
		return string(s) == text
	case opPrefix:
		return len(s) >= len(text) && string(s[:len(text)]) == text
	case opSuffix:
		return len(s) >= len(text) && string(s[len(s)-len(text):]) == text
	case opEqualFold:
		return strings.EqualFold(string(s), text)
	case opPrefixFold:
		return prefixFold(s, text)
	case opSuffixFold:
		return suffixFold(s, text)
	}
	return false
}

func prefixFold(s []byte, text string) bool {
	for _, want := range text {
		have, n := utf8.DecodeRune(s)
		if n == 0 || !sameFold(have, want) {
			return false
		}
		s = s[n:]
	}
	return true
}

func suffixFold(s []byte, text string) bool {
	for text != "" {
		want, n := utf8.DecodeLastRuneInString(text)
		have, m := utf8.DecodeLastRune(s)
		if m == 0 || !sameFold(have, want) {
			return false
		}
		text, s = text[:len(text)-n], s[:len(s)-m]
	}
	return true
}

// sameFold says whether two characters differ in case only, as strings.EqualFold does.
func sameFold(a, b rune) bool {
	for r := unicode.SimpleFold(a); r != a && a != b; r = unicode.SimpleFold(r) {
		if r == b {
			return true
		}
	}
	return a == b
}

// wildcard matches the parts between asterisks, in order. Taking each at its first place is
// enough, and takes time proportional to the text.
func wildcard(parts []string, s []byte) bool {
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return string(s) == first
	}
	if !bytes.HasPrefix(s, []byte(first)) {
		return false
	}
	s = s[len(first):]
	for _, part := range parts[1 : len(parts)-1] {
		i := bytes.Index(s, []byte(part))
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return bytes.HasSuffix(s, []byte(last))
}
