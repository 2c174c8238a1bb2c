package declarative

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// scope is what templates see: see the package's comment.
type scope map[string]any

// expression is a compiled jq expression and its text, for errors.
type expression struct {
	text string
	code *gojq.Code
	tree *gojq.Query
}

// compile compiles jq. What could look outside (the environment, modules,
// inputs) is not there.
func compile(text string) (expression, error) {
	tree, err := gojq.Parse(text)
	if err != nil {
		return expression{}, err
	}
	code, err := gojq.Compile(tree)
	return expression{text: text, code: code, tree: tree}, err
}

// errExpression is that an expression failed. jq's own words quote the values
// that it stumbled on, so they are not told.
var errExpression = fmt.Errorf("it fails on what is there: %w", rotation.ErrConfig)

// eval is the expression's first result; nil if there is none.
func (e expression) eval(ctx context.Context, input any) (any, error) {
	results := e.code.RunWithContext(ctx, input)
	v, ok := results.Next()
	if !ok {
		return nil, nil
	}
	if _, failed := v.(error); failed {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("evaluating %s: no time was left: %w", e.text, rotation.ErrUnreachable)
		}
		return nil, fmt.Errorf("evaluating %s: %w", e.text, errExpression)
	}
	return v, nil
}

// holds reports whether the expression is true of the input; what fails or is no
// boolean is not.
func (e expression) holds(ctx context.Context, input any) bool {
	v, err := e.eval(ctx, input)
	return err == nil && v == true
}

// template is text with expressions in it.
type template struct {
	parts []part
}

// part is a literal or, if code is set, an expression.
type part struct {
	literal string
	expr    *expression
}

var errOpen = errors.New("${ is not closed by }")

// parseTemplate reads text with ${…}; $${ stands for ${.
func parseTemplate(text string) (template, error) {
	var t template
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			t.parts = append(t.parts, part{literal: literal.String()})
			literal.Reset()
		}
	}
	for text != "" {
		switch {
		case strings.HasPrefix(text, "$${"):
			literal.WriteString("${")
			text = text[3:]
		case strings.HasPrefix(text, "${"):
			end, err := closing(text[2:])
			if err != nil {
				return template{}, err
			}
			inner := text[2 : 2+end]
			e, err := compile(inner)
			if err != nil {
				return template{}, fmt.Errorf("${%s} is no jq expression: %w", inner, err)
			}
			flush()
			t.parts = append(t.parts, part{expr: &e})
			text = text[2+end+1:]
		default:
			literal.WriteByte(text[0])
			text = text[1:]
		}
	}
	flush()
	return t, nil
}

// closing finds the brace that ends an expression: braces of its own and text in
// quotes are passed over.
func closing(text string) (int, error) {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			depth++
		case c == '}' && depth == 0:
			return i, nil
		case c == '}':
			depth--
		}
	}
	return 0, errOpen
}

// pure tells a template that is one expression and keeps its type.
func (t template) pure() bool { return len(t.parts) == 1 && t.parts[0].expr != nil }

// value is the expression's own value if the template is one, else text.
func (t template) value(ctx context.Context, s scope) (any, error) {
	if t.pure() {
		return t.parts[0].expr.eval(ctx, map[string]any(s))
	}
	return t.text(ctx, s, nil)
}

// text is the template filled in; escape, if set, is applied to the values. null
// is an error: nothing is sent half.
func (t template) text(ctx context.Context, s scope, escape func(string) string) (string, error) {
	var b strings.Builder
	for _, p := range t.parts {
		if p.expr == nil {
			b.WriteString(p.literal)
			continue
		}
		v, err := p.expr.eval(ctx, map[string]any(s))
		if err != nil {
			return "", err
		}
		text, ok := textOf(v)
		if !ok {
			return "", rotation.WithHint(fmt.Errorf("filling in ${%s}: it is %s, where text is needed: %w", p.expr.text, typeOf(v), rotation.ErrConfig),
				"Put what it names into the secret or its administrator's, or correct the provider's file.")
		}
		if escape != nil {
			text = escape(text)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// textOf is a scalar as text.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int:
		return strconv.Itoa(v), true
	case json.Number:
		return v.String(), true
	case *big.Int:
		return v.String(), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case []any:
		return "an array"
	case map[string]any:
		return "an object"
	}
	return "a value of another kind"
}
