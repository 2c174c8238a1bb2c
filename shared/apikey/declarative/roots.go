package declarative

import (
	"reflect"

	"github.com/itchyny/gojq"
)

// reference is a place that an expression reads: .settings.site has the root
// "settings" and the name "site".
type reference struct {
	root, name string
}

// references are the places of the scope that an expression certainly reads. What
// stands behind a pipe or inside a function's arguments sees another input, and
// is left out.
func references(q *gojq.Query) []reference {
	var found []reference
	collect(reflect.ValueOf(q), &found)
	return found
}

func collect(v reflect.Value, found *[]reference) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		switch n := v.Interface().(type) {
		case *gojq.Query:
			if n.Op == gojq.OpPipe {
				collect(reflect.ValueOf(n.Left), found)
				return
			}
		case *gojq.Func:
			return
		case *gojq.Term:
			if n.Type == gojq.TermTypeIndex && n.Index != nil && n.Index.Name != "" {
				ref := reference{root: n.Index.Name}
				if len(n.SuffixList) > 0 && n.SuffixList[0].Index != nil {
					ref.name = n.SuffixList[0].Index.Name
				}
				*found = append(*found, ref)
				return
			}
		}
		collect(v.Elem(), found)
	case reflect.Struct:
		for i := range v.NumField() {
			collect(v.Field(i), found)
		}
	case reflect.Slice:
		for i := range v.Len() {
			collect(v.Index(i), found)
		}
	}
}
