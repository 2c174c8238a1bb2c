package eventbus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// document is a JSON text with an index of its values, made in one pass and without copying:
// most of an event is never looked at by any rule, so nothing is decoded before it is asked
// for. The zero value is ready; parse may be called again to reuse its memory.
type document struct {
	text  []byte
	nodes []node

	// Rules look for the same few members of the same objects: what was found last is kept.
	memo [64]lookup
	turn uint32 // of parse; what another turn found is not there
}

// lookup is what member found.
type lookup struct {
	turn          uint32
	object, child int32
	name          string
}

// node is one value. Offsets are into the text; first and next are indexes of nodes, 0 for
// none (node 0 is the root, which is nobody's child).
type node struct {
	kind       kind
	escaped    bool  // a string that has escapes
	start, end int32 // of the value, quotes and brackets included
	key        span  // of the member's name, without its quotes; only in objects
	first      int32 // the first element or member
	next       int32 // the next element or member of the same parent
}

type span struct {
	start, end int32
	escaped    bool
}

type kind uint8

const (
	kindNull kind = iota
	kindFalse
	kindTrue
	kindNumber
	kindString
	kindArray
	kindObject
)

// maxDepth is well above what any service nests, and well below what exhausts a stack.
const maxDepth = 500

var errDepth = fmt.Errorf("the JSON text is nested more than %d levels deep", maxDepth)

// parse indexes a JSON text, which must not change as long as the document is in use.
func (d *document) parse(text []byte) error {
	d.text, d.nodes = text, d.nodes[:0]
	if d.turn++; d.turn == 0 { // after four billion, those of the first come again
		d.memo, d.turn = [64]lookup{}, 1
	}
	if len(text) > math.MaxInt32 {
		return errors.New("the JSON text is too long")
	}
	if !utf8.Valid(text) {
		return errors.New("the JSON text is not valid UTF-8")
	}
	p := parser{document: d}
	p.space()
	if _, err := p.value(0); err != nil {
		return err
	}
	p.space()
	if p.at != len(text) {
		return p.unexpected("after the value")
	}
	return nil
}

// offset is a place in a text, of which parse has checked the length.
func offset(n int) int32 { return int32(n) } //nolint:gosec // see above

type parser struct {
	*document
	at int
}

func (p *parser) unexpected(where string) error {
	if p.at >= len(p.text) {
		return errors.New("the JSON text ends too early")
	}
	return fmt.Errorf("the JSON text has an unexpected character %s, at byte %d", where, p.at)
}

func (p *parser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *parser) is(c byte) bool { return p.at < len(p.text) && p.text[p.at] == c }

func (p *parser) value(depth int) (int32, error) {
	if depth > maxDepth {
		return 0, errDepth
	}
	if p.at >= len(p.text) {
		return 0, p.unexpected("")
	}
	i := offset(len(p.nodes))
	p.nodes = append(p.nodes, node{start: offset(p.at)})
	var k kind
	var err error
	switch c := p.text[p.at]; {
	case c == '"':
		k = kindString
		p.nodes[i].escaped, err = p.stringLiteral()
	case c == '{':
		k, err = kindObject, p.object(i, depth)
	case c == '[':
		k, err = kindArray, p.array(i, depth)
	case c == '-' || c >= '0' && c <= '9':
		k, err = kindNumber, p.number()
	case c == 't':
		k, err = kindTrue, p.word("true")
	case c == 'f':
		k, err = kindFalse, p.word("false")
	case c == 'n':
		k, err = kindNull, p.word("null")
	default:
		err = p.unexpected("in place of a value")
	}
	p.nodes[i].kind, p.nodes[i].end = k, offset(p.at)
	return i, err
}

func (p *parser) word(w string) error {
	if !bytes.HasPrefix(p.text[p.at:], []byte(w)) {
		return p.unexpected("in place of a value")
	}
	p.at += len(w)
	return nil
}

