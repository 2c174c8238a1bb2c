package mysql

import (
	"encoding/json"
	"maps"
	"reflect"
)

// markKey is the attribute by which an account says whose clone it is:
//
//	{"rekey": {"clone_of": "app"}}
//
// MariaDB and MySQL before 8.0.21 have no attributes.
//
// https://dev.mysql.com/doc/refman/8.4/en/create-user.html#create-user-comments-attributes
const markKey = "rekey"

// markedAs tells whose clone the account says it is.
func (x account) markedAs() (base string, marked bool) {
	mark, _ := x.attributes[markKey].(map[string]any)
	base, marked = mark["clone_of"].(string)
	return base, marked
}

// marked are the attributes that the clone of an account should have: the same,
// and the mark.
func (x account) marked() map[string]any {
	attributes := maps.Clone(x.attributes)
	if attributes == nil {
		attributes = map[string]any{}
	}
	attributes[markKey] = map[string]any{"clone_of": x.name}
	return attributes
}

// attributePatch is the ATTRIBUTE that makes from into to; "" if they are equal.
// The server merges what it is given into what is there (RFC 7396): what is to
// go must be named with null.
func attributePatch(from, to map[string]any) string {
	if reflect.DeepEqual(from, to) || len(from) == 0 && len(to) == 0 {
		return ""
	}
	patch, err := json.Marshal(mergePatch(from, to))
	if err != nil {
		panic("attributes that came from JSON do not become JSON: " + err.Error())
	}
	return string(patch)
}

func mergePatch(from, to map[string]any) map[string]any {
	patch := map[string]any{}
	for key := range from {
		if _, stays := to[key]; !stays {
			patch[key] = nil
		}
	}
	for key, want := range to {
		have, there := from[key]
		if there && reflect.DeepEqual(have, want) {
			continue
		}
		x, both := have.(map[string]any)
		if y, ok := want.(map[string]any); ok && both {
			patch[key] = mergePatch(x, y)
			continue
		}
		patch[key] = want
	}
	return patch
}
