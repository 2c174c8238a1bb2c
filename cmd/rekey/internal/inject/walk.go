package inject

import (
	"fmt"
	"text/template/parse"
)

// walk looks for what a template asks for. Names and fields must be written out: nothing is
// fetched that the text does not name, and no value of a secret becomes the name of another,
// which would be sent to AWS and be said in errors.
type walk struct {
	tree       *parse.Tree
	references []reference
	err        error // the first
}

func (w *walk) list(l *parse.ListNode) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		w.node(n)
	}
}

func (w *walk) node(n parse.Node) {
	switch n := n.(type) {
	case *parse.ActionNode:
		w.pipe(n.Pipe)
	case *parse.IfNode:
		w.branch(&n.BranchNode)
	case *parse.RangeNode:
		w.branch(&n.BranchNode)
	case *parse.WithNode:
		w.branch(&n.BranchNode)
	case *parse.TemplateNode:
		w.pipe(n.Pipe)
	case *parse.PipeNode:
		w.pipe(n)
	case *parse.ChainNode:
		w.node(n.Node)
	case *parse.IdentifierNode: // as an argument
		if n.Ident == "secret" {
			w.refuse(n)
		}
	}
}

func (w *walk) branch(b *parse.BranchNode) {
	w.pipe(b.Pipe)
	w.list(b.List)
	w.list(b.ElseList)
}

func (w *walk) pipe(p *parse.PipeNode) {
	if p == nil {
		return
	}
	for i, c := range p.Cmds {
		if called, ok := c.Args[0].(*parse.IdentifierNode); ok && called.Ident == "secret" {
			w.call(called, c.Args[1:], i > 0)
			continue
		}
		for _, arg := range c.Args {
			w.node(arg)
		}
	}
}

// call is {{secret …}}; piped: something is sent into it.
func (w *walk) call(at parse.Node, args []parse.Node, piped bool) {
	var words []string
	for _, arg := range args {
		s, ok := arg.(*parse.StringNode)
		if !ok || s.Text == "" {
			w.refuse(at)
			return
		}
		words = append(words, s.Text)
	}
	if piped || len(words) < 1 || len(words) > 2 {
		w.refuse(at)
		return
	}
	r := reference{name: words[0], place: w.place(at)}
	if len(words) == 2 {
		r.field = words[1]
	}
	w.references = append(w.references, r)
}

func (w *walk) place(n parse.Node) string {
	place, _ := w.tree.ErrorContext(n)
	return place
}

func (w *walk) refuse(n parse.Node) {
	if w.err == nil {
		w.err = fmt.Errorf(`%s: a secret's name and its field are written out, as in {{secret "app/db" "password"}}`, w.place(n))
	}
}
