package dynamodb

import (
	"slices"
	"strings"
)

// condition tells whether an item, which is nil if there is none, is as demanded.
type condition func(item) bool

// parseCondition reads comparisons (= <> < <= > >=), attribute_exists, attribute_not_exists,
// begins_with and contains, joined by AND, OR, NOT and parentheses.
func parseCondition(n *names, expression string) (condition, error) {
	p := newParser(n, expression)
	c := p.or()
	return c, p.end()
}

func (p *parser) or() condition {
	c := p.and()
	for p.accept("OR") {
		left, right := c, p.and()
		c = func(i item) bool { return left(i) || right(i) }
	}
	return c
}

func (p *parser) and() condition {
	c := p.not()
	for p.accept("AND") {
		left, right := c, p.not()
		c = func(i item) bool { return left(i) && right(i) }
	}
	return c
}

func (p *parser) not() condition {
	if p.accept("NOT") {
		c := p.not()
		return func(i item) bool { return !c(i) }
	}
	if p.accept("(") {
		c := p.or()
		p.expect(")")
		return c
	}
	if len(p.tokens) > 1 && p.tokens[1] == "(" {
		return p.function()
	}
	return p.comparison()
}

func (p *parser) function() condition {
	name := p.next()
	p.expect("(")
	path := p.path()
	var c condition
	switch name { // as DynamoDB, in lower case only
	case "attribute_exists":
		c = func(i item) bool { _, is := i[path]; return is }
	case "attribute_not_exists":
		c = func(i item) bool { _, is := i[path]; return !is }
	case "begins_with", "contains":
		p.expect(",")
		v := p.operand()
		c = func(i item) bool {
			a, is := i[path]
			b, known := v(i)
			if !is || !known || b.kind != "S" {
				return false
			}
			if a.kind == "SS" {
				return name == "contains" && slices.Contains(a.set, b.text)
			}
			return a.kind == "S" && (name == "contains" && strings.Contains(a.text, b.text) || name == "begins_with" && strings.HasPrefix(a.text, b.text))
		}
	default:
		p.fail("Invalid function name; function: %s", name)
	}
	p.expect(")")
	return c
}

// operand is a value that the request gives, or an attribute.
type operand func(item) (attribute, bool)

func (p *parser) operand() operand {
	t := p.peek()
	if !strings.HasPrefix(t, ":") {
		path := p.path()
		return func(i item) (attribute, bool) { a, is := i[path]; return a, is }
	}
	p.next()
	v, ok := p.values[t]
	if !ok {
		p.fail("An expression attribute value used in expression is not defined; attribute value: %s", t)
	}
	p.used[t] = true
	return func(item) (attribute, bool) { return v, true }
}

func (p *parser) comparison() condition {
	left := p.operand()
	sign := p.next()
	right := p.operand()
	if !strings.Contains(" = <> < <= > >= ", " "+sign+" ") {
		p.fail("%q is no comparison", sign)
	}
	return func(i item) bool {
		a, isA := left(i)
		b, isB := right(i)
		if !isA || !isB {
			return false
		}
		less, ordered := a.less(b)
		switch sign {
		case "=":
			return a.equals(b)
		case "<>":
			return !a.equals(b)
		case "<":
			return ordered && less
		case "<=":
			return ordered && (less || a.equals(b))
		case ">":
			return ordered && !less && !a.equals(b)
		}
		return ordered && !less
	}
}
