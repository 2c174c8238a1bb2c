package dynamodb

import (
	"strings"

	"github.com/rekey-aws/rekey/local/awsjson"
)

// invalid is DynamoDB's refusal of a request that makes no sense.
func invalid(format string, args ...any) *awsjson.Error {
	return awsjson.Refuse("ValidationException", format, args...)
}

// names are what an expression may refer to, and what of it was used: DynamoDB refuses a
// request that defines what it does not use.
type names struct {
	attributes map[string]string    // ExpressionAttributeNames
	values     map[string]attribute // ExpressionAttributeValues
	used       map[string]bool
}

func (n *names) unused() error {
	for name := range n.attributes {
		if !n.used[name] {
			return invalid("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", name)
		}
	}
	for name := range n.values {
		if !n.used[name] {
			return invalid("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", name)
		}
	}
	return nil
}

// parser reads the tokens of one expression from left to right. The first error stays.
type parser struct {
	*names
	tokens []string
	err    error
}

const punctuation = "(),=<>+-"

func newParser(n *names, expression string) *parser {
	p := &parser{names: n}
	for rest := expression; ; {
		rest = strings.TrimLeft(rest, " \t\n")
		if rest == "" {
			return p
		}
		end := strings.IndexAny(rest, punctuation+" \t\n")
		switch {
		case end < 0:
			end = len(rest)
		case end == 0:
			end = 1
			if len(rest) > 1 && strings.Contains("<> <= >=", rest[:2]) && rest[1] != ' ' {
				end = 2
			}
		}
		p.tokens = append(p.tokens, rest[:end])
		rest = rest[end:]
	}
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = invalid("Invalid expression: "+format, args...)
	}
}

func (p *parser) peek() string {
	if p.err != nil || len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *parser) next() string {
	t := p.peek()
	if t != "" {
		p.tokens = p.tokens[1:]
	}
	return t
}

// accept takes the next token if it is this word, in whatever case.
func (p *parser) accept(word string) bool {
	if !strings.EqualFold(p.peek(), word) {
		return false
	}
	p.next()
	return true
}

func (p *parser) expect(word string) {
	if t := p.peek(); !p.accept(word) {
		p.fail("%q where %q is expected", t, word)
	}
}

// end refuses what is left.
func (p *parser) end() error {
	if p.err == nil && len(p.tokens) > 0 {
		p.fail("%q is not understood here", p.tokens[0])
	}
	return p.err
}

// path reads the name of an attribute. A name that is a keyword of DynamoDB needs a #; here
// every name that is not plain does, and the common keywords.
func (p *parser) path() string {
	t := p.next()
	if strings.HasPrefix(t, "#") {
		name, ok := p.attributes[t]
		if !ok {
			p.fail("An expression attribute name used in the document path is not defined; attribute name: %s", t)
		}
		p.used[t] = true
		return name
	}
	if t == "" || strings.ContainsAny(t, punctuation+":.[]") {
		p.fail("%q is no attribute", t)
	}
	if keywords[strings.ToUpper(t)] {
		p.fail("Attribute name is a reserved keyword; reserved keyword: %s", t)
	}
	return t
}

// keywords are those of DynamoDB's that one would take for the names of attributes:
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html
var keywords = func() map[string]bool {
	all := map[string]bool{}
	for word := range strings.FieldsSeq(`ACTION ALL AND ANY BETWEEN BY COMMENT CONDITION COUNT DATA DATE DATETIME DEFAULT DELETE
		DETACH DISTINCT END EVENT EXISTS FIRST FLOAT FROM GROUP HASH ID IN INDEX INT INTERVAL ITEM ITEMS KEY KEYS LANGUAGE LAST
		LEVEL LIMIT LIST LOCATION LOCK MAP MAX MEMBER MIN MODE MONTH NAME NAMES NEW NONE NOT NULL NUMBER OBJECT OF OLD ON OR ORDER
		OUTPUT OWNER PATH PERCENT PERIOD PRIMARY PUBLIC RANGE READ REGION RESOURCE ROLE ROLES ROW SCAN SECOND SEGMENT SELECT SET SETS
		SIZE SOURCE START STATE STATUS STRING SUM TABLE TIME TIMESTAMP TO TOKEN TOTAL TTL TYPE UNTIL UPDATE USER USERS VALUE VALUES
		VERSION VIEW WAIT WHEN WHERE WINDOW WITH WORK WRITE YEAR ZONE`) {
		all[word] = true
	}
	return all
}()