func (p *parser) object(parent int32, depth int) error {
	p.at++
	last := int32(0)
	for p.space(); !p.is('}'); p.space() {
		if last != 0 {
			if !p.is(',') {
				return p.unexpected("between members")
			}
			p.at++
			p.space()
		}
		if !p.is('"') {
			return p.unexpected("in place of a member's name")
		}
		key := span{start: offset(p.at + 1)}
		var err error
		if key.escaped, err = p.stringLiteral(); err != nil {
			return err
		}
		key.end = offset(p.at - 1)
		p.space()
		if !p.is(':') {
			return p.unexpected("after a member's name")
		}
		p.at++
		p.space()
		child, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		p.nodes[child].key = key
		p.append(parent, &last, child)
	}
	p.at++
	return nil
}

func (p *parser) array(parent int32, depth int) error {
	p.at++
	last := int32(0)
	for p.space(); !p.is(']'); p.space() {
		if last != 0 {
			if !p.is(',') {
				return p.unexpected("between elements")
			}
			p.at++
			p.space()
		}
		child, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		p.append(parent, &last, child)
	}
	p.at++
	return nil
}

func (p *parser) append(parent int32, last *int32, child int32) {
	if *last == 0 {
		p.nodes[parent].first = child
	} else {
		p.nodes[*last].next = child
	}
	*last = child
}

func (p *parser) stringLiteral() (escaped bool, err error) {
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return escaped, nil
		case c == '\\':
			escaped = true
			p.at++
			if err := p.escape(); err != nil {
				return false, err
			}
		case c < ' ':
			return false, p.unexpected("in a string")
		}
	}
	return false, p.unexpected("")
}

func (p *parser) escape() error {
	if p.at >= len(p.text) {
		return p.unexpected("")
	}
	switch p.text[p.at] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return nil
	case 'u':
		for range 4 {
			p.at++
			if p.at >= len(p.text) || !isHex(p.text[p.at]) {
				return p.unexpected("in an escape")
			}
		}
		return nil
	}
	return p.unexpected("in an escape")
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func (p *parser) digits() int {
	begin := p.at
	for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
		p.at++
	}
	return p.at - begin
}

func (p *parser) number() error {
	if p.is('-') {
		p.at++
	}
	if p.is('0') {
		p.at++
	} else if p.digits() == 0 {
		return p.unexpected("in a number")
	}
	if p.is('.') {
		p.at++
		if p.digits() == 0 {
			return p.unexpected("in a number")
		}
	}
	if p.is('e') || p.is('E') {
		p.at++
		if p.is('+') || p.is('-') {
			p.at++
		}
		if p.digits() == 0 {
			return p.unexpected("in a number")
		}
	}
	return nil
}

// member finds a member of an object by name; of several with one name, the last.
func (d *document) member(object int32, name string) (int32, bool) {
	place := uint32(object)*31 + uint32(len(name))*7 //nolint:gosec // a hash: it may wrap around
	if name != "" {
		place += uint32(name[len(name)-1])
	}
	m := &d.memo[place%uint32(len(d.memo))]
	if m.turn != d.turn || m.object != object || m.name != name {
		*m = lookup{d.turn, object, d.search(object, name), name}
	}
	return m.child, m.child != 0
}

func (d *document) search(object int32, name string) int32 {
	found := int32(0)
	for i := d.nodes[object].first; i != 0; i = d.nodes[i].next {
		k := d.nodes[i].key
		raw := d.text[k.start:k.end]
		if string(raw) == name || k.escaped && string(unescape(d.text[k.start-1:k.end+1])) == name {
			found = i
		}
	}
	return found
}

// string is the text of a string, which aliases the document unless it has escapes.
func (d *document) string(i int32) []byte {
	raw := d.text[d.nodes[i].start:d.nodes[i].end]
	if d.nodes[i].escaped {
		return unescape(raw)
	}
	return raw[1 : len(raw)-1]
}

func (d *document) raw(i int32) []byte { return d.text[d.nodes[i].start:d.nodes[i].end] }

// unescape decodes a string that parse has accepted.
func unescape(quoted []byte) []byte {
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return nil
	}
	return []byte(s)
}
